package cfg

import (
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/graph"
	"gonum.org/v1/gonum/graph/path"
	"gonum.org/v1/gonum/graph/testgraph"
)

// viewBuilder makes the graph of a conformance test: its nodes are numbered
// anew by ID, and parallel edges count as one.
func viewBuilder(nodes []graph.Node, lines []testgraph.WeightedLine, self, absent float64) (
	graph.Graph, []graph.Node, []testgraph.Edge, float64, float64, bool) {
	ids := map[int64]BlockID{}
	var all []int64
	add := func(n graph.Node) { all = append(all, n.ID()) }
	for _, n := range nodes {
		add(n)
	}
	for _, l := range lines {
		add(l.From())
		add(l.To())
	}
	slices.Sort(all)
	var blocks []graph.Node
	for i, id := range slices.Compact(all) {
		ids[id] = BlockID(i)
		blocks = append(blocks, BlockID(i))
	}
	var links []link
	var want []testgraph.Edge
	for _, l := range lines {
		e := pair{ids[l.From().ID()], ids[l.To().ID()]}
		links = append(links, link{int(e.from), int(e.to)})
		if !slices.Contains(want, testgraph.Edge(e)) {
			want = append(want, e)
		}
	}
	return shaped(len(blocks), links).Gonum(nil), blocks, want, self, absent, true
}

func TestGonumConformance(t *testing.T) {
	t.Run("EdgeExistence", func(t *testing.T) { testgraph.EdgeExistence(t, viewBuilder, true) })
	t.Run("NodeExistence", func(t *testing.T) { testgraph.NodeExistence(t, viewBuilder) })
	t.Run("ReturnAdjacentNodes", func(t *testing.T) { testgraph.ReturnAdjacentNodes(t, viewBuilder, true, true) })
	t.Run("ReturnAllNodes", func(t *testing.T) { testgraph.ReturnAllNodes(t, viewBuilder, true) })
	t.Run("ReturnNodeSlice", func(t *testing.T) { testgraph.ReturnNodeSlice(t, viewBuilder, true) })
	t.Run("ReturnAllEdges", func(t *testing.T) { testgraph.ReturnAllEdges(t, viewBuilder, true) })
}

// Algorithms of gonum reorder the slice that NodeSlice returns; the graph must
// not notice.
func TestNodeSliceIsACopy(t *testing.T) {
	g := shaped(40, randomLinks(rand.New(rand.NewPCG(3, 3)), 40, 0))
	d := g.Gonum(nil)
	before := graph.NodesOf(d.From(0))
	for _, it := range []graph.Nodes{d.Nodes(), d.From(0), d.To(0)} {
		s := it.(graph.NodeSlicer).NodeSlice()
		clear(s)
	}
	path.DijkstraFrom(BlockID(0), d)
	if after := graph.NodesOf(d.From(0)); !slices.Equal(before, after) {
		t.Errorf("From(0) was %v, is %v", before, after)
	}
	tree := path.DijkstraFrom(BlockID(0), d)
	for b, want := range flood(g, only(g, 0), func(Edge) bool { return true }) {
		if _, w := tree.To(int64(b)); (w < 1e9) != want {
			t.Errorf("b%d reached by shortest paths: %v", b, !want)
		}
	}
}

func TestGonumKeep(t *testing.T) {
	g := shaped(3, []link{{0, 1}, {0, 1}, {1, 1}, {1, 2}}, 2)
	if d := g.Gonum(g.Local); d.HasEdgeFromTo(1, 2) || !d.HasEdgeFromTo(1, 1) || d.Edges().Len() != 2 {
		t.Errorf("edges along local ones: %d", d.Edges().Len())
	}
	if d := g.Gonum(nil); d.Edges().Len() != 3 {
		t.Errorf("edges: %d", d.Edges().Len())
	}
}
