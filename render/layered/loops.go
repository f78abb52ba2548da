package layered

// maxDepth is the nesting up to which loops are kept together; deeper ones
// count as part of the loop at this depth. It bounds the work of comparing two
// cells of a row.
const maxDepth = 16

// forest is the loop nesting: a loop for each target of a retreating edge.
type forest struct {
	nest
	header []int // node of each loop
	of     []int // for each node the innermost loop that contains it, -1
}

// findLoops builds the nesting from the inside out.
//
// Source: P. Havlak, "Nesting of reducible and irreducible loops" (TOPLAS 19,
// 1997), after R. Tarjan, "Testing flow graph reducibility" (1974). An edge
// that enters a loop beside its header makes it irreducible; such edges are
// passed over here, so that the loop is the part below its header.
func findLoops(g Graph, t *tree) *forest {
	n := len(g.Nodes)
	f := &forest{of: make([]int, n)}
	parent := make([]int, n) // innermost header above each node
	set := newUnion(n)
	loopOf := make([]int, n)
	for v := range n {
		parent[v], loopOf[v], f.of[v] = -1, -1, -1
	}
	for i := n - 1; i >= 0; i-- {
		h := t.order[i]
		body := loopBody(g, t, set, h)
		if body == nil {
			continue
		}
		loopOf[h] = len(f.header)
		f.header = append(f.header, h)
		for _, v := range body {
			if v != h {
				parent[v] = h
				set.join(h, v)
			}
		}
	}
	f.place(t, parent, loopOf)
	return f
}

// loopBody returns the nodes and headers of inner loops that reach a
// retreating edge to h without passing h; nil when h has no such edge, empty
// when it has only self edges.
func loopBody(g Graph, t *tree, set *union, h int) []int {
	isHeader := false
	for _, e := range t.in[h] {
		isHeader = isHeader || t.retreating[e]
	}
	if !isHeader {
		return nil
	}
	body := []int{}
	seen := map[int]bool{h: true}
	add := func(v int) {
		v = set.find(v)
		if !seen[v] && t.isAncestor(h, v) {
			seen[v] = true
			body = append(body, v)
		}
	}
	for _, e := range t.in[h] {
		if t.retreating[e] {
			add(g.Edges[e].From)
		}
	}
	for i := 0; i < len(body); i++ { //nolint:intrange // add makes it longer
		for _, e := range t.in[body[i]] {
			if !t.retreating[e] {
				add(g.Edges[e].From)
			}
		}
	}
	return body
}

// place sets parents and depths. Headers were found in descending preorder,
// so a loop's parent has a greater index.
func (f *forest) place(t *tree, parent, loopOf []int) {
	f.parent = make([]int, len(f.header))
	for l := len(f.header) - 1; l >= 0; l-- {
		f.parent[l] = -1
		if p := parent[f.header[l]]; p >= 0 {
			f.parent[l] = loopOf[p]
		}
	}
	f.measure()
	for _, v := range t.order {
		switch {
		case loopOf[v] >= 0:
			f.of[v] = loopOf[v]
		case parent[v] >= 0:
			f.of[v] = loopOf[parent[v]]
		}
	}
}

// union is a disjoint-set forest with path halving. The representative of a
// set is chosen by the caller, hence no union by rank.
type union struct{ up []int }

func newUnion(n int) *union {
	u := &union{up: make([]int, n)}
	for i := range u.up {
		u.up[i] = i
	}
	return u
}

func (u *union) find(v int) int {
	for u.up[v] != v {
		u.up[v] = u.up[u.up[v]]
		v = u.up[v]
	}
	return v
}

// join puts v's set under root, which must be a representative.
func (u *union) join(root, v int) { u.up[u.find(v)] = root }
