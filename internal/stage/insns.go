package stage

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/jsonstream"
	"github.com/bpfcfg/bpfcfg/internal/visible"
)

// insnsText prints each instruction with the C lines above.
func insnsText(w io.Writer, v *View) error {
	p := v.Program
	Title(w, p, "")
	next, line := 0, 0
	for pc := bytecode.PC(0); pc < p.Len(); pc += p.Insns[pc].Slots() {
		if next < len(p.Subprogs) && p.Subprogs[next].Start == pc {
			fmt.Fprintf(w, "%s:\n", FuncName(p, next))
			next++
		}
		for ; line < len(p.Lines) && p.Lines[line].PC <= pc; line++ {
			fmt.Fprintf(w, "%s\n", sourceLine(p.Lines[line]))
		}
		fmt.Fprintf(w, "%6d: (%02x) %s%s\n", pc, p.Insns[pc].Code, visible.Text(p.Text(pc)), beside(relocNote(p, pc)))
	}
	return nil
}

// relocNote describes what a loader changes in an instruction, empty for nothing.
func relocNote(p *bytecode.Program, pc bytecode.PC) string {
	r, ok := p.RelocAt(pc)
	switch {
	case !ok:
		return ""
	case r.State == bytecode.RelocPending:
		return r.Note()
	}
	return r.Note() + ", was " + bytecode.Text([]bytecode.Insn{r.Was, {}}, 0)
}

// beside returns a remark in the form that follows an instruction.
func beside(note string) string {
	if note == "" {
		return ""
	}
	return "  ; " + note
}

// insnDoc is an instruction in the JSON of show --stage insns.
type insnDoc struct {
	PC    int      `json:"pc"`
	Bytes string   `json:"bytes"` // little-endian, both slots of a 64-bit immediate load
	Text  string   `json:"text"`
	Line  *lineDoc `json:"line,omitempty"`
	Reloc string   `json:"relocation,omitempty"` // what the loader changes, in words
}

type lineDoc struct {
	File string `json:"file"`
	Line int    `json:"line"`
	Col  int    `json:"col"`
	Text string `json:"text"`
}

func insnsJSON(v *View) (any, error) {
	p := v.Program
	out := struct {
		Head
		Subprograms  []Subprogram      `json:"subprograms"`
		Instructions jsonstream.Series `json:"instructions"` // of insnDoc
		Diagnostics  []string          `json:"diagnostics"`
	}{HeadOf(p), Subprograms(p), insnDocs(p), append([]string{}, p.Diags...)}
	return out, nil
}

// insnDocs returns the JSON of each instruction.
func insnDocs(p *bytecode.Program) jsonstream.Series {
	return func(yield func(any) bool) {
		for pc := bytecode.PC(0); pc < p.Len(); pc += p.Insns[pc].Slots() {
			end := min(pc+p.Insns[pc].Slots(), p.Len())
			d := insnDoc{PC: int(pc), Bytes: hex.EncodeToString(bytecode.Encode(p.Insns[pc:end], binary.LittleEndian)),
				Text: p.Text(pc), Reloc: relocNote(p, pc)}
			if l, ok := p.LineAt(pc); ok {
				d.Line = &lineDoc{l.File, l.Line, l.Col, l.Text}
			}
			if !yield(&d) {
				return
			}
		}
	}
}
