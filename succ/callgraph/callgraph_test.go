package callgraph_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/graph/topo"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/succ/callgraph"
	"github.com/bpfcfg/bpfcfg/succ/rules"
)

// object returns the graph of an object of testdata.
func object(t *testing.T, name string) *callgraph.Graph {
	t.Helper()
	data, err := os.ReadFile("../../testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	o, err := load.ELF(name, data)
	if err != nil {
		t.Fatal(err)
	}
	in := callgraph.Input{Functions: o.Functions, StructOps: o.StructOps}
	for _, list := range [][]*bytecode.Program{o.Programs, o.Uncalled} {
		for _, p := range list {
			r, err := rules.Of(kernel.Of(7003)).Resolve(p)
			if err != nil {
				t.Fatal(err)
			}
			in.Parts = append(in.Parts, callgraph.Part{Program: p, Result: r, Uncalled: len(in.Parts) >= len(o.Programs)})
		}
	}
	return callgraph.Of(name, in)
}

// TestEdges holds the graphs against what the C sources say, edge by edge.
func TestEdges(t *testing.T) {
	tests := map[string]string{
		"graph/dispatch.o": `entry call hit
entry tail-call count stages[4]
entry tail-call filter stages[1]
entry tail-call parse stages[0]
entry tail-call stages stages[?]
entry uses stages
parse call hit
parse call weigh
parse tail-call filter stages[1]
parse tail-call stages stages[6]
parse uses stages
filter call hit
filter tail-call count stages[4]
filter uses stages
count call hit
forgotten call weigh
hit uses hits`,
		"graph/loop.o": `even callback add
even call check
even tail-call odd states[1]
even uses states
odd tail-call even states[0]
odd uses states
classify replaces classify
add uses .bss
check exception refuse`,
		"graph/ops.o": `half_ssthresh call half
half_undo call half
route tail-call first first[2]
route tail-call second second[?]
route tail-call jumps jumps[?]
route uses first
route uses second
route uses jumps
halves member half_ssthresh ssthresh
halves member half_undo undo_cwnd
halves member half_avoid cong_avoid`,
		"seed-callx/p3_table.o": `first call pick
first uses .rodata
second call pick
second uses .rodata
pick callx low
pick callx mid
pick callx high`,
		"calls/wq.o": "", // a callback that is called later
	}
	for name, want := range tests {
		var got []string
		g := object(t, name)
		for _, e := range g.Edges {
			line := fmt.Sprintf("%s %s %s %s", g.Nodes[e.From].Name, e.Kind, g.Nodes[e.To].Name, e.Label)
			if e.Dead {
				line += " dead"
			}
			got = append(got, strings.TrimSpace(line))
		}
		if want == "" {
			if !slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, " callback ") }) {
				t.Errorf("%s: no callback: %q", name, got)
			}
			continue
		}
		list := strings.Split(want, "\n")
		slices.Sort(got)
		slices.Sort(list)
		if !slices.Equal(got, list) {
			t.Errorf("%s: got\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(list, "\n"))
		}
	}
}

// TestNeverCalled checks which functions count as called: forgotten calls weigh, but
// nothing calls forgotten.
func TestNeverCalled(t *testing.T) {
	for name, want := range map[string][]string{
		"graph/dispatch.o": {"forgotten"}, "graph/loop.o": nil, "seed-callx/p2_context.o": {"unused"},
	} {
		var got []string
		g := object(t, name)
		for i := range g.Nodes {
			if g.Nodes[i].Note == callgraph.NeverCalled {
				got = append(got, g.Nodes[i].Name)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// TestGonum runs an algorithm of gonum on a graph: even and odd jump in a circle.
func TestGonum(t *testing.T) {
	g := object(t, "graph/loop.o")
	var largest []string
	for _, c := range topo.TarjanSCC(g.Gonum()) {
		if len(c) > 1 {
			for _, n := range c {
				largest = append(largest, g.Nodes[n.ID()].Name)
			}
		}
	}
	slices.Sort(largest)
	if want := []string{"even", "odd"}; !slices.Equal(largest, want) {
		t.Errorf("circle of %q, want %q", largest, want)
	}
}

// TestUnknownCall demands that an indirect call of which nothing is known leads
// somewhere: r0 = *(u64 *)(r1 + 0); callx r0; exit.
func TestUnknownCall(t *testing.T) {
	p := &bytecode.Program{
		Name: "f", Type: "syscall", Subprogs: []bytecode.Subprogram{{Name: "f", End: 3}},
		Insns: []bytecode.Insn{{Code: 0x79, Src: 1}, {Code: bytecode.CodeCallx}, {Code: 0x95}},
	}
	r, err := rules.Of(kernel.Of(7003)).Resolve(p)
	if err != nil {
		t.Fatal(err)
	}
	g := callgraph.Of("x.o", callgraph.Input{Parts: []callgraph.Part{{Program: p, Result: r}}})
	if len(g.Edges) != 1 || g.Edges[0].Kind != callgraph.Callx || g.Nodes[g.Edges[0].To].Kind != callgraph.Outside {
		t.Errorf("edges %+v", g.Edges)
	}
}

// TestDOT checks that names cannot leave their quotes, and that output is the same
// each time.
func TestDOT(t *testing.T) {
	p := &bytecode.Program{
		Name: `<b>"]; evil [label="&amp;\N`, Insns: []bytecode.Insn{{Code: 0x95}}, Subprogs: []bytecode.Subprogram{{End: 1}},
	}
	g := callgraph.Of("x\n.o", callgraph.Input{Parts: []callgraph.Part{{Program: p}}})
	first, err := g.DOT()
	if err != nil {
		t.Fatal(err)
	}
	if want := `"<b>\"]; evil [label=\"&amp;amp;\\N\n1 insn"`; !strings.Contains(string(first), want) {
		t.Errorf("%s\nlacks %s", first, want)
	}
	again, _ := g.DOT()
	if string(first) != string(again) {
		t.Error("a second time it is different")
	}
}
