// Package picture turns an analysis into a scene that package render draws.
//
//	a, err := pipeline.Run(p, profile, rewrite.Options{})
//	scene := picture.Scene(a, "prog.o")
//	l, err := render.Place(scene, render.PlaceOptions{})
//	svg := render.SVG(scene, l)
//
// It chooses words and marks; it does not analyse, and decides neither the places of things nor
// their looks.
package picture

import (
	"bytes"
	"cmp"
	"fmt"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/explain"
	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/layout"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/render"
	"github.com/bpfcfg/bpfcfg/succ"
)

// Scene returns the scene of an analysed program. input names where it came
// from.
func Scene(a *pipeline.Analysis, input string) *render.Scene {
	s := &render.Scene{Title: a.Program.Name, Subtitle: subtitle(a, input)}
	loops := cfg.Loops(a.Graph)
	s.Funcs = funcs(a)
	s.Blocks = blocks(a, loops)
	s.Edges = edges(a, loops)
	if a.Image != nil {
		s.Profile = a.Profile.Title()
		s.Image = image(a, s.Edges)
	} else {
		s.Notes = append(s.Notes, noCode(a))
	}
	s.Groups = groups(a, s.Edges)
	s.Tables = tables(a)
	if a.Succ.Facts.Analyzed() {
		doubts(s, a)
	}
	s.Notes = append(s.Notes, notes(a)...)
	return s
}

// noCode says why there is no machine code.
func noCode(a *pipeline.Analysis) string {
	if !a.Succ.Facts.Analyzed() {
		return "facts not asked: what never executes is not marked"
	}
	return "no machine code: " + a.ImageErr.Error()
}

// groups returns the groups of blocks that are clearer as one box.
func groups(a *pipeline.Analysis, edges []render.Edge) []render.Group {
	out := compareGroups(a, edges)
	taken := map[int]bool{}
	for _, g := range out {
		for _, b := range g.Blocks {
			taken[b] = true
		}
	}
	return append(out, roundGroups(a, taken)...)
}

// doubts says why the program is refused, and why the picture is not proven.
func doubts(s *render.Scene, a *pipeline.Analysis) {
	if v := a.Verdict(); !v.Accept {
		s.Refused = "by " + a.Rules.Name + ": " + v.Message
		if v.PC >= 0 {
			s.Refused += fmt.Sprintf(" (insn %d)", v.PC)
		}
	}
	count := func(n int, one, more string) {
		switch {
		case n == 1:
			s.Unsure = append(s.Unsure, "1 "+one)
		case n > 1:
			s.Unsure = append(s.Unsure, fmt.Sprintf("%d %s", n, more))
		}
	}
	unknown, wide := 0, 0
	for _, in := range a.Succ.Indirect {
		switch in.Status {
		case succ.Unresolved:
			unknown++
		case succ.OverApproximate:
			wide++
		}
	}
	count(unknown, "jump with unknown targets", "jumps with unknown targets")
	count(wide, "jump with targets that are merely possible", "jumps with targets that are merely possible")
	if a.Rewrite != nil {
		count(len(a.Rewrite.Unpredicted), "instruction not predicted", "instructions not predicted")
	}
}

// subtitle describes the origin and the size of the program in a line.
func subtitle(a *pipeline.Analysis, input string) string {
	parts := []string{input}
	if a.Program.Section != "" {
		parts = append(parts, "section "+a.Program.Section)
	}
	parts = append(parts, visible.Count(len(a.Program.Insns), "insn"), visible.Count(len(a.Graph.Blocks), "block"))
	if a.Image != nil {
		parts = append(parts, fmt.Sprintf("%d bytes of x86-64", len(a.Image.Code)))
	}
	return strings.Join(parts, " · ")
}

// notes returns remarks below the picture.
func notes(a *pipeline.Analysis) []string {
	var out []string
	out = append(out, a.Program.Diags...)
	for _, p := range a.Graph.Problems {
		out = append(out, fmt.Sprintf("insn %d: %s", int(p.PC), p.Text))
	}
	if a.Rewrite != nil && len(a.Rewrite.Unpredicted) > 0 {
		out = append(out, rewrittenByBuild(len(a.Rewrite.Unpredicted)))
	}
	return out
}

// rewrittenByBuild is the remark on instructions whose rewriting depends on the
// kernel's build.
func rewrittenByBuild(n int) string {
	if n == 1 {
		return "the kernel rewrites 1 instruction in a way that depends on its build; " +
			"it is marked, and sizes after it may differ"
	}
	return fmt.Sprintf("the kernel rewrites %d instructions in ways that depend on its build; "+
		"they are marked, and sizes after them may differ", n)
}

// funcs returns the subprograms.
func funcs(a *pipeline.Analysis) []render.Func {
	out := make([]render.Func, len(a.Program.Subprogs))
	for i, sub := range a.Program.Subprogs {
		f := render.Func{Name: sub.Label(), Entry: int(a.Graph.Entry(i))}
		switch {
		case !a.Succ.Facts.Reached(sub.Start):
			f.Note = "never called"
		case i > 0 && sub.Global:
			f.Note = "global"
		}
		out[i] = f
	}
	return out
}

