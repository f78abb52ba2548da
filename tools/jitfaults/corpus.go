package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/record"
)

// objects calls each for the programs of the corpus's objects.
func objects(dir string, each func(from string, p *bytecode.Program) error) error {
	for _, sub := range []string{"out", "out-plain", "jit-variants", "kernel-7.3"} {
		files, err := filepath.Glob(filepath.Join(dir, sub, "*.o"))
		if err != nil {
			return err
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			o, err := load.ELF(file, data)
			if err != nil {
				continue
			}
			for _, p := range o.Programs {
				if err := each(sub+"/"+filepath.Base(file), p); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// recorded calls each for the sources of a record's programs, which use every
// opcode.
func recorded(file string, each func(from string, p *bytecode.Program) error) error {
	r, err := record.Open(file, record.Options{SkipLogs: true})
	if err != nil {
		return err
	}
	defer r.Close()
	for rec, err := range r.Records() {
		if err != nil {
			return err
		}
		if rec.Job == nil || rec.Result == nil || rec.Result.Prog == nil {
			continue
		}
		p, err := rec.Job.Program()
		if err != nil {
			continue
		}
		p.Name = rec.Job.Name
		if err := each("record", p); err != nil {
			return err
		}
	}
	return nil
}

// forms returns programs with code that the verifier guards or expands and that the corpus has
// little of: each division and remainder by a register, and the loads of classic BPF.
func forms() []*bytecode.Program {
	var out []*bytecode.Program
	add := func(name, kind string, insns ...bytecode.Insn) {
		out = append(out, &bytecode.Program{Name: name, Type: kind, Insns: insns,
			Subprogs: []bytecode.Subprogram{{Name: name, End: bytecode.PC(len(insns))}}})
	}
	load := func(dst bytecode.Reg, off int16) bytecode.Insn {
		return bytecode.Insn{Code: 0x79, Dst: dst, Src: 1, Off: off}
	}
	exit := bytecode.Insn{Code: bytecode.CodeExit}
	for _, code := range []uint8{0x3c, 0x3f, 0x9c, 0x9f} { // /= and %= of both widths
		for _, signed := range []int16{0, 1} {
			add(fmt.Sprintf("divide-%x-%d", code, signed), "syscall", load(2, 0), load(3, 8),
				bytecode.Insn{Code: code, Dst: 2, Src: 3, Off: signed},
				bytecode.Insn{Code: 0xb7}, // r0 = 0
				bytecode.Insn{Code: 0x25, Dst: 2, Imm: 5, Off: 1},
				bytecode.Insn{Code: 0xb7, Imm: 1}, exit)
		}
	}
	for _, code := range []uint8{0x30, 0x28, 0x20, 0x50, 0x48, 0x40} { // r0 = *(size *)skb[…]
		add(fmt.Sprintf("packet-%x", code), "socket_filter", bytecode.Insn{Code: 0xbf, Dst: 6, Src: 1},
			bytecode.Insn{Code: 0xb7, Dst: 7, Imm: 3}, bytecode.Insn{Code: code, Src: reg(code), Imm: 4}, exit)
	}
	return out
}

// reg returns the index register of a load of classic BPF: R7, or none.
func reg(code uint8) bytecode.Reg {
	if code&0x40 != 0 {
		return bytecode.R7
	}
	return 0
}
