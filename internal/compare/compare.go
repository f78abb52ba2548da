package compare

import (
	"bytes"
	"fmt"
	"slices"
	"sort"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
)

// Observed is a kernel's result for the program of an Analysis.
type Observed struct {
	Xlated []bytecode.Insn // as dumped
	Code   []byte          // machine code of all functions that it shows
	// Tables holds the instruction arrays in the order of Program.Tables; nil
	// where one was not read.
	Tables [][]Entry
}

// Entry is an element of an instruction array, in the kernel's words: Xlated is
// 0xffffffff for a removed instruction.
type Entry struct{ Xlated, Jitted uint32 }

// Outcome is the result of comparing one thing.
type Outcome struct {
	What   string // "rewriting", "code" or "tables"
	Same   bool
	Known  bool   // false: there is nothing to compare, Detail says why
	Detail string // both sides of the first difference, or what was compared
}

// Predicted compares predictions from the source of a program with a kernel's results: the
// rewritten program as the kernel dumps it, the machine code outside relocation sites, and the
// instruction arrays. A prediction that the Analysis marks as incomplete is not compared.
func Predicted(a *pipeline.Analysis, o *Observed) []Outcome {
	if a.RewriteErr != nil {
		return []Outcome{{What: "rewriting", Detail: a.RewriteErr.Error()}}
	}
	if n := len(a.Rewrite.Unpredicted); n > 0 {
		first := a.Rewrite.Unpredicted[0]
		return []Outcome{{What: "rewriting", Detail: fmt.Sprintf(
			"%d of its instructions depend on what only the kernel knows, the first at slot %d: %s",
			n, first, bytecode.Text(a.Rewrite.Program.Insns, first))}}
	}
	out := []Outcome{compareXlated(a, o)}
	if a.ImageErr != nil {
		return append(out, Outcome{What: "code", Detail: a.ImageErr.Error()})
	}
	return append(out, compareCode(a, o), compareTables(a, o))
}

// compareXlated compares the rewritten program.
func compareXlated(a *pipeline.Analysis, o *Observed) Outcome {
	out := Outcome{What: "rewriting", Known: true}
	d := a.Rewrite.Dump(a.Profile)
	for i, in := range d.Insns { // without a JIT, a call has the address of an interpreter
		d.Masked[i] = d.Masked[i] || len(o.Code) == 0 && in.IsSubprogramCall()
	}
	at, err := d.Differs(o.Xlated)
	switch {
	case err != nil:
		out.Detail = fmt.Sprintf("predicted %d slots, the kernel has %d%s", len(d.Insns), len(o.Xlated),
			firstOther(d, o.Xlated))
	case len(at) > 0:
		out.Detail = fmt.Sprintf("slot %d: predicted %s, the kernel has %s; different: %s", at[0],
			bytecode.Text(d.Insns, at[0]), bytecode.Text(o.Xlated, at[0]), visible.Count(len(at), "slot"))
	default:
		out.Same = true
		out.Detail = visible.Count(len(o.Xlated), "slot")
	}
	return out
}

// firstOther describes the first difference of two programs of different length.
func firstOther(d rewrite.Dumped, real []bytecode.Insn) string {
	for i := range min(len(d.Insns), len(real)) {
		x, y := d.Insns[i], real[i]
		if d.Masked[i] {
			x.Imm, y.Imm = 0, 0
		}
		// Distances of jumps differ as soon as lengths do.
		if x.Code != y.Code || x.Dst != y.Dst || x.Src != y.Src {
			pc := bytecode.PC(i)
			return fmt.Sprintf("; slot %d: predicted %s, the kernel has %s", i, bytecode.Text(d.Insns, pc),
				bytecode.Text(real, pc))
		}
	}
	return ""
}

// compareCode compares machine code outside relocation sites.
func compareCode(a *pipeline.Analysis, o *Observed) Outcome {
	out := Outcome{What: "code"}
	if len(o.Code) == 0 {
		out.Detail = "the kernel shows no machine code"
		return out
	}
	out.Known = true
	n := shown(a)
	a = withTargets(a, o.Code)
	ours, theirs := masked(a.Image, o.Code)
	if bytes.Equal(ours[:n], theirs) {
		sites := 0
		for _, r := range a.Image.Relocs {
			sites += r.Size
		}
		out.Same = true
		out.Detail = fmt.Sprintf("%d bytes, %d of them addresses that are not compared", n, sites)
		return out
	}
	if out.Detail = Parting(a.Rewrite.Program, a.Image, o.Code); out.Detail == "" {
		at := 0
		for at < min(n, len(theirs)) && ours[at] == theirs[at] {
			at++
		}
		out.Detail = fmt.Sprintf("%s: byte +%#x: predicted % x, the kernel has % x", placeOf(a.Rewrite.Program, a.Image,
			at), at,
			ours[at:min(at+8, n)], theirs[at:min(at+8, len(theirs))])
	}
	if n != len(theirs) {
		out.Detail += fmt.Sprintf("; predicted %d bytes, the kernel has %d", n, len(theirs))
	}
	return out
}

