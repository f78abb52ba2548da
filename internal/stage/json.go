package stage

import (
	"fmt"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/explain"
	"github.com/bpfcfg/bpfcfg/internal/jsonstream"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/succ"
)

// Head begins the JSON of every program.
type Head struct {
	Name    string `json:"name"`
	Section string `json:"section"`
	Insns   int    `json:"insns"`
}

// HeadOf returns the head of a program.
func HeadOf(p *bytecode.Program) Head {
	return Head{Name: p.Name, Section: p.Section, Insns: len(p.Insns)}
}

// succDoc is a program in the JSON of show --stage succ.
type succDoc struct {
	Head
	Subprograms []Subprogram      `json:"subprograms"`
	Blocks      jsonstream.Series `json:"blocks"`   // of blockDoc
	Indirect    jsonstream.Series `json:"indirect"` // of indirectDoc
	Kernel      verdictDoc        `json:"kernel"`
	Hazards     []hazardDoc       `json:"hazards"`
	Diagnostics []string          `json:"diagnostics"`
}

// Subprogram is a subprogram in JSON.
type Subprogram struct {
	Name  string `json:"name"`
	Start int    `json:"start"`
	End   int    `json:"end"`
}

type blockDoc struct {
	ID         int       `json:"id"`
	Start      int       `json:"start"`
	End        int       `json:"end"`
	Subprogram int       `json:"subprogram"`
	Reachable  *bool     `json:"reachable,omitempty"` // nil if facts were not computed
	Verifier   string    `json:"verifier,omitempty"`
	Death      string    `json:"death,omitempty"` // in which configurations no execution reaches it
	Succs      []edgeDoc `json:"succs"`
}

type edgeDoc struct {
	To   *int   `json:"to,omitempty"`
	Same *int   `json:"same,omitempty"` // another block, for all edges of the kind: see onceLists
	Kind string `json:"kind"`
}

type indirectDoc struct {
	Insn     int      `json:"insn"`
	Op       string   `json:"op"`
	Register int      `json:"register"`
	Status   string   `json:"status"`
	Tables   []useDoc `json:"tables"`
	Exact    []int    `json:"exact"` // slots; nil: as at another instruction, see Same
	Proven   []int    `json:"proven"`
	Range    []int    `json:"range"`
	Kernel   []int    `json:"kernel"`
	Reason   string   `json:"reason"`
	Same     *sameDoc `json:"same,omitempty"`
}

// sameDoc names the instructions that have the omitted lists of the same name.
type sameDoc struct {
	Exact  *int `json:"exact,omitempty"`
	Proven *int `json:"proven,omitempty"`
	Range  *int `json:"range,omitempty"`
	Kernel *int `json:"kernel,omitempty"`
}

type useDoc struct {
	Name     string `json:"name"`
	Entries  int    `json:"entries"`
	Min      int    `json:"min"`
	Max      int    `json:"max"`
	Selected []int  `json:"selected"` // indices; nil: as at instruction Same of the same table
	Same     *int   `json:"same,omitempty"`
}

type verdictDoc struct {
	Rules   string `json:"rules"`
	Verdict string `json:"verdict"`
	Message string `json:"message"`
	Insn    int    `json:"insn"`
}

// succDocOf returns the JSON of an analysed program.
func succDocOf(a *pipeline.Analysis, v verdictDoc, all bool) succDoc {
	lists := newIndirectLists(all)
	return succDoc{
		Head:        HeadOf(a.Program),
		Subprograms: Subprograms(a.Program),
		Blocks:      series(len(a.Graph.Blocks), blockDocs(a, all)),
		Indirect:    series(len(a.Succ.Indirect), func(i int) any { return lists.doc(&a.Succ.Indirect[i]) }),
		Kernel:      v,
		Diagnostics: diagnostics(a),
	}
}

// indirectLists holds the lists of indirect jumps and calls, by field.
type indirectLists struct {
	all                          bool
	exact, proven, reach, kernel *onceLists
	selected                     map[string]*onceLists // by table
}

func newIndirectLists(all bool) *indirectLists {
	return &indirectLists{all, newOnceLists(all), newOnceLists(all), newOnceLists(all), newOnceLists(all),
		map[string]*onceLists{}}
}

// doc returns the JSON of an indirect jump or call.
func (l *indirectLists) doc(in *succ.Indirect) *indirectDoc {
	doc := &indirectDoc{Insn: int(in.PC), Op: in.Op, Register: int(in.Reg), Status: string(in.Status),
		Tables: []useDoc{}, Reason: in.Reason}
	var same sameDoc
	doc.Exact, same.Exact = listOnce(l.exact, in.Exact, doc.Insn)
	doc.Proven, same.Proven = listOnce(l.proven, in.Proven, doc.Insn)
	doc.Range, same.Range = listOnce(l.reach, in.Range, doc.Insn)
	doc.Kernel, same.Kernel = listOnce(l.kernel, in.Kernel, doc.Insn)
	if same != (sameDoc{}) {
		doc.Same = &same
	}
	for _, u := range in.Tables {
		if l.selected[u.Name] == nil {
			l.selected[u.Name] = newOnceLists(l.all)
		}
		use := useDoc{Name: u.Name, Entries: u.Entries, Min: u.Min, Max: u.Max}
		use.Selected, use.Same = listOnce(l.selected[u.Name], u.Selected, doc.Insn)
		doc.Tables = append(doc.Tables, use)
	}
	return doc
}

// series returns n elements of an array, which are computed when they are written.
func series(n int, element func(i int) any) jsonstream.Series {
	return func(yield func(any) bool) {
		for i := range n {
			if !yield(element(i)) {
				return
			}
		}
	}
}

// Ints converts slots or indices to plain numbers; the result is never nil.
func Ints[T ~int | ~int32](s []T) []int {
	out := make([]int, len(s))
	for i, v := range s {
		out[i] = int(v)
	}
	return out
}

// Subprograms returns the subprograms of a program.
func Subprograms(p *bytecode.Program) []Subprogram {
	out := make([]Subprogram, 0, len(p.Subprogs))
	for _, s := range p.Subprogs {
		out = append(out, Subprogram{s.Name, int(s.Start), int(s.End)})
	}
	return out
}

// blockDocs returns the function that makes the JSON of each block.
func blockDocs(a *pipeline.Analysis, all bool) func(i int) any {
	g := a.Graph
	x, facts, lists := explain.New(a), a.Succ.Facts, newOnceLists(all)
	return func(i int) any {
		b, id := &g.Blocks[i], cfg.BlockID(i)
		doc := blockDoc{
			ID: i, Start: int(b.Start), End: int(b.End), Subprogram: b.Sub,
			Death: string(x.Death(id)), Succs: lists.edges(g.Succs(id), id),
		}
		if facts.Analyzed() {
			reached := facts.BlockReached(id)
			doc.Reachable, doc.Verifier = &reached, facts.ReachBlock(id).String()
		}
		return &doc
	}
}

// diagnostics returns the remarks of the loader, the graph and the analysis.
func diagnostics(a *pipeline.Analysis) []string {
	out := append([]string{}, a.Program.Diags...)
	for _, p := range a.Graph.Problems {
		out = append(out, fmt.Sprintf("insn %d: %s", int(p.PC), p.Text))
	}
	for _, t := range a.Graph.BadTargets {
		out = append(out, fmt.Sprintf("insn %d: target %d: %s", int(t.PC), int(t.Target), t.Why))
	}
	return out
}
