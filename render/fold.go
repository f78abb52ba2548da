package render

import (
	"fmt"
	"slices"

	"github.com/bpfcfg/bpfcfg/internal/visible"
)

// FoldAbove is the number of blocks above which pictures without zoom are better folded.
const FoldAbove = 4000

// minFold is the least number of blocks that are folded into one.
const minFold = 3

// Folded describes the blocks that Fold replaced by one.
type Folded struct {
	Kind       string // "chain", "loop", "cases", "region", "subprogram", or that of a Group
	Text       string // of a Group, else empty
	Blocks     int
	Insns      int
	Dead       int // blocks that are not reachable
	Unresolved int // blocks that end with a jump or call whose targets are not all known
}

// Fold returns a scene with at most above blocks, if folding can do that. As long as there are more
// blocks, it folds in this order: chains of blocks with one way through, outermost loops, chains
// again, the cases of large switches, regions of similar size with one way in, and subprograms. A
// scene that is small enough is returned itself. The given scene is never changed.
//
// Folded blocks have one way in, or are cases that one jump leads to. The new block has the name
// and place of the block that is entered, or of the first case, all edges out of the blocks, and a
// Folded that counts what is hidden; edges inside disappear. Blocks with marks are not folded, so
// that the marks show. Indices of blocks and edges change.
func Fold(s *Scene, above int) *Scene {
	out, _ := FoldInto(s, above)
	return out
}

// FoldInto is Fold, and returns the box of each block of the scene given, too.
func FoldInto(s *Scene, above int) (*Scene, []int) {
	into := identity(len(s.Blocks))
	if len(s.Blocks) <= above {
		return s, into
	}
	before := len(s.Blocks)
	apply := func(find func(*folder)) bool {
		n := len(s.Blocks)
		if n <= above {
			return false
		}
		f := newFolder(s)
		find(f)
		var index []int
		s, index = f.scene()
		for b := range into {
			into[b] = index[into[b]]
		}
		return len(s.Blocks) < n
	}
	for _, find := range []func(*folder){(*folder).chains, (*folder).loops, (*folder).chains,
		func(f *folder) { f.cases(above) }} {
		apply(find)
	}
	for apply(func(f *folder) { f.regions(above) }) {
	}
	apply((*folder).subprograms)
	if len(s.Blocks) == before {
		return s, into
	}
	s.Notes = append(slices.Clip(s.Notes),
		fmt.Sprintf("%d blocks are drawn as %d: chains, loops, regions or subprograms are folded", before, len(s.Blocks)))
	return s, into
}

// folder folds a scene once.
type folder struct {
	s       *Scene
	in, out [][]int        // local edges of each block
	into    []int          // block that each becomes part of, itself when it stays
	kind    []string       // for blocks that others become part of
	text    map[int]string // of groups, by their first block
}

func newFolder(s *Scene) *folder {
	n := len(s.Blocks)
	f := &folder{s: s, in: make([][]int, n), out: make([][]int, n), into: make([]int, n), kind: make([]string, n)}
	for b := range f.into {
		f.into[b] = b
	}
	for i, e := range s.Edges {
		if f.local(&s.Edges[i]) {
			f.out[e.From] = append(f.out[e.From], i)
			f.in[e.To] = append(f.in[e.To], i)
		}
	}
	return f
}

// local reports whether control stays in the function along an edge.
func (f *folder) local(e *Edge) bool {
	return e.To != Outside && !crossing(e.Kind) && f.s.Blocks[e.From].Func == f.s.Blocks[e.To].Func
}

// fold replaces the blocks by one, the first being the way in, unless there are too few, one has a
// mark, or there is another way in. It reports whether it did.
func (f *folder) fold(kind string, blocks []int) bool {
	if len(blocks) < minFold {
		return false
	}
	member := map[int]bool{}
	for _, b := range blocks {
		member[b] = true
	}
	for _, b := range blocks {
		if f.s.Blocks[b].Mark != "" {
			return false
		}
		for _, i := range f.in[b] {
			if b != blocks[0] && !member[f.s.Edges[i].From] {
				return false
			}
		}
	}
	f.kind[blocks[0]] = kind
	for _, b := range blocks {
		f.into[b] = blocks[0]
	}
	return true
}

