package dotengine

import (
	"errors"
	"strings"
	"testing"
)

// whole is a full answer for graph.
const whole = `graph 1 4 8
node n0 1 7 1.7778 0.8333 "" solid box black lightgrey
node n1 1 5 1.3333 0.5556 "" solid box black lightgrey
node n2 1 2 2.7778 2 "" solid box black lightgrey
edge n0 n1 4 1 6.5 1 6 1 6 1 5.3 solid black
edge n0 n1 4 1.2 6.5 1 6 1 6 1.2 5.3 solid black
edge n1 n2 4 1 4.7 1 4 1 4 1 3 solid black
edge n2 n0 4 2 3 3 4 3 4 1.5 6.5 solid black
edge n1 n1 7 1 5 1 5 1 5 2 5 1 5 1 5 1 5 solid black
stop
`

func TestPlain(t *testing.T) {
	p, err := readPlain(graph(), []byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := p.Nodes[0].Y, 72-30; got != want {
		t.Errorf("y %d, want %d", got, want)
	}
	for i, line := range strings.SplitAfter(strings.TrimSuffix(whole, "\n"), "\n") {
		without := strings.Replace(whole, line, "", 1)
		if i == 0 || without == whole {
			continue // the size of the page is not needed to be complete
		}
		if _, err := readPlain(graph(), []byte(without)); !errors.Is(err, ErrIncomplete) {
			t.Errorf("without line %d: error %v", i, err)
		}
	}
	for _, c := range [][2]string{
		{"node n0 1 7", "node n0 NaN 7"}, {"node n0 1 7", "node n0 1e300 7"}, {"node n0 1 7", "node n9 1 7"},
		{"1.7778 0.8333", "3 0.8333"}, {"n1 n2 4", "n1 n2 5"}, {"n1 n2 4", "n1 n2 4000000000"},
		{"n1 n2 4", "n2 n1 4"}, {"n1 n2 4", "n1 n2 -4"}, {"stop", "stopp"}, {"edge n1 n1 7", "edge n1 n1"},
	} {
		if _, err := readPlain(graph(), []byte(strings.Replace(whole, c[0], c[1], 1))); !errors.Is(err, ErrIncomplete) {
			t.Errorf("%q for %q: error %v", c[1], c[0], err)
		}
	}
}

// FuzzPlain reads any answer: an error, or a place for everything.
func FuzzPlain(f *testing.F) {
	f.Add(whole)
	f.Fuzz(func(t *testing.T, s string) {
		g := graph()
		p, err := readPlain(g, []byte(s))
		if err != nil {
			if p.Nodes != nil {
				t.Error("error and answer")
			}
			return
		}
		for i, r := range p.Routes {
			if (len(r.Points) == 0) != g.Edges[i].Hidden || len(r.Points)%3 > 1 {
				t.Errorf("edge %d: %d points", i, len(r.Points))
			}
		}
	})
}
