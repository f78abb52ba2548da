package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/succ"
)

// ourFlow is this project's answer.
func ourFlow(p *bytecode.Program) (flow, error) {
	r, err := succ.Resolve(p, succ.Options{})
	if err != nil {
		return nil, err
	}
	f := flow{}
	for pc := bytecode.PC(0); pc < p.Len(); pc += p.Insns[pc].Slots() {
		list, complete := r.Successors(pc)
		if !complete {
			return nil, fmt.Errorf("slot %d: not all successors are known", pc)
		}
		f[pc] = nil
		for _, s := range list {
			if s.Kind != cfg.Call && s.Kind != cfg.Callback && s.Kind != cfg.Exception {
				f.insert(pc, s.PC)
			}
		}
	}
	return f, nil
}

// run starts a program and returns what it prints.
func run(env []string, name string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), env...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", filepath.Base(name), err, errs.Bytes())
	}
	return out, nil
}

// bpftool is the program of that name, with a stub in place of the kernel: see
// testdata/stub.c.
type bpftool struct{ path, stub, dir string }

// newBpftool builds the stub in dir.
func newBpftool(path, source, dir string) (*bpftool, error) {
	b := &bpftool{path: path, stub: filepath.Join(dir, "stub.so"), dir: dir}
	_, err := run(nil, "cc", "-shared", "-fPIC", "-O1", "-o", b.stub, source)
	return b, err
}

// visual returns the DOT text of a program.
func (b *bpftool) visual(insns []bytecode.Insn) ([]byte, error) {
	file := filepath.Join(b.dir, "xlated")
	if err := os.WriteFile(file, encode(insns), 0o600); err != nil {
		return nil, err
	}
	return run([]string{"LD_PRELOAD=" + b.stub, "XLATED=" + file}, b.path, "prog", "dump", "xlated", "id", "1", "visual")
}

// What the DOT text consists of: a block opens with its name, its instructions
// begin with their slot, and edges join names.
var (
	dotBlock = regexp.MustCompile(`^\s*(fn_\d+_bb_\d+) \[`)
	dotInsn  = regexp.MustCompile(`(?:^|[|{])\s*(\d+): \([0-9a-f]{2}\) `)
	dotEdge  = regexp.MustCompile(`^\s*(fn_\d+_bb_\d+):s -> (fn_\d+_bb_\d+):n \[(.*)\]`)
)

// readVisual reads the DOT text of bpftool, which counts slots from the start of
// each function.
func readVisual(text []byte, insns []bytecode.Insn) flow {
	blocks, open := map[string][]bytecode.PC{}, ""
	f := flow{}
	function, base, end := "", bytecode.PC(0), bytecode.PC(0)
	for line := range strings.Lines(string(text)) {
		if m := dotEdge.FindStringSubmatch(line); m != nil {
			from, to := blocks[m[1]], blocks[m[2]]
			if !strings.Contains(m[3], "invis") && len(from) > 0 && len(to) > 0 {
				f.insert(from[len(from)-1], to[0])
			}
			continue
		}
		if m := dotBlock.FindStringSubmatch(line); m != nil {
			open = m[1]
			if fn, _, _ := strings.Cut(open, "_bb_"); fn != function {
				function, base = fn, end
			}
		}
		for _, m := range dotInsn.FindAllStringSubmatch(line, -1) {
			n, err := strconv.Atoi(m[1])
			pc := base + bytecode.PC(n)
			if err != nil || int(pc) >= len(insns) {
				continue
			}
			if list := blocks[open]; len(list) > 0 {
				f.insert(list[len(list)-1], pc)
			}
			blocks[open] = append(blocks[open], pc)
			end = max(end, pc+insns[pc].Slots())
		}
	}
	return f
}

// objdumpLine matches an instruction of llvm-objdump, which counts slots.
var (
	objdumpLine = regexp.MustCompile(`^\s*(\d+):\t(.*)$`)
	objdumpJump = regexp.MustCompile(`^(if .* )?(goto|gotol|may_goto) ([+-]0x[0-9a-f]+)`)
)

// objdump returns the listing of an object.
func objdump(path, object string) ([]byte, error) {
	return run(nil, path, "-d", "-r", "--no-show-raw-insn", object)
}

// readObjdump takes from a listing what a reader can: it has no blocks and edges, but the distances
// of jumps, and names that tell which instructions continue.
func readObjdump(text []byte, insns []bytecode.Insn) flow {
	f := flow{}
	for line := range strings.Lines(string(text)) {
		m := objdumpLine.FindStringSubmatch(strings.TrimRight(line, "\n"))
		if m == nil {
			continue
		}
		n, err := strconv.Atoi(m[1])
		if err != nil || n >= len(insns) {
			continue
		}
		pc := bytecode.PC(n)
		next := pc + insns[pc].Slots()
		jump := objdumpJump.FindStringSubmatch(m[2])
		switch {
		case jump != nil:
			d, err := strconv.ParseInt(jump[3], 0, 32)
			if err == nil {
				f.insert(pc, pc+1+bytecode.PC(d))
			}
			if jump[1] != "" || jump[2] == "may_goto" {
				f.insert(pc, next)
			}
		case strings.HasPrefix(m[2], "exit"), strings.HasPrefix(m[2], "gotox"):
			f[pc] = nil
		default:
			f.insert(pc, next)
		}
	}
	return f
}
