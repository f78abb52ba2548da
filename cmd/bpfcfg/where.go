package main

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/arch/x86/x86asm"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/live"
	"github.com/bpfcfg/bpfcfg/internal/tag"
	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/layout"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/x86/disasm"
)

// whereCmd maps a machine offset to source.
type whereCmd struct {
	Input    string `arg:"" help:"An object, record:FILE#NAME, live:ID, or - for standard input."`
	Position string `arg:"" help:"+0xOFF, NAME+0xOFF, bpf_prog_TAG_NAME+0xOFF[/0xLEN], or with a live: input an address 0x…"`
	Format   string `enum:"text,json" default:"text" help:"text or json."`
	analysisFlags
}

// Help returns the examples of --help.
func (whereCmd) Help() string {
	return `Examples:
  bpfcfg where prog.o#handler +0x8a0                         offset in the entry function
  bpfcfg where prog.o --prog handler helper+0x1c             in another function of the program
  bpfcfg where live:17 bpf_prog_6deef7357e7b4530_f+0x8a0/0x900   a line of a stack trace

Offsets count from the function's address, as in /proc/kallsyms. Every line but the first
of a stack trace is a return address, so the call before it is shown too.`
}

// position is a place in machine code, as written by the user or a kernel.
type position struct {
	tag, name string
	off       uint64
	size      uint64 // of the function, 0 when it is not stated
	absolute  bool   // off is an address
}

// The forms of a position: "bpf_prog_<tag>_name+0x8a0/0x900 [bpf]" and shorter.
var (
	positionForm = regexp.MustCompile(`^(?:bpf_prog_([0-9a-f]{16})(?:_([^+\s]*))?|([^+\s]*))\+` +
		`(0x[0-9a-fA-F]+|[0-9]+)(?:/(0x[0-9a-fA-F]+))?(?:\s*\[bpf\])?$`)
	addressForm = regexp.MustCompile(`^0x[0-9a-fA-F]{9,16}$`)
)

// parsePosition reads a position.
func parsePosition(s string) (position, error) {
	s = strings.TrimSpace(s)
	if addressForm.MatchString(s) {
		addr, err := strconv.ParseUint(s, 0, 64)
		return position{off: addr, absolute: true}, err
	}
	m := positionForm.FindStringSubmatch(s)
	if m == nil {
		return position{}, usagef("position %q: want +0xOFF, name+0xOFF, or bpf_prog_TAG_name+0xOFF as in a stack trace", s)
	}
	off, err := strconv.ParseUint(m[4], 0, 32)
	if err != nil {
		return position{}, usagef("position %q: the offset does not fit in 32 bits", s)
	}
	size := uint64(0)
	if m[5] != "" {
		if size, err = strconv.ParseUint(m[5], 0, 32); err != nil {
			return position{}, usagef("position %q: the length does not fit in 32 bits", s)
		}
	}
	return position{tag: m[1], name: m[2] + m[3], off: off, size: size}, nil
}

// Run implements the verb.
func (c *whereCmd) Run(std streams) error {
	pos, err := parsePosition(c.Position)
	if err != nil {
		return err
	}
	s, err := openOne(c.Input, c.Prog, std)
	if err != nil {
		return err
	}
	prof, err := c.profile(std, s)
	if err != nil {
		return err
	}
	a, f, off, err := s.locate(pos, prof)
	if err != nil {
		return err
	}
	doc, err := placeAt(a, f, off)
	if err != nil {
		return inputError(fmt.Errorf("%s: %w", s.name, err))
	}
	if c.Format == "json" {
		return writeJSON(std.out, struct {
			Schema string `json:"schema"`
			Input  string `json:"input"`
			*placeDoc
		}{schema, s.name, doc})
	}
	doc.text(std.out)
	return nil
}

// locate finds the function of a position, and the offset in it from its
// address.
func (s source) locate(pos position, prof jit.Profile) (*pipeline.Analysis, int, int, error) {
	var found *bytecode.Program
	fn := 0
	var names []string
	for _, p := range s.programs {
		i, ok := s.function(p, pos)
		names = append(names, p.Name)
		if !ok {
			continue
		}
		if found != nil {
			return nil, 0, 0, usagef("%s: several programs have this function: choose one with --prog (%s)", s.name,
				listNames(names))
		}
		found, fn = p, i
	}
	if len(s.failed) > 0 && found == nil {
		return nil, 0, 0, failures(io.Discard, s.name, s.failed)
	}
	if found == nil && pos.name == "" && pos.tag != "" {
		return nil, 0, 0, inputError(fmt.Errorf("%s: no program has the tag %s: another build, or another loader; "+
			"use name+0xOFF to look anyway", s.name, pos.tag))
	}
	if found == nil {
		return nil, 0, 0, inputError(fmt.Errorf("%s: no such function: %s", s.name, s.functionNames()))
	}
	a, err := s.analyse(found, prof)
	if err == nil {
		err = a.ImageErr
	}
	if err != nil {
		return nil, 0, 0, inputError(fmt.Errorf("%s: program %s: %w", s.name, found.Name, err))
	}
	if err := pos.sameBuild(s.live[found], a, fn); err != nil {
		return nil, 0, 0, inputError(fmt.Errorf("%s: program %s: %w", s.name, found.Name, err))
	}
	off := int(pos.off)
	if pos.absolute {
		off = int(pos.off - a.Xlated.Program.Addresses.Funcs[fn])
	}
	return a, fn, off, nil
}

