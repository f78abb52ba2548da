package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"

	"golang.org/x/arch/x86/x86asm"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
	"github.com/bpfcfg/bpfcfg/jit/x86/disasm"
)

// subject is a program of the corpus in a set-up, analysed.
type subject struct {
	name string
	a    *pipeline.Analysis
	flow string // control transfers of the machine code without a fault, hashed
}

// verdict is the outcome of all subjects with a fault.
type verdict struct {
	Number  int    `json:"number"`
	Images  int    `json:"images"`  // subjects with machine code
	Changed int    `json:"changed"` // with other control transfers
	Missed  int    `json:"missed"`  // of these, proven all the same
	First   string `json:"first"`   // of these
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

// report prints a verdict for each fault.
func report(out io.Writer, root string, faults []int) error {
	all, err := subjects(root)
	if err != nil {
		return err
	}
	enc := json.NewEncoder(out)
	for _, n := range faults {
		if err := enc.Encode(judge(all, n)); err != nil {
			return err
		}
	}
	return nil
}

// subjects returns the programs that the kernel of each set-up accepts, and that have machine code.
// Without a fault, each must be proven.
func subjects(root string) ([]subject, error) {
	var out []subject
	each := func(from string, p *bytecode.Program) error {
		for i, s := range setups {
			prof, err := jit.LookupProfile(s.profile)
			if err != nil {
				return err
			}
			a, err := pipeline.Run(p, prof, s.opt)
			if err != nil || a.ImageErr != nil || a.Claim().Refused != "" {
				continue
			}
			name := fmt.Sprintf("%s/%s#%d", from, p.Name, i)
			if proof := a.Verify(); !proof.OK() {
				return fmt.Errorf("%s does not agree without a fault: %s", name, proof.Mismatches[0])
			}
			out = append(out, subject{name, a, transfers(a.Rewrite.Program, a.Image)})
		}
		return nil
	}
	if err := objects(filepath.Join(root, "testdata", "corpus"), each); err != nil {
		return nil, err
	}
	if err := recorded(filepath.Join(root, "testdata", "records", "suite.7.3.4.off.jsonl.gz"), each); err != nil {
		return nil, err
	}
	for _, p := range forms() {
		if err := each("form", p); err != nil {
			return nil, err
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no programs below %s", root)
	}
	return out, nil
}

// judge rewrites, compiles and proves all subjects with a fault.
func judge(all []subject, fault int) verdict {
	activate(fault)
	defer activate(0)
	v := verdict{Number: fault}
	for i := range all {
		s := &all[i]
		flow, ok := s.with()
		if flow == "" {
			continue
		}
		if v.Images++; flow == s.flow {
			continue
		}
		if v.Changed++; ok {
			if v.Missed++; v.First == "" {
				v.First = s.name
			}
		}
	}
	return v
}

// with makes the machine code of a subject again and returns its transfers, and whether it is
// proven. A subject that panics has no machine code.
func (s *subject) with() (flow string, ok bool) {
	defer func() {
		if r := recover(); r != nil {
			flow, ok = "", false
		}
	}()
	a := *s.a
	a.Translate()
	if a.ImageErr != nil {
		return "", false
	}
	return transfers(a.Rewrite.Program, a.Image), a.Verify().OK()
}

// transfers returns a hash of the control transfers of an image: what each is, what is
// compared before it, what it leads to, and what it pushes and pops for a return.
// Straight code of another length between them is no difference, nor is a nop.
func transfers(p *jit.Program, img *jit.Image) string {
	var b strings.Builder
	at := make([][]int, len(img.Funcs)) // by function: offsets of transfers
	for f, fi := range img.Funcs {
		code := img.Code[fi.Offset : fi.Offset+fi.Len]
		list, err := disasm.All(code)
		if err != nil {
			return "no x86: " + err.Error()
		}
		list = slices.DeleteFunc(list, disasm.Insn.IsNop)
		for _, in := range list {
			if isTransfer(in) {
				at[f] = append(at[f], in.Offset)
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
			b.WriteString(in.Inst.Op.String() + " " + leadsTo(img, fi, in, at[f]) + "\n")
		}
	}
	for t, targets := range p.Tables {
		for i, pc := range targets {
			if pc == jit.Deleted {
				continue
			}
			f := sort.Search(len(p.Funcs), func(f int) bool { return p.Funcs[f].End > pc })
			fmt.Fprintf(&b, "%d %d %d\n", t, f, sort.SearchInts(at[f], int(img.Tables[t][i])))
		}
	}
	sum := sha256.Sum256([]byte(b.String()))
	return hex.EncodeToString(sum[:8])
}

// leadsTo returns what a transfer leads to: a function of the kernel or the program,
// the transfer that comes first at its target, or what its operands say.
func leadsTo(img *jit.Image, fi jit.FuncImage, in disasm.Insn, at []int) string {
	to, direct := in.Target()
	switch r := relocIn(img, fi.Offset+in.Offset, in.Len); {
	case r != nil && direct:
		return r.Target
	case direct && to >= 0 && to <= fi.Len:
		return strconv.Itoa(sort.SearchInts(at, to))
	case direct:
		return "outside"
	}
	return in.Text
}

// relocIn returns the relocation inside n bytes of an image, or nil.
func relocIn(img *jit.Image, off, n int) *jit.Reloc {
	i := sort.Search(len(img.Relocs), func(i int) bool { return img.Relocs[i].Offset >= off })
	if i < len(img.Relocs) && img.Relocs[i].Offset < off+n {
		return &img.Relocs[i]
	}
	return nil
}

// isTransfer reports whether an instruction transfers control, or moves what a return
// takes from the stack. The size of a frame is no part of that: it moves both ways.
func isTransfer(in disasm.Insn) bool {
	switch op := in.Inst.Op; op {
	case x86asm.CALL, x86asm.RET, x86asm.INT, x86asm.PUSH, x86asm.POP, x86asm.LEAVE:
		return true
	default:
		return op != 0 && strings.HasPrefix(op.String(), "J")
	}
}
