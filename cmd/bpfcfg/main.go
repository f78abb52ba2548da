// Command bpfcfg shows where an eBPF program can go, before and after the
// x86-64 JIT, and checks that the two agree.
//
//	bpfcfg demo                        # an embedded sample: demo.svg
//	bpfcfg render prog.o -o prog.svg   # control-flow graph beside the machine code
//	bpfcfg show prog.o --stage succ    # the targets of each indirect jump
//
// It reads ELF objects, raw instructions, records of kernels and programs of the running kernel. It
// loads a program only to see the kernel's result (verify --load, profile host), for a moment and
// without attaching it, and changes nothing on the machine but the files it is told to write. See
// docs/cli.md.
package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/bpfcfg/bpfcfg/internal/ask/guest"
	"github.com/bpfcfg/bpfcfg/internal/input"
	"github.com/bpfcfg/bpfcfg/internal/object"
)

// cli is the command line: one field a verb.
type cli struct {
	Help    helpFlag      `short:"h" help:"Show help."`
	Timeout time.Duration `help:"Stop with status 3 after this time, such as 30s or 5m (default: never)." placeholder:"TIME"`
	Root    string        `help:"Name objects and C files relative to DIR (default: the repository's directory, or the working directory)." placeholder:"DIR"`
	Color   string        `enum:"auto,always,never" default:"auto" help:"When to colour text: auto (only on a terminal and without NO_COLOR), always or never." placeholder:"WHEN"`
	Limits  limitFlags    `embed:""`
	Target  targetFlags   `embed:""`

	Configuration configurationFlags `embed:""`

	Demo    demoCmd    `cmd:"" help:"Run the whole pipeline on a built-in sample: write demo.svg and demo.html."`
	List    listCmd    `cmd:"" help:"List programs, subprograms, instructions and jump tables."`
	Render  renderCmd  `cmd:"" help:"Draw the control-flow graph beside the block layout of the machine code."`
	Show    showCmd    `cmd:"" help:"Print a stage of the analysis as text or JSON."`
	Graph   graphCmd   `cmd:"" help:"Show which functions, programs and maps of an object call, jump to and use each other."`
	Check   checkCmd   `cmd:"" help:"Find control flow that a kernel would refuse or crash on; reports for CI: text, JSON, SARIF, JUnit, GitHub."`
	Diff    diffCmd    `cmd:"" help:"Compare two builds: sizes, blocks, targets of indirect jumps."`
	PR      prCmd      `cmd:"" name:"pr" help:"Summarise how a change affects programs, as Markdown for a comment on a pull request."`
	Explain explainCmd `cmd:"" help:"Explain the targets of an indirect jump, why a block is dead, or the facts at a place."`
	Golden  goldenCmd  `cmd:"" help:"Keep the block layouts of programs in golden files and compare with them."`
	Merge   mergeCmd   `cmd:"" help:"Join the JSON reports of a check that was split with --shard."`
	Verify  verifyCmd  `cmd:"" help:"Check that machine code, predicted or the kernel's, has the control flow of the bytecode."`
	Ask     askCmd     `cmd:"" help:"Start a kernel in QEMU or as a process and load programs into it: verdict, log, machine code."`
	Where   whereCmd   `cmd:"" help:"Map an offset in machine code to block, instruction and source line."`
	Profile profileCmd `cmd:"" help:"Print a profile (kernel version, build options, mitigations) as JSON."`
	Replay  replayCmd  `cmd:"" help:"Compile recorded programs and compare the result with the kernel's code."`
	Version versionCmd `cmd:"" help:"Print the version, the profiles and the schema."`

	Completion completionCmd `cmd:"" model:"whole" help:"Print a completion script for a shell."`
	Man        manCmd        `cmd:"" model:"whole" help:"Print the manual page."`
}

// helpFlag prints the usage of the selected verb.
type helpFlag bool

// BeforeReset implements kong's hook: it runs before the arguments are judged.
func (helpFlag) BeforeReset(ctx *kong.Context) error {
	if err := ctx.PrintUsage(false); err != nil {
		return err
	}
	return errHelp
}

// streams are the standard streams of a run, so that tests can hold them.
type streams struct {
	in       io.Reader
	out, err io.Writer
	opener   input.Opener    // of inputs
	types    []string        // what --btf names
	said     map[string]bool // notes that are printed once
}

func main() {
	if guest.Wanted() {
		guest.Main()
	}
	tuneCollector()
	os.Exit(run(os.Args[1:], streams{in: os.Stdin, out: os.Stdout, err: os.Stderr}))
}

// run is the whole command: it parses the arguments, runs the verb and returns
// the exit status.
func run(args []string, std streams) int {
	console := newConsole(std.err)
	out := &sink{w: std.out, console: console}
	p, release := newProcess(console)
	_, err := guard(func() (struct{}, error) {
		return struct{}{}, command(args, streams{in: std.in, out: out, err: console, said: map[string]bool{}}, p)
	})
	console.clear()
	out.flush()
	release()
	switch {
	case brokenPipe(out.err):
		return exitSignal + int(syscall.SIGPIPE) // as if the signal were not ignored
	case out.err != nil:
		fmt.Fprintf(console, "bpfcfg: standard output: %s\n", message(systemError(out.err)))
		return exitInput
	case err == nil:
		return exitClean
	}
	if !errors.Is(err, errDiffers) && !errors.Is(err, errFindings) {
		fmt.Fprintf(console, "bpfcfg: %s\n", message(err))
	}
	return statusOf(err)
}

// plainWords turns the habits of other tools into our flags and verbs: "help VERB" and "--version".
func plainWords(args []string) []string {
	switch {
	case len(args) == 0:
		return []string{"--help"}
	case args[0] == "help":
		return append(append([]string{}, args[1:]...), "--help")
	case args[0] == "--version":
		return append([]string{"version"}, args[1:]...)
	}
	return args
}

// command parses the arguments and runs the verb.
func command(args []string, std streams, p *process) error {
	var c cli
	args = plainWords(args)
	ctx, err := parse(&c, args, std)
	if errors.Is(err, errHelp) {
		return nil
	}
	if err != nil {
		return usagef("%w (see bpfcfg --help)", err)
	}
	if out, ok := std.out.(*sink); ok {
		out.colour = c.Color
		if verb := ctx.Selected(); verb != nil && prose(verb.Target.Addr().Interface()) {
			out.wrap()
		}
	}
	if c.Timeout < 0 {
		return usagef("--timeout %v: must not be negative", c.Timeout)
	}
	if std.opener.Limits, err = c.Limits.limits(); err != nil {
		return err
	}
	if std.opener.Root, err = object.NewRoot(c.Root); err != nil {
		return usagef("--root: %w", err)
	}
	if err = c.Target.fromProfiles(profilesNamed(ctx)); err != nil {
		return err
	}
	std.types = c.Target.BTF
	std.opener.In = std.in
	std.opener.Guests = input.NewGuests(std.opener, p.starter(std))
	defer p.giveUp(c.Timeout)()
	if std.opener.Kernel, err = c.Target.kernel(); err != nil {
		return err
	}
	if std.opener.Config, err = c.Configuration.configuration(); err != nil {
		return err
	}
	err = ctx.Run(std, p)
	if err == nil || errors.Is(err, errFindings) || errors.Is(err, errDiffers) {
		return cmp.Or(std.opener.Config.Unused(), err)
	}
	return err
}
