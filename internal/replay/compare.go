package replay

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/x86/disasm"
)

// Diff is the first place where our code is not the kernel's.
type Diff struct {
	Func   int         // function
	Slot   bytecode.PC // xlated slot, -1 in a prologue
	Text   string      // the instruction, or "prologue"
	Offset int         // of the first byte that differs, from the start of the function
	Ours   []byte      // our code of the instruction
	Kernel []byte      // the kernel's, from the same offset on
}

// String explains the difference in one line, with the x86 instructions on
// both sides.
func (d *Diff) String() string {
	what := d.Text
	if d.Slot >= 0 {
		what = fmt.Sprintf("slot %d (%s)", d.Slot, d.Text)
	}
	return fmt.Sprintf("function %d, %s, byte +%#x: %x (%s), the kernel has %x (%s)",
		d.Func, what, d.Offset, d.Ours, x86Text(d.Ours), d.Kernel, x86Text(d.Kernel))
}

// x86Text disassembles a few instructions.
func x86Text(code []byte) string {
	var b []byte
	for off := 0; off < len(code); {
		in, err := disasm.Decode(code, off)
		if err != nil {
			return string(append(b, "…"...))
		}
		if off > 0 {
			b = append(b, "; "...)
		}
		b = append(b, in.Text...)
		off += in.Len
	}
	return string(b)
}

// compare compiles the sample and fills in the result.
func (s *sample) compare(res *Result, prof jit.Profile, file *learned) {
	res.Match, res.Bytes, res.Funcs = Differs, len(s.code), len(s.funcs)
	img, r, err := compile(s, prof, file)
	res.Recovered = r.notes
	if err != nil {
		res.Reason = err.Error()
		return
	}
	res.Code, res.Offsets = recorded(img, r.prog), img.Offsets
	res.Program, res.Image, res.Machine = r.prog, img, prof
	res.Insns = len(s.dump)
	if res.Diff = s.firstDiff(img, r.prog); res.Diff != nil {
		res.Reason = res.Diff.String()
		return
	}
	if res.Reason = s.checkPlaces(img, r.prog); res.Reason != "" {
		return
	}
	res.Match = Same
	file.adopt(r.own)
}

// recorded returns the code of an image without functions that kernels do not
// show.
func recorded(img *jit.Image, p *jit.Program) []byte {
	if n := len(p.Funcs); p.Funcs[n-1].Hidden {
		return img.Code[:img.Funcs[n-1].Offset]
	}
	return img.Code
}

// firstDiff compares the code of each function with the recorded one.
func (s *sample) firstDiff(img *jit.Image, p *jit.Program) *Diff {
	for i, f := range s.funcs {
		fi := img.Funcs[i]
		ours := img.Code[fi.Offset+fi.Entry:][:fi.Len-fi.Entry]
		theirs := s.code[f.off:][:f.len]
		if bytes.Equal(ours, theirs) {
			continue
		}
		at := 0
		for at < len(ours) && at < len(theirs) && ours[at] == theirs[at] {
			at++
		}
		return diffAt(img, p, i, at, ours, theirs)
	}
	return nil
}

// diffAt finds the instruction that the byte at offset at of function i
// belongs to.
func diffAt(img *jit.Image, p *jit.Program, i, at int, ours, theirs []byte) *Diff {
	f, fi := p.Funcs[i], img.Funcs[i]
	d := &Diff{Func: i, Slot: -1, Text: "prologue", Offset: at}
	begin, end := 0, fi.Prologue
	if at >= fi.Prologue-fi.Entry {
		end = fi.Len
		for pc := f.Start; pc < f.End; pc += p.Insns[pc].Slots() {
			off := int(img.Offsets[pc])
			if off-fi.Entry > at {
				end = off
				break
			}
			begin, d.Slot = off, pc
		}
		d.Text = bytecode.Text(p.Insns, d.Slot)
	}
	begin, end = max(begin-fi.Entry, 0), end-fi.Entry
	d.Ours = slices.Clone(ours[begin:min(end, len(ours))])
	if begin < len(theirs) {
		d.Kernel = slices.Clone(theirs[begin:min(end+8, len(theirs))])
	}
	return d
}

// checkPlaces compares where instructions begin with line records, and jump tables with what the
// kernel filled in. It returns the first difference, or nothing.
func (s *sample) checkPlaces(img *jit.Image, p *jit.Program) string {
	for _, l := range s.lines {
		f := p.Funcs[l.fn]
		if l.slot <= f.Start || l.slot >= f.End {
			continue // a function's first record is that of its prologue
		}
		if got := int(img.Offsets[l.slot]) - img.Funcs[l.fn].Entry; got != l.off {
			return fmt.Sprintf("slot %d begins at +%#x, the kernel's line record says +%#x", l.slot, got, l.off)
		}
	}
	for i, t := range s.tables {
		for j, c := range t.cells {
			if got := img.Tables[i][j]; got != c.off {
				return fmt.Sprintf("table %q, element %d: +%#x, the kernel has +%#x", t.name, j, got, c.off)
			}
		}
	}
	return ""
}
