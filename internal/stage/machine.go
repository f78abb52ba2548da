package stage

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/jsonstream"
	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/x86/disasm"
)

// xlatedText prints the rewritten program with both indices.
func xlatedText(w io.Writer, v *View) error {
	if v.Analysis.RewriteErr != nil {
		return v.Analysis.RewriteErr
	}
	x := v.Analysis.Rewrite
	Title(w, v.Program, fmt.Sprintf(", %d xlated, profile %s", len(x.Program.Insns), v.Analysis.Profile.Title()))
	marks, named := unpredicted(v.Analysis), v.Analysis.XlatedProgram()
	fmt.Fprintf(w, "  %6s  %8s\n", "xlated", "original")
	for pc := bytecode.PC(0); int(pc) < len(x.Program.Insns); pc += x.Program.Insns[pc].Slots() {
		orig, mark := "+", ""
		if o := x.Original[pc]; o >= 0 {
			orig, mark = fmt.Sprint(int(o)), relocNote(v.Program, o)
		}
		switch {
		case marks[pc] && mark != "":
			mark = "unpredicted, depends on " + mark
		case marks[pc]:
			mark = "unpredicted"
		}
		fmt.Fprintf(w, "  %6d  %8s  (%02x) %s%s\n", pc, orig, x.Program.Insns[pc].Code,
			visible.Text(named.Text(pc)), beside(mark))
	}
	return nil
}

// unpredicted returns the xlated slots whose code depends on information that only the kernel has.
func unpredicted(a *pipeline.Analysis) map[bytecode.PC]bool {
	m := make(map[bytecode.PC]bool, len(a.Rewrite.Unpredicted))
	for _, pc := range a.Rewrite.Unpredicted {
		m[pc] = true
	}
	return m
}

func xlatedJSON(v *View) (any, error) {
	if v.Analysis.RewriteErr != nil {
		return nil, v.Analysis.RewriteErr
	}
	x := v.Analysis.Rewrite
	out := struct {
		Head
		Profile     string            `json:"profile"`
		Xlated      jsonstream.Series `json:"xlated"`
		Original    []int             `json:"original"`
		Unpredicted []int             `json:"unpredicted"`
	}{HeadOf(v.Program), v.Analysis.Profile.Name, series(len(x.Program.Insns), func(i int) any {
		return hex.EncodeToString(bytecode.Encode(x.Program.Insns[i:i+1], binary.LittleEndian))
	}), Ints(x.Original), Ints(x.Unpredicted)}
	return out, nil
}

// jitText prints BPF and x86 side by side.
func jitText(w io.Writer, v *View) error {
	if v.Analysis.ImageErr != nil {
		return v.Analysis.ImageErr
	}
	a := v.Analysis
	Title(w, v.Program, fmt.Sprintf(", %d xlated, %d bytes, profile %s", len(a.Rewrite.Program.Insns), len(a.Image.Code),
		a.Profile.Title()))
	named := a.XlatedProgram()
	for f, fi := range a.Image.Funcs {
		fmt.Fprintf(w, "%s: +0x%x, %d bytes\n", visible.Text(fi.Name), fi.Offset, fi.Len)
		fn := a.Rewrite.Program.Funcs[f]
		writeX86(w, a.Image, fi, fi.Offset, fi.Offset+fi.Prologue)
		for pc := fn.Start; pc < fn.End; pc += a.Rewrite.Program.Insns[pc].Slots() {
			writeInsn(w, a, named, fi, fn, pc)
		}
	}
	return nil
}

// writeInsn prints one xlated instruction and its code.
func writeInsn(w io.Writer, a *pipeline.Analysis, named *bytecode.Program, fi jit.FuncImage, fn jit.Func,
	pc bytecode.PC) {
	if o := a.Rewrite.Original[pc]; o >= 0 {
		if l, ok := a.Program.LineAt(o); ok && l.PC == o {
			fmt.Fprintf(w, "%s\n", sourceLine(l))
		}
	}
	fmt.Fprintf(w, "%6d: (%02x) %s\n", pc, a.Rewrite.Program.Insns[pc].Code,
		visible.Text(named.Text(pc)))
	end := fi.Offset + fi.Len
	if next := pc + a.Rewrite.Program.Insns[pc].Slots(); next < fn.End {
		end = fi.Offset + int(a.Image.Offsets[next])
	}
	writeX86(w, a.Image, fi, fi.Offset+int(a.Image.Offsets[pc]), end)
}

// writeX86 prints the machine code between two offsets in the image. Offsets
// are printed relative to the function, as a kernel's symbols are.
func writeX86(w io.Writer, img *jit.Image, fi jit.FuncImage, from, to int) {
	code := img.Code[fi.Offset : fi.Offset+fi.Len]
	for off := from - fi.Offset; off < to-fi.Offset; {
		in, err := disasm.Decode(code, off)
		if err != nil || off+in.Len > to-fi.Offset {
			fmt.Fprintf(w, "          +0x%04x  %-30s  not decoded\n", off, hex.EncodeToString(code[off:to-fi.Offset]))
			return
		}
		text := in.Text
		if r := relocAt(img, fi.Offset+off, in.Len); r != nil {
			text += "  # " + visible.Text(r.Target)
		}
		fmt.Fprintf(w, "          +0x%04x  %-30s  %s\n", off, hex.EncodeToString(code[off:off+in.Len]), text)
		off += in.Len
	}
}

// relocAt returns the relocation inside n bytes at off, or nil.
func relocAt(img *jit.Image, off, n int) *jit.Reloc {
	lo, hi := 0, len(img.Relocs)
	for lo < hi {
		if mid := (lo + hi) / 2; img.Relocs[mid].Offset < off {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo < len(img.Relocs) && img.Relocs[lo].Offset < off+n {
		return &img.Relocs[lo]
	}
	return nil
}

func jitJSON(v *View) (any, error) {
	if v.Analysis.ImageErr != nil {
		return nil, v.Analysis.ImageErr
	}
	type funcDoc struct {
		Name   string `json:"name"`
		Offset int    `json:"offset"`
		Len    int    `json:"len"`
	}
	type relocDoc struct {
		Offset int    `json:"offset"`
		Size   int    `json:"size"`
		Kind   string `json:"kind"`
		Target string `json:"target"`
	}
	img := v.Analysis.Image
	out := struct {
		Head
		Profile     string     `json:"profile"`
		Functions   []funcDoc  `json:"functions"`
		Code        string     `json:"code"`
		Offsets     []int      `json:"offsets"`
		Relocations []relocDoc `json:"relocations"`
		Unpredicted []int      `json:"unpredicted"`
	}{HeadOf(v.Program), v.Analysis.Profile.Name, []funcDoc{}, hex.EncodeToString(img.Code), Ints(img.Offsets),
		[]relocDoc{}, Ints(v.Analysis.Rewrite.Unpredicted)}
	for _, f := range img.Funcs {
		out.Functions = append(out.Functions, funcDoc{f.Name, f.Offset, f.Len})
	}
	for _, r := range img.Relocs {
		out.Relocations = append(out.Relocations, relocDoc{r.Offset, r.Size, string(r.Kind), r.Target})
	}
	return out, nil
}
