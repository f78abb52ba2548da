package main

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/explain"
	"github.com/bpfcfg/bpfcfg/internal/jsonstream"
	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
)

// insnsText prints each instruction with the C lines above.
func insnsText(w io.Writer, v *view) error {
	p := v.program
	title(w, p, "")
	next, line := 0, 0
	for pc := bytecode.PC(0); pc < p.Len(); pc += p.Insns[pc].Slots() {
		if next < len(p.Subprogs) && p.Subprogs[next].Start == pc {
			fmt.Fprintf(w, "%s:\n", funcName(p, next))
			next++
		}
		for ; line < len(p.Lines) && p.Lines[line].PC <= pc; line++ {
			fmt.Fprintf(w, "%s\n", sourceLine(p.Lines[line]))
		}
		fmt.Fprintf(w, "%6d: (%02x) %s%s\n", pc, p.Insns[pc].Code, visible.Text(p.Text(pc)), beside(relocNote(p, pc)))
	}
	return nil
}

// relocNote says what a loader makes of an instruction, empty when nothing.
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

// beside returns a remark as it stands after an instruction.
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
	Reloc string   `json:"relocation,omitempty"` // what the loader makes of it, in words
}

type lineDoc struct {
	File string `json:"file"`
	Line int    `json:"line"`
	Col  int    `json:"col"`
	Text string `json:"text"`
}

