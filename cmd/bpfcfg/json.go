package main

import (
	"fmt"
	"io"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/explain"
	"github.com/bpfcfg/bpfcfg/internal/jsonstream"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/succ"
)

// schema names the version of JSON documents; docs/formats.md describes them.
const schema = "bpfcfg/1"

// document is the JSON of one input.
type document struct {
	Schema   string   `json:"schema"`
	Input    string   `json:"input"`
	Programs []any    `json:"programs"`
	Notes    []string `json:"notes,omitempty"` // what is odd about the file as a whole
}

// failedProgram stands in a document for a program that cannot be analysed.
type failedProgram struct {
	Name    string `json:"name"`
	Section string `json:"section"`
	Error   string `json:"error"`
}

// head is what the JSON of every program begins with.
type head struct {
	Name    string `json:"name"`
	Section string `json:"section"`
	Insns   int    `json:"insns"`
}

// headOf returns the head of a program.
func headOf(p *bytecode.Program) head {
	return head{Name: p.Name, Section: p.Section, Insns: len(p.Insns)}
}

// writeJSON prints v with one blank of indentation and a final line break.
func writeJSON(w io.Writer, v any) error { return jsonstream.Write(w, v) }

// succDoc is a program in the JSON of show --stage succ.
type succDoc struct {
	head
	Subprograms []subprogDoc      `json:"subprograms"`
	Blocks      jsonstream.Series `json:"blocks"`   // of blockDoc
	Indirect    jsonstream.Series `json:"indirect"` // of indirectDoc
	Lists       jsonstream.Series `json:"lists"`    // that the two before refer to
	Kernel      verdictDoc        `json:"kernel"`
	Hazards     []hazardDoc       `json:"hazards"`
	Diagnostics []string          `json:"diagnostics"`
}

type subprogDoc struct {
	Name  string `json:"name"`
	Start int    `json:"start"`
	End   int    `json:"end"`
}

type blockDoc struct {
	ID         int       `json:"id"`
	Start      int       `json:"start"`
	End        int       `json:"end"`
	Subprogram int       `json:"subprogram"`
	Reachable  *bool     `json:"reachable,omitempty"` // nil where facts were not asked
	Verifier   string    `json:"verifier,omitempty"`
	Death      string    `json:"death,omitempty"` // in which configurations no execution reaches it
	Succs      []edgeDoc `json:"succs"`
}

type edgeDoc struct {
	To   *int   `json:"to,omitempty"`   // one block
	List *int   `json:"list,omitempty"` // several blocks: id of their list
	Kind string `json:"kind"`
}

type indirectDoc struct {
	Insn     int      `json:"insn"`
	Op       string   `json:"op"`
	Register int      `json:"register"`
	Status   string   `json:"status"`
	Tables   []useDoc `json:"tables"`
	Exact    int      `json:"exact"` // ids of lists of slots
	Proven   int      `json:"proven"`
	Range    int      `json:"range"`
	Kernel   int      `json:"kernel"`
	Reason   string   `json:"reason"`
}

type useDoc struct {
	Name     string `json:"name"`
	Entries  int    `json:"entries"`
	Min      int    `json:"min"`
	Max      int    `json:"max"`
	Selected int    `json:"selected"` // id of a list of indices
}

type verdictDoc struct {
	Rules   string `json:"rules"`
	Verdict string `json:"verdict"`
	Message string `json:"message"`
	Insn    int    `json:"insn"`
}

// succDocOf returns the JSON of an analysed program.
func succDocOf(a *pipeline.Analysis, v verdictDoc) succDoc {
	lists := newSharedLists()
	return succDoc{
		head:        headOf(a.Program),
		Subprograms: subprogDocs(a.Program),
		Blocks:      series(len(a.Graph.Blocks), blockDocs(a, lists)),
		Indirect:    series(len(a.Succ.Indirect), func(i int) any { return indirectDocOf(&a.Succ.Indirect[i], lists) }),
		Lists:       lists.series(),
		Kernel:      v,
		Diagnostics: diagnostics(a),
	}
}

// indirectDocOf returns the JSON of an indirect jump or call.
func indirectDocOf(in *succ.Indirect, lists *sharedLists) *indirectDoc {
	doc := &indirectDoc{
		Insn: int(in.PC), Op: in.Op, Register: int(in.Reg), Status: string(in.Status), Tables: []useDoc{},
		Exact: listID(lists, in.Exact), Proven: listID(lists, in.Proven), Range: listID(lists, in.Range),
		Kernel: listID(lists, in.Kernel), Reason: in.Reason,
	}
	for _, u := range in.Tables {
		doc.Tables = append(doc.Tables, useDoc{u.Name, u.Entries, u.Min, u.Max, listID(lists, u.Selected)})
	}
	return doc
}

// series returns n elements of an array, which are made when they are written.
func series(n int, element func(i int) any) jsonstream.Series {
	return func(yield func(any) bool) {
		for i := range n {
			if !yield(element(i)) {
				return
			}
		}
	}
}

// ints converts slots or indices to plain numbers; the result is never nil.
func ints[T ~int | ~int32](s []T) []int {
	out := make([]int, len(s))
	for i, v := range s {
		out[i] = int(v)
	}
	return out
}

func subprogDocs(p *bytecode.Program) []subprogDoc {
	out := make([]subprogDoc, 0, len(p.Subprogs))
	for _, s := range p.Subprogs {
		out = append(out, subprogDoc{s.Name, int(s.Start), int(s.End)})
	}
	return out
}

// blockDocs returns what makes the JSON of each block.
func blockDocs(a *pipeline.Analysis, lists *sharedLists) func(i int) any {
	g := a.Graph
	x, facts := explain.New(a), a.Succ.Facts
	return func(i int) any {
		b, id := &g.Blocks[i], blockID(i)
		doc := blockDoc{
			ID: i, Start: int(b.Start), End: int(b.End), Subprogram: b.Sub,
			Death: string(x.Death(id)), Succs: lists.edges(g.Succs(id)),
		}
		if facts.Asked() {
			reached := facts.BlockReached(id)
			doc.Reachable, doc.Verifier = &reached, facts.ReachBlock(id).String()
		}
		return &doc
	}
}

// diagnostics returns what the loader, the graph and the analysis found odd.
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