// sameBuild reports an error when a line of a stack trace is of other code than the
// program's: by the length of the function, and of the entry function by the tag, where
// it is known.
func (pos position) sameBuild(lp *live.Program, a *pipeline.Analysis, fn int) error {
	if have := tagsOf(lp, a.Program); fn == 0 && pos.tag != "" && len(have) > 0 && !slices.Contains(have, pos.tag) {
		return fmt.Errorf("the trace is of a program with tag %s, this one has %s: another build, or another loader; "+
			"use name+0xOFF to look anyway", pos.tag, strings.Join(have, " or "))
	}
	f := a.Image.Funcs[fn]
	if have := uint64(f.Len - f.Entry); pos.size != 0 && pos.size != have {
		return fmt.Errorf("the trace is of a function of %#x bytes, %s has %#x for %s: another build, kernel or profile; "+
			"omit /%#x to look anyway", pos.size, f.Name, have, a.Profile.Name, pos.size)
	}
	return nil
}

// tagsOf returns what kernels call the program: one name for a running one, one for
// each age of kernels for another, none when that is not known.
func tagsOf(lp *live.Program, p *bytecode.Program) []string {
	if lp != nil && lp.Tag == "" {
		return nil
	}
	if lp != nil {
		return []string{lp.Tag}
	}
	if tags, known := tag.Of(p); known {
		return tags[:]
	}
	return nil
}

// function returns the function of a program that a position is in.
func (s source) function(p *bytecode.Program, pos position) (int, bool) {
	lp := s.live[p]
	if pos.absolute {
		if lp == nil {
			return 0, false
		}
		for i, f := range lp.Capture.Funcs {
			if f.Addr != 0 && pos.off-f.Addr < uint64(f.Len) {
				return i, true
			}
		}
		return 0, false
	}
	if pos.name == "" {
		have := tagsOf(lp, p)
		return 0, pos.tag == "" || len(s.programs) == 1 || len(have) == 0 || slices.Contains(have, pos.tag)
	}
	for i, sub := range p.Subprogs {
		// Without types, names of programs are cut off after 15 bytes.
		if sub.Name == pos.name || len(pos.name) == 15 && strings.HasPrefix(sub.Name, pos.name) {
			return i, true
		}
	}
	return 0, p.Name == pos.name
}

// functionNames lists the functions of the source's programs.
func (s source) functionNames() string {
	var names []string
	for _, p := range s.programs {
		for i := range p.Subprogs {
			names = append(names, funcName(p, i))
		}
	}
	return "the functions are " + listNames(names)
}

// placeDoc is what is at an offset of a function's code.
type placeDoc struct {
	Program    string     `json:"program"`
	Profile    string     `json:"profile"`
	Function   string     `json:"function"`
	Offset     int        `json:"offset"` // from the function's address
	Kind       string     `json:"kind"`   // block, prologue or hidden
	Block      int        `json:"block"`  // -1 outside of blocks
	X86        x86Doc     `json:"x86"`
	Xlated     slotDoc    `json:"xlated"`
	Original   slotDoc    `json:"original"` // slot -1: inserted by the verifier, or not known
	Line       *placeLine `json:"line"`
	ReturnFrom *callDoc   `json:"return_from"` // the call that returns here

	title     string // of the profile
	rewritten bool
}

type x86Doc struct {
	Offset int    `json:"offset"` // where the instruction starts
	Text   string `json:"text"`
}

type slotDoc struct {
	Slot int    `json:"slot"`
	Text string `json:"text"`
}

type placeLine struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Text   string `json:"text"`
}

// callDoc is a call in front of a return address.
type callDoc struct {
	Offset   int        `json:"offset"`
	Block    int        `json:"block"`
	Xlated   slotDoc    `json:"xlated"`
	Original slotDoc    `json:"original"`
	Line     *placeLine `json:"line"`
}