func insnsJSON(v *view) (any, error) {
	p := v.program
	out := struct {
		head
		Subprograms  []subprogDoc      `json:"subprograms"`
		Instructions jsonstream.Series `json:"instructions"` // of insnDoc
		Diagnostics  []string          `json:"diagnostics"`
	}{headOf(p), subprogDocs(p), insnDocs(p), append([]string{}, p.Diags...)}
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

// cfgBrief prints a line a block.
func cfgBrief(w io.Writer, v *view) error {
	g := v.a.Graph
	loops := cfg.Loops(g)
	x := explain.New(v.a)
	cfgTitle(w, v)
	told := toldEdges{all: v.all, lists: newSharedLists()}
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for i, b := range g.Blocks {
		if g.Entry(b.Sub) == cfg.BlockID(i) {
			tw.Flush()
			fmt.Fprintf(w, "%s:\n", funcName(v.program, b.Sub))
		}
		fmt.Fprintf(tw, "  b%d\t%d..%d\t%s\t%s\n", i, b.Start, b.End-1, blockMarks(v.a, x, loops, cfg.BlockID(i)),
			told.succList(v.a, cfg.BlockID(i)))
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	if told.left > 0 {
		fmt.Fprintf(w, "%s stand at another block (--all)\n", visible.Count(told.left, "list"))
	}
	for _, d := range diagnostics(v.a) {
		fmt.Fprintf(w, "note: %s\n", visible.Text(d))
	}
	return nil
}

// cfgTitle prints the title of a graph.
func cfgTitle(w io.Writer, v *view) {
	g, asked := v.a.Graph, ""
	if !v.a.Succ.Facts.Asked() {
		asked = ", facts not asked"
	}
	title(w, v.program, fmt.Sprintf(", %s, %s%s", visible.Count(len(g.Blocks), "block"),
		visible.Count(g.NumEdges(), "edge"), asked))
}

// blockMarks says what is special about a block.
func blockMarks(a *pipeline.Analysis, x *explain.Explainer, loops *cfg.LoopForest, b cfg.BlockID) string {
	s := ""
	if !a.Succ.Facts.Reached(a.Graph.Blocks[b].Start) {
		s = "dead"
		if x.Death(b) == explain.Here {
			s = "dead with these values"
		}
	}
	if d := loops.Depth(b); d > 0 {
		if s != "" {
			s += " "
		}
		s += fmt.Sprintf("loop %d", d)
		if loops.IsHeader(b) {
			s += " head"
		}
	}
	return s
}

// succList writes a block's edges: "→ b1, b4 taken". A fan of many edges of one kind
// names the kind once.
func (t *toldEdges) succList(a *pipeline.Analysis, b cfg.BlockID) string {
	edges := a.Graph.Succs(b)
	if len(edges) == 0 {
		return "→ " + ending(a, b)
	}
	var parts []string
	for fan := range fans(edges) {
		text := t.fan(blocksOf(fan), b)
		if kind := fan[0].Kind; kind != cfg.FallThrough {
			text += " " + kind.String()
		}
		parts = append(parts, text)
	}
	s := "→ " + strings.Join(parts, ", ")
	if dead := deadEdges(a, b); len(dead) > 0 {
		s += "  (never " + t.fan(dead, b) + ")"
	}
	return s
}

// ending says how a block without edges ends.
func ending(a *pipeline.Analysis, b cfg.BlockID) string {
	last := a.Graph.Blocks[b].Last
	switch a.Program.Flow(last).Kind {
	case bytecode.FlowExit:
		return "exit"
	case bytecode.FlowIndirect:
		return "unknown"
	case bytecode.FlowHelper:
		return "does not return"
	default:
		return "nowhere"
	}
}

// deadEdges names the targets of edges that facts prove never taken.
func deadEdges(a *pipeline.Analysis, b cfg.BlockID) []cfg.BlockID {
	if !a.Succ.Facts.Reached(a.Graph.Blocks[b].Start) {
		return nil
	}
	var out []cfg.BlockID
	lo, hi := a.Graph.SuccIDs(b)
	for i := lo; i < hi; i++ {
		if !a.Succ.Facts.EdgeFeasible(i) {
			out = append(out, a.Graph.Edges()[i].To)
		}
	}
	return out
}

// cfgJSON is succJSON without the answers on indirect jumps, with loops.
func cfgJSON(v *view) (any, error) {
	loops := cfg.Loops(v.a.Graph)
	type loopDoc struct {
		Header      int   `json:"header"`
		Depth       int   `json:"depth"`
		Irreducible bool  `json:"irreducible"`
		Blocks      []int `json:"blocks"`
	}
	out := struct {
		head
		Subprograms []subprogDoc      `json:"subprograms"`
		Blocks      jsonstream.Series `json:"blocks"` // of blockDoc
		Loops       []loopDoc         `json:"loops"`
		Diagnostics []string          `json:"diagnostics"`
		Facts       string            `json:"facts,omitempty"`
	}{headOf(v.program), subprogDocs(v.program), series(len(v.a.Graph.Blocks), blockDocs(v.a, v.all)),
		[]loopDoc{}, diagnostics(v.a), ""}
	if !v.a.Succ.Facts.Asked() {
		out.Facts = "not asked"
	}
	for i, l := range loops.All {
		d := loopDoc{Header: int(l.Header), Depth: l.Depth, Irreducible: l.Irreducible, Blocks: ints(loops.Blocks(i))}
		out.Loops = append(out.Loops, d)
	}
	return out, nil
}

// factsText prints what holds at the start of each block.
func factsText(w io.Writer, v *view) error {
	title(w, v.program, "")
	x := explain.New(v.a)
	for i, b := range v.a.Graph.Blocks {
		if v.a.Graph.Entry(b.Sub) == cfg.BlockID(i) {
			fmt.Fprintf(w, "%s:\n", funcName(v.program, b.Sub))
		}
		if !v.a.Succ.Facts.Reached(b.Start) {
			when := ""
			if x.Death(cfg.BlockID(i)) == explain.Here {
				when = " " + string(explain.Here)
			}
			fmt.Fprintf(w, "  b%d  insn %d  never executes%s\n", i, b.Start, when)
			continue
		}
		fmt.Fprintf(w, "  b%d  insn %d\n", i, b.Start)
		for _, t := range v.a.Succ.Facts.EntryText(cfg.BlockID(i)) {
			if _, err := fmt.Fprintf(w, "      %s\n", visible.Text(t)); err != nil {
				return err // nobody reads the rest, which may be long
			}
		}
	}
	return nil
}

func factsJSON(v *view) (any, error) {
	type blockFacts struct {
		ID        int      `json:"id"`
		Start     int      `json:"start"`
		Reachable bool     `json:"reachable"`
		States    []string `json:"states"`
	}
	out := struct {
		head
		Blocks jsonstream.Series `json:"blocks"` // of blockFacts
	}{headOf(v.program), series(len(v.a.Graph.Blocks), func(i int) any {
		start, f := v.a.Graph.Blocks[i].Start, v.a.Succ.Facts
		return &blockFacts{i, int(start), f.Reached(start), append([]string{}, f.EntryText(cfg.BlockID(i))...)}
	})}
	return out, nil
}
