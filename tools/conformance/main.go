// Command conformance is a plugin for the test suite bpf_conformance: it runs one
// program and prints R0.
//
//	conformance [--jit] [--profile NAME] [--program HEX] [MEMORY]
//
// The program is read from standard input as hexadecimal digits, or from the option; white space
// does not count. MEMORY, also hexadecimal, is the memory to which R1 points; R2 has its length.
// Without it both are 0. The result is R0 in hexadecimal on standard output. A program that cannot
// be run gets a message on standard error and exit status 1.
//
// By default the interpreter runs the program; with --jit our machine code runs, on linux/amd64,
// after the rewrites of the profile's kernel. The only helper is number 5, the suite's "unwind",
// and only in the interpreter: it returns its argument, and ends the program when that is 0.
package main

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/testing/interp"
	"github.com/bpfcfg/bpfcfg/internal/testing/native"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
)

func main() {
	r0, err := run(os.Args[1:], os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(1)
	}
	fmt.Printf("%x\n", r0)
}

// options are the arguments.
type options struct {
	jit     bool
	profile string
	program string // hexadecimal, empty for standard input
	memory  []byte
}

// parse reads the arguments. The suite puts the memory before the options, and
// passes --debug, which means nothing here.
func parse(args []string) (o options, err error) {
	o.profile = "linux-7.3+plain"
	for i := 0; i < len(args); i++ {
		switch a := args[i]; {
		case a == "--jit":
			o.jit = true
		case a == "--debug", a == "":
		case (a == "--profile" || a == "--program") && i+1 < len(args):
			i++
			if a == "--profile" {
				o.profile = args[i]
			} else {
				o.program = args[i]
			}
		case strings.HasPrefix(a, "-"):
			return o, fmt.Errorf("unknown argument %q", a)
		default:
			if o.memory, err = unhex(a); err != nil {
				return o, fmt.Errorf("memory: %w", err)
			}
		}
	}
	return o, nil
}

// unhex reads hexadecimal digits with white space between them.
func unhex(s string) ([]byte, error) {
	return hex.DecodeString(strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, s))
}

// maxInput bounds what is read from standard input, in bytes.
const maxInput = 64 << 20

// run carries out the command and returns R0.
func run(args []string, stdin io.Reader) (uint64, error) {
	o, err := parse(args)
	if err != nil {
		return 0, err
	}
	if o.program == "" {
		data, err := io.ReadAll(io.LimitReader(stdin, maxInput))
		if err != nil {
			return 0, err
		}
		o.program = string(data)
	}
	code, err := unhex(o.program)
	if err != nil {
		return 0, fmt.Errorf("program: %w", err)
	}
	if o.jit {
		return compiled(code, o)
	}
	return interpreted(code, o.memory)
}

// interpreted runs a program in the interpreter.
func interpreted(code, memory []byte) (uint64, error) {
	p, err := load.Raw("program", code, binary.LittleEndian)
	if err != nil {
		return 0, err
	}
	unwind := func(_ *interp.VM, args [5]uint64) (uint64, error) {
		if args[0] == 0 {
			return 0, interp.ErrExit
		}
		return args[0], nil
	}
	vm, err := interp.New(p, interp.Config{Helpers: map[int32]interp.Helper{5: unwind}, CallNumbers: true})
	if err != nil {
		return 0, err
	}
	return vm.Run(interp.Input{Ctx: memory, Plain: true})
}

// compiled runs a program as machine code.
func compiled(code []byte, o options) (uint64, error) {
	p, err := load.Raw("program", code, binary.LittleEndian)
	if err != nil {
		return 0, err
	}
	p.Type = "syscall" // the context is plain memory
	prof, err := jit.LookupProfile(o.profile)
	if err != nil {
		return 0, err
	}
	a, err := pipeline.Run(p, prof, rewrite.Options{})
	switch {
	case err != nil:
		return 0, err
	case a.RewriteErr != nil:
		return 0, a.RewriteErr
	case len(a.Rewrite.Unpredicted) > 0:
		return 0, errors.New("the kernel's form of the program is not known in full")
	}
	c, err := native.Load(p, a.Rewrite.Program, prof, native.Options{CtxSize: max(len(o.memory), 64)})
	if err != nil {
		return 0, err
	}
	defer c.Close()
	return c.RunPlain(o.memory)
}
