package dotengine

import (
	"bufio"
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/bpfcfg/bpfcfg/render"
	"github.com/bpfcfg/bpfcfg/render/layered"
)

// dpi is Graphviz's number of points to the inch; a point is a pixel here.
const dpi = 72

// writeDOT writes the graph with nodes n0, n1, … of fixed sizes and no text:
// sizes are ours, and no label can be lost or misread.
func writeDOT(g render.Graph) []byte {
	var b bytes.Buffer
	b.WriteString("digraph {\nnode [shape=box fixedsize=true label=\"\"]\n" +
		"edge [arrowhead=none tailport=s headport=n]\nranksep=0.5\nnodesep=0.4\n")
	if len(g.Nodes) > 250 {
		// Found by measuring: only these together keep 1000 boxes to seconds.
		b.WriteString("nslimit=0.5\nnslimit1=0.5\nmclimit=0.1\nsplines=line\n")
	}
	for i, n := range g.Nodes {
		fmt.Fprintf(&b, "n%d [width=%s height=%s]\n", i, inches(n.W), inches(n.H))
	}
	for _, e := range g.Edges {
		attr := ""
		switch {
		case e.Hidden:
			attr = " [style=invis]"
		case e.Straight:
			attr = " [weight=8]"
		}
		fmt.Fprintf(&b, "n%d -> n%d%s\n", e.From, e.To, attr)
	}
	b.WriteString("}\n")
	return b.Bytes()
}

func inches(px int) string { return strconv.FormatFloat(float64(px)/dpi, 'f', 4, 64) }

// answer is the program's answer under construction.
type answer struct {
	g      render.Graph
	p      render.Placed
	height float64          // inches: Graphviz counts y upwards
	seen   []bool           // nodes
	wait   map[[2]int][]int // edges without a route yet, by ends
	ended  bool
}

// readPlain reads coordinates in Graphviz's plain format (graphviz.org,
// "Output formats: plain") and checks that nothing is missing.
func readPlain(g render.Graph, out []byte) (render.Placed, error) {
	a := &answer{g: g, seen: make([]bool, len(g.Nodes)), wait: map[[2]int][]int{}}
	a.p.Nodes = make([]layered.Point, len(g.Nodes))
	a.p.Routes = make([]layered.Route, len(g.Edges))
	a.p.Curved = true
	for i, e := range g.Edges {
		k := [2]int{e.From, e.To}
		a.wait[k] = append(a.wait[k], i)
	}
	sc := bufio.NewScanner(bytes.NewReader(out))
	sc.Buffer(nil, 64<<20)
	for n := 1; sc.Scan(); n++ {
		if err := a.line(strings.Fields(sc.Text())); err != nil {
			return render.Placed{}, fmt.Errorf("%w: line %d: %w", ErrIncomplete, n, err)
		}
	}
	if err := sc.Err(); err != nil {
		return render.Placed{}, fmt.Errorf("%w: %w", ErrIncomplete, err)
	}
	return a.finish()
}

func (a *answer) line(f []string) error {
	if len(f) == 0 || a.ended {
		return nil
	}
	switch f[0] {
	case "graph":
		v, err := numbers(f[1:], 3)
		if err != nil {
			return err
		}
		a.height = v[2]
		a.p.W, a.p.H = pixels(v[1]), pixels(v[2])
	case "node":
		return a.node(f)
	case "edge":
		return a.edge(f)
	case "stop":
		a.ended = true
	default:
		return fmt.Errorf("unknown word %q", f[0])
	}
	return nil
}

// node reads "node NAME X Y W H …".
func (a *answer) node(f []string) error {
	if len(f) < 6 {
		return fmt.Errorf("node with %d words", len(f))
	}
	i, err := a.index(f[1])
	if err != nil {
		return err
	}
	v, err := numbers(f[2:], 4)
	if err != nil {
		return err
	}
	n := a.g.Nodes[i]
	if abs(pixels(v[2])-n.W) > 1 || abs(pixels(v[3])-n.H) > 1 {
		return fmt.Errorf("node %d has another size", i)
	}
	a.seen[i] = true
	x, y := a.point(v[0], v[1])
	a.p.Nodes[i] = layered.Point{X: x - n.W/2, Y: y - n.H/2}
	return nil
}

// edge reads "edge TAIL HEAD N X1 Y1 … XN YN …".
func (a *answer) edge(f []string) error {
	if len(f) < 4 {
		return fmt.Errorf("edge with %d words", len(f))
	}
	from, err := a.index(f[1])
	if err != nil {
		return err
	}
	to, err := a.index(f[2])
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(f[3])
	if err != nil || n < 4 || n%3 != 1 || n > len(f) {
		return fmt.Errorf("edge with %q points", f[3])
	}
	v, err := numbers(f[4:], 2*n)
	if err != nil {
		return err
	}
	// Nothing distinguishes edges with the same ends; any of their routes serves any of them.
	k := [2]int{from, to}
	if len(a.wait[k]) == 0 {
		return fmt.Errorf("edge %d to %d too often", from, to)
	}
	i := a.wait[k][0]
	a.wait[k] = a.wait[k][1:]
	r := layered.Route{Last: n - 1}
	for j := 0; j < 2*n; j += 2 {
		x, y := a.point(v[j], v[j+1])
		r.Points = append(r.Points, layered.Point{X: x, Y: y})
	}
	r.Retreating = r.Points[0].Y > r.Points[n-1].Y
	if !a.g.Edges[i].Hidden {
		a.p.Routes[i] = r
	}
	return nil
}

// finish checks that every node and edge was there.
func (a *answer) finish() (render.Placed, error) {
	if !a.ended {
		return render.Placed{}, fmt.Errorf("%w: no end", ErrIncomplete)
	}
	for i, seen := range a.seen {
		if !seen {
			return render.Placed{}, fmt.Errorf("%w: no node %d", ErrIncomplete, i)
		}
	}
	for i, e := range a.g.Edges {
		if !e.Hidden && a.p.Routes[i].Points == nil {
			return render.Placed{}, fmt.Errorf("%w: no edge %d", ErrIncomplete, i)
		}
	}
	return a.p, nil
}

func (a *answer) index(name string) (int, error) {
	i, err := strconv.Atoi(strings.TrimPrefix(name, "n"))
	if err != nil || i < 0 || i >= len(a.g.Nodes) {
		return 0, fmt.Errorf("unknown node %q", name)
	}
	return i, nil
}

// point converts inches from the bottom left to pixels from the top left.
func (a *answer) point(x, y float64) (int, int) { return max(0, pixels(x)), max(0, pixels(a.height-y)) }

func pixels(inches float64) int { return int(math.Round(inches * dpi)) }

// numbers reads the first n words as numbers of a sane size.
func numbers(f []string, n int) ([]float64, error) {
	if len(f) < n {
		return nil, fmt.Errorf("%d words of %d", len(f), n)
	}
	v := make([]float64, n)
	for i := range v {
		x, err := strconv.ParseFloat(f[i], 64)
		if err != nil || math.IsNaN(x) || math.Abs(x) > 1e7 {
			return nil, fmt.Errorf("no coordinate: %q", f[i])
		}
		v[i] = x
	}
	return v, nil
}

func abs(x int) int { return max(x, -x) }