// chains folds blocks that follow each other with nothing else in or out.
func (f *folder) chains() {
	next := func(b int) int { // the block that alone follows b, -1
		if len(f.out[b]) != 1 {
			return -1
		}
		e := &f.s.Edges[f.out[b][0]]
		if to := e.To; !e.Dead && len(f.in[to]) == 1 && to != b && !f.s.Blocks[to].Entry &&
			f.s.Blocks[to].Reachable == f.s.Blocks[b].Reachable && f.s.Blocks[to].Mark == "" {
			return to
		}
		return -1
	}
	follows := make([]bool, len(f.s.Blocks))
	for b := range f.s.Blocks {
		if to := next(b); to >= 0 {
			follows[to] = true
		}
	}
	for b := range f.s.Blocks {
		if follows[b] { // includes all of a cycle without a way in
			continue
		}
		chain := []int{b}
		for to := next(b); to >= 0; to = next(to) {
			chain = append(chain, to)
		}
		f.fold("chain", chain)
	}
}

// loops folds outermost loops.
func (f *folder) loops() {
	seen := make([]bool, len(f.s.Blocks))
	for h := range f.s.Blocks {
		if blk := &f.s.Blocks[h]; !blk.LoopHeader || blk.LoopDepth != 1 || seen[h] {
			continue
		}
		body := []int{h}
		seen[h] = true
		add := func(b int) {
			if !seen[b] {
				seen[b] = true
				body = append(body, b)
			}
		}
		for _, i := range f.in[h] {
			if f.s.Edges[i].Back {
				add(f.s.Edges[i].From)
			}
		}
		for k := 1; k < len(body); k++ {
			for _, i := range f.in[body[k]] {
				// In a loop with two ways in this leads out of it; fold sees that.
				if from := f.s.Edges[i].From; f.s.Blocks[from].LoopDepth > 0 {
					add(from)
				}
			}
		}
		f.fold("loop", body)
	}
}

// regions folds blocks that can be entered through one of them only, in groups of
// a size that leaves about half as many boxes as there may be. They are intervals
// without their loops: a block joins the group that all edges into it come from
// (F. Allen, J. Cocke, "A program data flow analysis procedure", CACM 19, 1976).
func (f *folder) regions(above int) {
	most := max(2*len(f.s.Blocks)/max(above, 1), minFold)
	group := make([]int, len(f.s.Blocks)) // the block that its group is entered by, -1 when not known yet
	for b := range group {
		group[b] = -1
	}
	members := make([][]int, len(f.s.Blocks))
	for _, b := range f.order() {
		g := b
		if blk := &f.s.Blocks[b]; !blk.Entry && blk.Mark == "" && len(f.in[b]) > 0 {
			g = group[f.s.Edges[f.in[b][0]].From]
			for _, i := range f.in[b] {
				if from := group[f.s.Edges[i].From]; from < 0 || from != g {
					g = -1
					break
				}
			}
			if g < 0 || len(members[g]) >= most || f.s.Blocks[g].Mark != "" {
				g = b
			}
		}
		group[b] = g
		members[g] = append(members[g], b)
	}
	for _, m := range members {
		f.fold("region", m)
	}
}

// order returns all blocks, edges' targets after their sources except for back edges: the reverse
// of the order in which a search leaves them. It starts at the functions' entries, then at the
// remaining blocks.
func (f *folder) order() []int {
	type visit struct{ block, next int }
	var stack []visit
	var left []int
	seen := make([]bool, len(f.s.Blocks))
	search := func(b int) {
		if seen[b] {
			return
		}
		seen[b] = true
		stack = append(stack, visit{b, 0})
		for len(stack) > 0 {
			v := &stack[len(stack)-1]
			if v.next == len(f.out[v.block]) {
				left = append(left, v.block)
				stack = stack[:len(stack)-1]
				continue
			}
			to := f.s.Edges[f.out[v.block][v.next]].To
			v.next++
			if !seen[to] {
				seen[to] = true
				stack = append(stack, visit{to, 0})
			}
		}
	}
	for i := range f.s.Funcs {
		search(f.s.Funcs[i].Entry)
	}
	for b := range f.s.Blocks {
		search(b)
	}
	slices.Reverse(left)
	return left
}

// subprograms folds all functions but the first.
func (f *folder) subprograms() {
	of := make([][]int, len(f.s.Funcs))
	for k := range of {
		of[k] = append(of[k], f.s.Funcs[k].Entry)
	}
	for b := range f.s.Blocks {
		if k := f.s.Blocks[b].Func; b != f.s.Funcs[k].Entry {
			of[k] = append(of[k], b)
		}
	}
	for k := 1; k < len(of); k++ {
		f.fold("subprogram", of[k])
	}
}