// blocks returns the blocks with their lines.
func blocks(a *pipeline.Analysis, loops *cfg.LoopForest) []render.Block {
	status := map[bytecode.PC]*succ.Indirect{}
	for i := range a.Succ.Indirect {
		status[a.Succ.Indirect[i].PC] = &a.Succ.Indirect[i]
	}
	marks := marks(a)
	dead := deadReasons{x: explain.New(a)}
	out := make([]render.Block, len(a.Graph.Blocks))
	for i, b := range a.Graph.Blocks {
		id := cfg.BlockID(i)
		blk := render.Block{
			Func: b.Sub, Name: id.String(), Reachable: a.Succ.Facts.Reached(b.Start),
			LoopDepth: loops.Depth(id), LoopHeader: loops.IsHeader(id),
			Entry: a.Graph.Entry(b.Sub) == id,
			Exit:  a.Program.Flow(b.Last).Kind == bytecode.FlowExit,
			Lines: lines(a, b, marks),
		}
		for _, e := range a.Graph.PredIDs(id) {
			blk.Landing = blk.Landing || a.Graph.Edges()[e].Kind == cfg.Unwind
		}
		if in := status[b.Last]; in != nil {
			blk.Status, blk.Reason = string(in.Status), in.Reason
		}
		if blk.Reachable && a.Succ.Facts.Analyzed() && a.Succ.Facts.ReachBlock(id) == cfg.Maybe {
			blk.Maybe = true
			blk.Reason = cmp.Or(blk.Reason, "the kernel may find this unreachable and remove it")
		}
		if !blk.Reachable {
			blk.Reason = dead.of(a, id)
			blk.Configured = dead.x.Death(id) == explain.Here
		}
		out[i] = blk
	}
	return out
}

// marks returns a short note for slots whose rewriting is special.
func marks(a *pipeline.Analysis) map[bytecode.PC]string {
	m := map[bytecode.PC]string{}
	for _, r := range a.Program.Relocs {
		m[r.PC] = r.Note()
	}
	if a.Rewrite == nil {
		return m
	}
	for _, x := range a.Rewrite.Unpredicted {
		if o := a.Rewrite.Original[x]; o >= 0 && m[o] == "" {
			m[o] = "unpredicted"
		}
	}
	return m
}

// lines returns the instructions of a block.
func lines(a *pipeline.Analysis, b cfg.Block, marks map[bytecode.PC]string) []render.Line {
	p := a.Program
	out := make([]render.Line, 0, b.End-b.Start)
	for pc := b.Start; pc < b.End; pc += p.Insns[pc].Slots() {
		l := render.Line{Slot: int(pc), Text: p.Text(pc), Note: marks[pc]}
		if src, ok := p.LineAt(pc); ok {
			l.Source, l.File, l.LineNo = strings.TrimSpace(src.Text), src.File, src.Line
		}
		out = append(out, l)
	}
	return out
}

// edges returns the edges of the graph in its order, then those to unknown
// targets.
func edges(a *pipeline.Analysis, loops *cfg.LoopForest) []render.Edge {
	labels, wide := caseLabels(a), map[bytecode.PC]bool{}
	for _, in := range a.Succ.Indirect {
		wide[in.PC] = in.Status != succ.Exact
	}
	var out []render.Edge
	for i, e := range a.Graph.Edges() {
		from, to := a.Graph.Blocks[e.From], a.Graph.Blocks[e.To]
		r := render.Edge{
			From: int(e.From), To: int(e.To), Kind: render.EdgeKind(e.Kind.String()),
			Dead: a.Succ.Facts.Reached(from.Start) && !a.Succ.Facts.EdgeFeasible(i),
			Back: a.Graph.Local(e) && loops.IsBack(e),
		}
		r.Maybe = !r.Dead && e.Kind == cfg.Indirect && wide[from.Last]
		if e.Kind == cfg.Indirect {
			r.Label = labels[jump{from.Last, to.Start}]
		}
		out = append(out, r)
	}
	out = append(out, unselected(a, labels)...)
	for _, in := range a.Succ.Indirect {
		if in.Status == succ.Unresolved {
			b, _ := a.Graph.BlockAt(in.PC)
			kind := render.Indirect
			if in.Op == "callx" {
				kind = render.Call
			}
			out = append(out, render.Edge{From: int(b), To: render.Outside, Kind: kind, Label: "unknown"})
		}
	}
	return out
}