// placeAt returns what is at an offset from the address of function f.
func placeAt(a *pipeline.Analysis, f, off int) (*placeDoc, error) {
	fi := a.Image.Funcs[f]
	if off < 0 || off >= fi.Len-fi.Entry {
		return nil, fmt.Errorf("function %s has %d bytes of code: +%#x is outside", fi.Name, fi.Len-fi.Entry, off)
	}
	l := layout.Of(a.Graph, a.Xlated.Xlated, a.Xlated.Program.Funcs, a.Image)
	at := fi.Entry + off // from the start of the image of the function
	d := &placeDoc{
		Program: a.Program.Name, Profile: a.Profile.Name, title: a.Profile.Title(),
		Function: fi.Name, Offset: off, rewritten: a.Program.Rewritten,
	}
	if f < len(a.Program.Subprogs) && d.Function == "" {
		d.Function = funcName(a.Program, f)
	}
	piece := pieceAt(l, fi.Offset+at)
	d.Kind, d.Block = piece.Kind.String(), int(piece.Block)
	if piece.Block == cfg.NoBlock {
		d.Block = -1
	}
	d.Xlated, d.Original, d.Line = slotsAt(a, f, at)
	code := a.Image.Code[fi.Offset : fi.Offset+fi.Len]
	start, prev, err := x86At(code, at)
	if err != nil {
		return nil, fmt.Errorf("function %s: %w", fi.Name, err)
	}
	in, err := disasm.Decode(code, start)
	if err != nil {
		return nil, fmt.Errorf("function %s: %w", fi.Name, err)
	}
	d.X86 = x86Doc{start - fi.Entry, in.Text}
	if prev >= 0 && start == at {
		if before, err := disasm.Decode(code, prev); err == nil && before.Inst.Op == x86asm.CALL {
			c := &callDoc{Offset: prev - fi.Entry, Block: int(pieceAt(l, fi.Offset+prev).Block)}
			c.Xlated, c.Original, c.Line = slotsAt(a, f, prev)
			d.ReturnFrom = c
		}
	}
	return d, nil
}

// pieceAt returns the piece that holds a byte of the image.
func pieceAt(l *layout.Layout, at int) layout.Piece {
	best := layout.Piece{Block: cfg.NoBlock}
	for _, p := range l.Pieces {
		if p.Offset <= at && at < p.Offset+p.Len {
			best = p
		}
	}
	return best
}

// slotsAt returns the xlated and the original instruction whose code holds the
// byte at an offset in the image of function f, and its source line.
func slotsAt(a *pipeline.Analysis, f, at int) (xlated, original slotDoc, line *placeLine) {
	fn := a.Xlated.Program.Funcs[f]
	insns := a.Xlated.Program.Insns
	slot := bytecode.PC(-1)
	for pc := fn.Start; pc < fn.End && int(a.Image.Offsets[pc]) <= at; pc += insns[pc].Slots() {
		slot = pc
	}
	none := slotDoc{Slot: -1}
	if slot < 0 {
		return none, none, nil
	}
	xlated = slotDoc{int(slot), a.XlatedProgram().Text(slot)}
	orig := a.Xlated.Original[slot]
	if a.Program.Rewritten {
		xlated.Text, orig = a.Program.Text(slot), slot
	}
	original = none
	if orig >= 0 {
		if l, ok := a.Program.LineAt(orig); ok {
			line = &placeLine{l.File, l.Line, l.Col, strings.TrimSpace(l.Text)}
		}
		if !a.Program.Rewritten {
			original = slotDoc{int(orig), a.Program.Text(orig)}
		}
	}
	return xlated, original, line
}

// x86At returns where the x86 instruction starts that holds the byte at an
// offset, and where the one before it does, -1 without one.
func x86At(code []byte, at int) (start, prev int, err error) {
	prev = -1
	for off := 0; off < len(code); {
		in, err := disasm.Decode(code, off)
		if err != nil {
			return 0, -1, err
		}
		if at < off+in.Len {
			return off, prev, nil
		}
		prev, off = off, off+in.Len
	}
	panic("bug: an offset after the code")
}

// text prints the place.
func (d *placeDoc) text(w io.Writer) {
	fmt.Fprintf(w, "program   %s, profile %s\n", visible.Text(d.Program), visible.Text(d.title))
	where := d.Kind
	if d.Block >= 0 {
		where = blockName(d.Block)
	}
	fmt.Fprintf(w, "function  %s+0x%x, %s\n", visible.Text(d.Function), d.Offset, where)
	fmt.Fprintf(w, "x86       +0x%x  %s\n", d.X86.Offset, visible.Text(d.X86.Text))
	d.insns(w, d.Xlated, d.Original, d.Line)
	if c := d.ReturnFrom; c != nil {
		fmt.Fprintf(w, "returns here from the call at +0x%x, %s\n", c.Offset, blockName(c.Block))
		d.insns(w, c.Xlated, c.Original, c.Line)
	}
}

// insns prints the instructions and the line of a place.
func (d *placeDoc) insns(w io.Writer, xlated, original slotDoc, line *placeLine) {
	if xlated.Slot >= 0 {
		fmt.Fprintf(w, "xlated    %d: %s\n", xlated.Slot, visible.Text(xlated.Text))
	}
	switch {
	case original.Slot >= 0:
		fmt.Fprintf(w, "original  %d: %s\n", original.Slot, visible.Text(original.Text))
	case xlated.Slot >= 0 && !d.rewritten:
		fmt.Fprintln(w, "original  none: the verifier inserted it")
	}
	if line != nil {
		fmt.Fprintf(w, "source    %s:%d:%d: %s\n", visible.Text(base(line.File)), line.Line, line.Column,
			visible.Text(line.Text))
	}
}