// parts folds code without such structure: consecutive blocks of a function, whatever leads into
// them, in groups so large that at most above boxes remain.
func (f *folder) parts(above int) {
	most := max((len(f.s.Blocks)+above-1)/above, minFold)
	start := 0
	for b := 1; b <= len(f.s.Blocks); b++ {
		ends := b == len(f.s.Blocks) || b-start == most || f.s.Blocks[b].Func != f.s.Blocks[start].Func
		if !ends && f.s.Blocks[b].Mark == "" && f.s.Blocks[start].Mark == "" {
			continue
		}
		if b-start >= minFold {
			f.kind[start] = "part"
			for i := start; i < b; i++ {
				f.into[i] = start
			}
		}
		start = b
	}
}

// scene makes the folded scene, and returns the box of each block.
func (f *folder) scene() (*Scene, []int) {
	s := *f.s
	index := make([]int, len(f.s.Blocks))
	parts := make([][]int, len(f.s.Blocks))
	s.Blocks, s.Facts, s.Findings = nil, nil, nil
	for b, into := range f.into {
		parts[into] = append(parts[into], b)
	}
	for b, into := range f.into {
		if b == into {
			index[b] = len(s.Blocks)
			s.Blocks = append(s.Blocks, f.block(b, parts[b]))
		}
	}
	at := func(b int) int {
		if b < 0 {
			return b
		}
		return index[f.into[b]]
	}
	s.Funcs = slices.Clone(f.s.Funcs)
	for i := range s.Funcs {
		s.Funcs[i].Entry = at(s.Funcs[i].Entry)
	}
	var edge []int
	s.Edges, edge = f.edges(at)
	s.Tables = slices.Clone(f.s.Tables)
	for i := range s.Tables {
		t := &s.Tables[i]
		t.Jumps = slices.Clone(t.Jumps)
		for j := range t.Jumps {
			t.Jumps[j] = at(t.Jumps[j])
		}
		slices.Sort(t.Jumps)
		t.Jumps = slices.Compact(t.Jumps)
		t.Entries = slices.Clone(t.Entries)
		for j := range t.Entries {
			t.Entries[j].Block = at(t.Entries[j].Block)
		}
	}
	s.Image, s.Before = foldImage(s.Image, at, edge), foldImage(s.Before, at, edge)
	s.Code = slices.Clone(s.Code)
	for i := range s.Code {
		s.Code[i].Block = at(s.Code[i].Block)
	}
	for b := range index {
		index[b] = at(f.into[b])
	}
	return &s, index
}

// edges returns the edges between what is left, and for each old edge its new
// index, -1 for those inside. Edges that have become the same are one.
func (f *folder) edges(at func(b int) int) (edges []Edge, index []int) {
	type key struct {
		from, to int
		kind     EdgeKind
		dead     bool
		outside  string
	}
	seen := map[key]int{}
	index = make([]int, len(f.s.Edges))
	for i, e := range f.s.Edges {
		index[i] = -1
		cases := e.To != Outside && f.kind[f.into[e.To]] == foldCases
		if f.local(&f.s.Edges[i]) && f.into[e.From] == f.into[e.To] && f.kind[f.into[e.From]] != "" {
			continue
		}
		from := f.into[e.From]
		e.From, e.To = at(e.From), at(e.To)
		if f.kind[from] != "" || cases {
			k := key{e.From, e.To, e.Kind, e.Dead, ""}
			if e.To == Outside {
				k.outside = e.Label
			}
			if j, ok := seen[k]; ok {
				switch {
				case cases && !e.Dead && e.Label != "":
					edges[j].Label += ", " + e.Label
				case edges[j].Label != e.Label:
					edges[j].Label = ""
				}
				edges[j].Back = edges[j].Back || e.Back
				edges[j].Count = sumCounts(edges[j].Count, e.Count)
				index[i] = j
				continue
			}
			seen[k] = len(edges)
		}
		index[i] = len(edges)
		edges = append(edges, e)
	}
	return edges, index
}

