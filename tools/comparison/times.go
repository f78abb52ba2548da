package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// branches returns a program of n slots, a quarter of them conditional jumps
// that the facts do not decide.
func branches(n int) []bytecode.Insn {
	out := []bytecode.Insn{{Code: 0xb7}} // r0 = 0
	for len(out) < n-1 {
		out = append(out,
			bytecode.Insn{Code: 0x79, Dst: 2, Src: 1},       // r2 = *(u64 *)(r1 + 0)
			bytecode.Insn{Code: 0x15, Dst: 2, Off: 1},       // if r2 == 0 goto +1
			bytecode.Insn{Code: 0x07, Imm: 1},               // r0 += 1
			bytecode.Insn{Code: 0x07, Imm: int32(len(out))}) // r0 += …
	}
	return append(out, bytecode.Insn{Code: 0x95})
}

// task is a command line for each tool that does the same work.
type task struct {
	what string
	form string   // "raw", "object", "xlated" or "dot"
	most int      // slots, beyond which it is not tried
	argv []string // with FILE for the program, which is of the form that the tool reads
}

// timeLimit is how long a run may take.
const timeLimit = time.Minute

// timeTable measures, and returns the table of the document: seconds of
// processor time, the least of three runs.
func (t *tools) timeTable(dir string) (string, error) {
	ours := filepath.Join(dir, "bpfcfg")
	if _, err := run(nil, "go", "build", "-o", ours, "./cmd/bpfcfg"); err != nil {
		return "", err
	}
	picture := func(name string) string { return filepath.Join(dir, name) }
	tasks := []task{
		{"`bpfcfg show --stage cfg --brief --facts`: analysis, blocks and edges as text", "raw", 1e6,
			[]string{ours, "show", "raw:FILE", "--stage", "cfg", "--brief", "--facts"}},
		{"`bpftool … visual`: blocks and edges as DOT", "xlated", 1e5,
			[]string{t.bpftool.path, "prog", "dump", "xlated", "id", "1", "visual"}},
		{"`llvm-objdump -d`: instructions", "object", 1e6, []string{t.objdump, "-d", "--no-show-raw-insn", "FILE"}},
		{"`bpfcfg render --format svg`: analysis, machine code and picture", "raw", 1e5,
			[]string{ours, "render", "raw:FILE", "--format", "svg", "-o", picture("out.svg")}},
		{"`dot -Tsvg` of bpftool's DOT: picture of the graph", "dot", 1e4,
			[]string{t.dot, "-Tsvg", "-o", picture("dot.svg"), "FILE"}},
	}
	sizes := []int{1000, 10_000, 100_000}
	var b strings.Builder
	b.WriteString("\n| work |")
	for _, n := range sizes {
		fmt.Fprintf(&b, " %d slots |", n)
	}
	b.WriteString("\n|---|" + strings.Repeat("---:|", len(sizes)) + "\n")
	for _, k := range tasks {
		fmt.Fprintf(&b, "| %s |", k.what)
		for _, n := range sizes {
			cell := "not tried"
			if n <= k.most {
				var err error
				if cell, err = t.seconds(k, branches(n), dir); err != nil {
					return "", err
				}
			}
			fmt.Fprintf(&b, " %s |", cell)
		}
		b.WriteString("\n")
	}
	return b.String() + "\n", nil
}

// seconds returns the processor time of a task on a program as text.
func (t *tools) seconds(k task, insns []bytecode.Insn, dir string) (string, error) {
	file, data := filepath.Join(dir, k.form), encode(insns)
	switch k.form {
	case "object":
		data = object(data)
	case "dot":
		var err error
		if data, err = t.bpftool.visual(insns); err != nil {
			return "", err
		}
	}
	if err := os.WriteFile(file, data, 0o600); err != nil {
		return "", err
	}
	least := time.Duration(0)
	for i := range 3 {
		d, err := t.once(k, file)
		if errors.Is(err, context.DeadlineExceeded) {
			return fmt.Sprintf("over %.0f s", timeLimit.Seconds()), nil
		}
		if err != nil {
			return "", err
		}
		if i == 0 || d < least {
			least = d
		}
	}
	return fmt.Sprintf("%.2f s", least.Seconds()), nil
}

// once runs a task.
func (t *tools) once(k task, file string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeLimit)
	defer cancel()
	argv := make([]string, len(k.argv))
	for i, a := range k.argv {
		argv[i] = strings.ReplaceAll(a, "FILE", file)
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdout = io.Discard
	if k.form == "xlated" {
		cmd.Env = append(os.Environ(), "LD_PRELOAD="+t.bpftool.stub, "XLATED="+file)
	}
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		return 0, fmt.Errorf("%s: %w", strings.Join(argv, " "), err)
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}