// tables returns the jump tables with the use that jumps make of them.
func tables(a *pipeline.Analysis) []render.Table {
	out := make([]render.Table, len(a.Program.Tables))
	biases := tableBiases(a)
	selected := make([]map[int]bool, len(a.Program.Tables))
	for i, t := range a.Program.Tables {
		out[i] = render.Table{Name: t.Name, Kind: "jump-table", Bias: biases[i]}
		selected[i] = map[int]bool{}
	}
	for _, in := range a.Succ.Indirect {
		for _, u := range in.Tables {
			if u.Table < 0 || u.Table >= len(out) {
				continue
			}
			b, _ := a.Graph.BlockAt(in.PC)
			out[u.Table].Jumps = append(out[u.Table].Jumps, int(b))
			out[u.Table].Range = fmt.Sprintf("%d..%d of %d", u.Min, u.Max, u.Entries)
			for _, i := range u.Selected {
				selected[u.Table][i] = true
			}
		}
	}
	for i, t := range a.Program.Tables {
		for j, pc := range t.Targets {
			out[i].Entries = append(out[i].Entries, entry(a, i, j, pc, selected[i][j]))
		}
	}
	return out
}

// entry returns entry j of table i.
func entry(a *pipeline.Analysis, i, j int, pc bytecode.PC, selected bool) render.TableEntry {
	e := render.TableEntry{Block: render.Outside, Slot: int(pc), Xlated: -1, Offset: -1, Selected: selected}
	if b, ok := a.Graph.BlockAt(pc); ok {
		e.Block = int(b)
	}
	if a.Image == nil {
		return e
	}
	x := a.Rewrite.Program.Tables[i][j]
	if x == jit.Deleted {
		e.Deleted = true
		return e
	}
	e.Xlated = int(x)
	for f, fn := range a.Rewrite.Program.Funcs {
		if x >= fn.Start && x < fn.End {
			e.Offset = a.Image.Funcs[f].Offset + int(a.Image.Tables[i][j])
		}
	}
	return e
}

// image returns the strip of machine code.
func image(a *pipeline.Analysis, edges []render.Edge) *render.Image {
	img := &render.Image{Len: len(a.Image.Code)}
	for i, f := range a.Image.Funcs {
		img.Funcs = append(img.Funcs, render.ImageFunc{
			Name: f.Name, Func: funcIndex(a, i), Offset: f.Offset, Len: f.Len, Prologue: f.Prologue,
		})
	}
	l := layout.Of(a.Graph, a.Rewrite.Xlated, a.Rewrite.Program.Funcs, a.Image)
	for _, p := range l.Pieces {
		piece := render.Piece{Kind: render.PieceBlock, Block: int(p.Block), Offset: p.Offset, Len: p.Len}
		if p.Kind != layout.Block {
			piece.Kind, piece.Block = render.PieceOther, -1
		}
		if p.Kind == layout.Prologue {
			piece.Kind = render.PiecePrologue
		}
		img.Pieces = append(img.Pieces, piece)
	}
	img.Jumps = jumps(a, l, edges)
	img.Endbr = endbrs(a)
	img.Marks = codeMarks(a)
	return img
}

// funcIndex returns the subprogram that function i of the image was made from,
// -1 for one that the verifier added. Subprograms that the verifier removed
// are not in the image, so the index goes by the source of its instructions.
func funcIndex(a *pipeline.Analysis, i int) int {
	fn := a.Rewrite.Program.Funcs[i]
	if fn.Hidden {
		return -1
	}
	for x := fn.Start; x < fn.End; x++ {
		if o := a.Rewrite.Original[x]; o >= 0 {
			return a.Program.SubprogAt(o)
		}
	}
	return -1
}

// jumps returns the edges that are jumps or calls in the machine code: from the
// end of the last piece of a block to the code of another.
func jumps(a *pipeline.Analysis, l *layout.Layout, edges []render.Edge) []render.Jump {
	last := map[int]int{} // block → offset of its last byte
	for _, p := range l.Pieces {
		if p.Kind == layout.Block && p.Len > 0 {
			last[int(p.Block)] = p.Offset + p.Len - 1
		}
	}
	var out []render.Jump
	for i, e := range edges {
		if e.To == render.Outside || e.Kind == render.FallThrough || e.Kind == render.Return {
			continue
		}
		from, ok := last[e.From]
		if to := l.Code[e.To]; ok && to >= 0 && l.Code[e.From] >= 0 {
			out = append(out, render.Jump{From: from, To: to, Kind: e.Kind, Edge: i})
		}
	}
	return out
}

// endbrs returns the offsets of ENDBR64 instructions at function entries and in front of
// instructions. Other bytes may be constants.
func endbrs(a *pipeline.Analysis) []int {
	img := a.Image
	var out []int
	add := func(off int) {
		if bytes.HasPrefix(img.Code[off:], []byte{0xf3, 0x0f, 0x1e, 0xfa}) {
			out = append(out, off)
		}
	}
	for f, fn := range a.Rewrite.Program.Funcs {
		base, prev := img.Funcs[f].Offset, -1
		add(base)
		for x := fn.Start; x < fn.End; x++ {
			if at := base + int(img.Offsets[x]); at != prev && at < len(img.Code) {
				add(at)
				prev = at
			}
		}
	}
	return out
}
