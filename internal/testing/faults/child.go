package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"golang.org/x/arch/x86/x86asm"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
	"github.com/bpfcfg/bpfcfg/jit/x86/disasm"
)

// verdict is what became of a program of the corpus.
type verdict struct {
	Name  string `json:"name"`
	Flow  string `json:"flow"`  // control transfers of the machine code, hashed; empty without any
	Wrong string `json:"wrong"` // the first mismatch of the proof
}

// set-ups that the corpus is taken through.
var setups = []struct {
	profile string
	opt     rewrite.Options
}{
	{"linux-7.3", rewrite.Options{}},
	{"linux-7.3+plain", rewrite.Options{NoCapBPF: true, NoCapPerfmon: true}},
	{"linux-7.3", rewrite.Options{Blind: true}},
	{"linux-6.19+stuff", rewrite.Options{}},
	{"linux-6.6", rewrite.Options{}},
}

// report prints a verdict for each program and set-up.
func report(out io.Writer, root string) error {
	enc := json.NewEncoder(out)
	n := 0
	each := func(from string, p *bytecode.Program) error {
		for i, s := range setups {
			prof, err := jit.LookupProfile(s.profile)
			if err != nil {
				return err
			}
			n++
			v := verdict{Name: fmt.Sprintf("%s/%s#%d", from, p.Name, i)}
			v.Flow, v.Wrong = result(p, prof, s.opt)
			if err := enc.Encode(v); err != nil {
				return err
			}
		}
		return nil
	}
	if err := objects(filepath.Join(root, "testdata", "corpus"), each); err != nil {
		return err
	}
	if err := recorded(filepath.Join(root, "testdata", "records", "suite.7.3.4.off.jsonl.gz"), each); err != nil {
		return err
	}
	for _, p := range forms() {
		if err := each("form", p); err != nil {
			return err
		}
	}
	if n == 0 {
		return fmt.Errorf("no programs below %s", root)
	}
	return nil
}

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

// forms returns programs with what the verifier guards or expands and the corpus
// has little of: each division and remainder by a register, and the loads of
// classic BPF.
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

// result analyses a program. One that panics has no machine code.
func result(p *bytecode.Program, prof jit.Profile, opt rewrite.Options) (flow, wrong string) {
	defer func() {
		if r := recover(); r != nil {
			flow, wrong = "", ""
		}
	}()
	a, err := pipeline.Run(p, prof, opt)
	if err != nil || a.ImageErr != nil {
		return "", ""
	}
	proof := a.Verify()
	if proof.Refused != "" {
		return "", ""
	}
	if !proof.OK() {
		wrong = proof.Mismatches[0].String()
	}
	return transfers(a.Image), wrong
}

// transfers returns a hash of the control transfers of an image: what each is,
// what is compared in front of it, and which transfer comes first where it leads.
// Straight code of another length between them is no difference.
func transfers(img *jit.Image) string {
	var b strings.Builder
	for f, fi := range img.Funcs {
		code := img.Code[fi.Offset : fi.Offset+fi.Len]
		list, err := disasm.All(code)
		if err != nil {
			return "no x86: " + err.Error()
		}
		var at []int // offsets of transfers
		for _, in := range list {
			if isTransfer(in) {
				at = append(at, in.Offset)
			}
		}
		for i, in := range list {
			if !isTransfer(in) {
				continue
			}
			if i > 0 {
				if op := list[i-1].Inst.Op; op == x86asm.CMP || op == x86asm.TEST {
					b.WriteString(list[i-1].Text + "; ")
				}
			}
			b.WriteString(in.Inst.Op.String())
			if to, ok := in.Target(); ok && to >= 0 && to <= len(code) && !relocated(img, fi.Offset+in.Offset, in.Len) {
				fmt.Fprintf(&b, " %d", sort.SearchInts(at, to))
			} else if !ok {
				b.WriteString(" " + in.Text)
			}
			b.WriteByte('\n')
		}
		for t := range img.Tables {
			for _, off := range img.Tables[t] {
				fmt.Fprintf(&b, "%d %d\n", f, sort.SearchInts(at, int(off)))
			}
		}
	}
	sum := sha256.Sum256([]byte(b.String()))
	return hex.EncodeToString(sum[:8])
}

func relocated(img *jit.Image, off, n int) bool {
	i := sort.Search(len(img.Relocs), func(i int) bool { return img.Relocs[i].Offset >= off })
	return i < len(img.Relocs) && img.Relocs[i].Offset < off+n
}

func isTransfer(in disasm.Insn) bool {
	op := in.Inst.Op
	return op == x86asm.CALL || op == x86asm.RET || op == x86asm.INT || op != 0 && strings.HasPrefix(op.String(), "J")
}