// block combines blocks into one.
func (f *folder) block(b int, parts []int) Block {
	out := f.s.Blocks[b]
	if f.kind[b] == "" {
		return out
	}
	out.Folded = &Folded{Kind: f.kind[b], Text: f.text[b]}
	out.Reachable, out.Details = false, nil
	if f.kind[b] == "loop" {
		out.LoopHeader, out.LoopDepth = false, 0
	}
	var first, last *Line
	worst := 0
	for _, p := range parts {
		blk := &f.s.Blocks[p]
		out.Folded.add(blk)
		out.Reachable = out.Reachable || blk.Reachable
		out.Exit = out.Exit || blk.Exit
		if blk.Count != nil && (out.Count == nil || *blk.Count > *out.Count) {
			out.Count = blk.Count
		}
		if w := severity(blk.Status); w > worst {
			worst, out.Status, out.Reason = w, blk.Status, blk.Reason
		}
		for i := range blk.Lines {
			l := &blk.Lines[i]
			if first == nil || l.Slot < first.Slot {
				first = l
			}
			if last == nil || l.Slot > last.Slot {
				last = l
			}
		}
	}
	out.Lines = nil
	if first != nil {
		out.Lines = []Line{*first, *last}
	}
	if out.Reachable && worst == 0 {
		out.Reason = ""
	}
	return out
}

// size says what is folded, beginning with the kind.
func (d *Folded) size() string {
	of := "of"
	if d.Kind == foldCases {
		of = "in"
	}
	return fmt.Sprintf("%s %s %d blocks", d.Kind, of, d.Blocks)
}

// add counts a block.
func (d *Folded) add(b *Block) {
	if in := b.Folded; in != nil {
		d.Blocks += in.Blocks
		d.Insns += in.Insns
		d.Dead += in.Dead
		d.Unresolved += in.Unresolved
		return
	}
	d.Blocks++
	d.Insns += len(b.Lines)
	if !b.Reachable {
		d.Dead++
	}
	if b.Status != "" && b.Status != "exact" {
		d.Unresolved++
	}
}

// sumCounts adds counts; the sum of an unknown one is unknown.
func sumCounts(a, b *uint64) *uint64 {
	if a == nil || b == nil {
		return nil
	}
	sum := *a + *b
	return &sum
}

// severity orders the words of Block.Status.
func severity(status string) int {
	switch status {
	case "":
		return 0
	case "exact":
		return 1
	case "over-approximate":
		return 2
	}
	return 3
}

// foldImage joins consecutive bytes that now belong to one box into one piece, and leaves out the
// jumps inside boxes.
func foldImage(m *Image, at func(b int) int, edge []int) *Image {
	if m == nil {
		return nil
	}
	out := *m
	out.Pieces, out.Jumps = nil, nil
	for _, p := range m.Pieces {
		if p.Kind == PieceBlock {
			p.Block = at(p.Block)
			if n := len(out.Pieces); n > 0 {
				last := &out.Pieces[n-1]
				if last.Kind == PieceBlock && last.Block == p.Block && last.Offset+last.Len == p.Offset {
					last.Len += p.Len // of the same box now
					continue
				}
			}
		}
		out.Pieces = append(out.Pieces, p)
	}
	for _, j := range m.Jumps {
		if j.Edge >= 0 {
			if j.Edge = edge[j.Edge]; j.Edge < 0 { // inside a box
				continue
			}
		}
		out.Jumps = append(out.Jumps, j)
	}
	return &out
}

// foldedRows returns the rows of a block that stands for several.
func (v *viewer) foldedRows(b int) []row {
	d := v.scene.Blocks[b].Folded
	rows := []row{
		v.heading(b),
		{kind: foldText, text: fmt.Sprintf("%s, %d instructions", d.size(), d.Insns)},
	}
	if d.Text != "" {
		rows[1].text, _ = clip(visible.Text(d.Text), v.lim.cols)
		rows[1].title = d.Text
	}
	if lines := v.scene.Blocks[b].Lines; len(lines) > 0 && lines[0].Source != "" {
		rows = append(rows, v.sourceRow(lines[0]))
	}
	if d.Dead > 0 && v.scene.Blocks[b].Reachable {
		rows = append(rows, v.state(fmt.Sprintf("%d of them unreachable", d.Dead), ""))
	}
	if d.Unresolved > 1 {
		rows = append(rows, v.state(fmt.Sprintf("%d targets not exact", d.Unresolved), ""))
	}
	return append(rows, v.footRows(b)...)
}