// withTargets returns the analysis with direct tail calls as in the kernel's code: with a program
// in that element of the array, or without. That depends on the array.
func withTargets(a *pipeline.Analysis, code []byte) *pipeline.Analysis {
	p := *a.Rewrite.Program
	p.TailCalls = slices.Clone(p.TailCalls)
	changed := false
	for i := range p.TailCalls {
		t := &p.TailCalls[i]
		f := sort.Search(len(p.Funcs), func(f int) bool { return p.Funcs[f].End > t.PC })
		end := a.Image.Funcs[f].Offset + a.Image.Funcs[f].Len
		if next := t.PC + 1; next < p.Funcs[f].End {
			end = a.Image.Funcs[f].Offset + int(a.Image.Offsets[next])
		}
		const jump, size = 0xe9, 5
		if filled := end <= len(code) && end >= size && code[end-size] == jump; filled != t.Filled {
			t.Filled, changed = filled, true
		}
	}
	if !changed {
		return a
	}
	img, err := jit.Compile(&p, a.Profile)
	if err != nil {
		return a
	}
	b, x := *a, *a.Rewrite
	x.Program, b.Rewrite, b.Image = &p, &x, img
	return &b
}

// shown returns the length of the predicted code that kernels show: functions that the verifier
// appends are left out.
func shown(a *pipeline.Analysis) int {
	n := 0
	for i, f := range a.Image.Funcs {
		if !a.Rewrite.Program.Funcs[i].Hidden {
			n = f.Offset + f.Len
		}
	}
	return n
}

// compareTables compares the instruction arrays.
func compareTables(a *pipeline.Analysis, o *Observed) Outcome {
	out := Outcome{What: "tables", Known: true, Same: true}
	entries := 0
	for i, t := range o.Tables {
		if t == nil {
			continue
		}
		ours, jitted := a.Rewrite.Program.Tables[i], a.Image.Tables[i]
		if len(ours) != len(t) {
			return Outcome{What: "tables", Known: true,
				Detail: fmt.Sprintf("table %d: %d entries, the kernel has %d", i, len(ours), len(t))}
		}
		for j, e := range t {
			entries++
			if uint32(ours[j]) != e.Xlated || uint32(jitted[j]) != e.Jitted {
				return Outcome{What: "tables", Known: true, Detail: fmt.Sprintf(
					"table %s, entry %d: predicted %s, the kernel has %s", a.Program.Tables[i].Name, j,
					entryText(uint32(ours[j]), uint32(jitted[j])), entryText(e.Xlated, e.Jitted))}
			}
		}
	}
	out.Detail = visible.Count(entries, "entry")
	out.Known = entries > 0
	if !out.Known {
		out.Same, out.Detail = false, "the program has no jump tables"
	}
	return out
}

// entryText describes a table entry.
func entryText(xlated, jitted uint32) string {
	if int32(xlated) == int32(jit.Deleted) {
		return "deleted"
	}
	return fmt.Sprintf("slot %d at +%#x", xlated, jitted)
}

// WithKept repeats the analysis with the kernel's own result about dead code: kept reports for each
// source slot whether the kernel has kept it. It also returns the slots about which the kernel's
// verifier and the analysis disagree. The analysis decides by the rules of the profile's kernel
// where package rules has them, else by those of Linux 7.3; older verifiers know less of some
// operations, and keep code that newer ones remove.
func WithKept(a *pipeline.Analysis, kept []bool, opt rewrite.Options) (*pipeline.Analysis, []bytecode.PC, error) {
	if a.RewriteErr != nil || len(kept) != len(a.Program.Insns) {
		return a, nil, a.RewriteErr
	}
	facts := pipeline.Facts(a.Program, a.Succ)
	var other []bytecode.PC
	for pc := bytecode.PC(0); pc < a.Program.Len(); pc += a.Program.Insns[pc].Slots() {
		// A no-op that was seen and removed has left no trace.
		seen := cfg.TruthOf(kept[pc])
		if a.Rewrite.Xlated[pc] == jit.Deleted {
			seen = seen.Or(facts.Seen[pc])
		}
		if seen != facts.Seen[pc] {
			facts.Seen[pc] = seen
			other = append(other, pc)
		}
	}
	if len(other) == 0 {
		return a, nil, nil
	}
	b := *a
	if b.Rewrite, b.RewriteErr = rewrite.Predict(a.Program, facts, a.Profile, opt); b.RewriteErr != nil {
		b.ImageErr = b.RewriteErr
		return &b, other, nil
	}
	b.Image, b.ImageErr = jit.Compile(b.Rewrite.Program, a.Profile)
	return &b, other, nil
}
