// Package explain gives the reasons for the results of the analysis at one place in a program: why
// an indirect jump has these targets, why a block is dead, and the facts before an instruction.
//
//	x := explain.New(a)
//	ans, err := x.At(explain.Place{Kind: "gotox", Number: 8})
//	ans.Write(os.Stdout)
//
// An Answer is plain data with JSON names; docs/explain.md shows both forms. The package computes
// no facts of its own: it selects the relevant ones from an analysis and orders them as a person
// would look for them.
package explain

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/bpfcfg/bpfcfg/abstract"
	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/layout"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/succ"
	"github.com/bpfcfg/bpfcfg/succ/rules"
)

// Explainer answers questions on one analysis.
type Explainer struct {
	a      *pipeline.Analysis
	g      *cfg.Graph
	p      *bytecode.Program
	replay *abstract.Replay // nil until needed
	tree   []int            // of each block, the last edge of the shortest way in; -1 for none
	depth  []int32          // of each block, the edges on that way
	early  []cfg.BlockID    // of each block, the one on its way from which steps are listed again
	places *layout.Layout   // nil without machine code
	index  *index           // nil until needed
	doms   *cfg.DomTree     // nil until needed
	taken  *cfg.Directed    // edges within functions that an execution can take; nil until needed
	limits Limits
	always *Explainer         // by any; nil until needed
	rules  *rules.Verdict     // nil until needed
	any    *pipeline.Analysis // of the program with its configuration unknown, see anywhere
	asked  bool               // any is settled
}

// Limits bound the explanation of one place: the steps of a path to it (the middle is
// left out), the slots in a list of targets, and the rows of a table. 0 is no limit.
// An answer states what it leaves out.
type Limits struct{ Steps, Targets, Rows int }

// Limit makes answers keep to limits. They are for answers on many places of a large
// program: each may be as long as the program.
func (x *Explainer) Limit(l Limits) { x.limits = l }

// New prepares to answer.
func New(a *pipeline.Analysis) *Explainer {
	x := &Explainer{a: a, g: a.Graph, p: a.Program}
	if a.Image != nil {
		x.places = layout.Of(a.Graph, a.Rewrite.Xlated, a.Rewrite.Program.Funcs, a.Image)
	}
	return x
}

// Places returns the places of a program that need an explanation: its indirect jumps and calls,
// then each dead block next to live code or with its address in a table.
func (x *Explainer) Places() []Place {
	var out []Place
	for _, d := range x.a.Succ.Indirect {
		out = append(out, Place{Kind: d.Op, Number: int(d.PC)})
	}
	for b := range x.g.Blocks {
		if !x.a.Succ.Facts.BlockReached(cfg.BlockID(b)) && x.borders(cfg.BlockID(b)) {
			out = append(out, Place{Kind: "block", Number: b})
		}
	}
	return out
}

// borders reports whether a dead block is where an explanation begins: live code leads to it, or it
// has no way in at all.
func (x *Explainer) borders(b cfg.BlockID) bool {
	preds := x.g.Preds(b)
	return len(preds) == 0 || slices.ContainsFunc(preds,
		func(e cfg.Edge) bool { return x.a.Succ.Facts.BlockReached(e.From) })
}

// Answer is the explanation of one place. Parts that do not apply are not set.
type Answer struct {
	Place    string  `json:"place"`    // "gotox@8"
	Function string  `json:"function"` // C name
	Block    int     `json:"block"`
	Insn     int     `json:"insn"` // first slot of a block
	Text     string  `json:"text"` // the instruction, or how the block ends
	Source   *Source `json:"source,omitempty"`
	Reloc    string  `json:"relocation,omitempty"` // how a loader relocates the instruction, in words

	Reachable bool   `json:"reachable"` // by the verifier's rules
	Executed  bool   `json:"executed"`  // some execution may reach the place
	Verdict   string `json:"verdict"`   // one sentence

	Way      []Step     `json:"way,omitempty"`          // into the block, from the entry of the program
	Skipped  int        `json:"way_left_out,omitempty"` // steps in the middle of the way that are left out
	Before   []int      `json:"dominators,omitempty"`   // blocks on every way from the entry of the function to it
	Cycle    []int      `json:"cycle,omitempty"`        // blocks of a shortest cycle from it back to it
	Origin   []Origin   `json:"origin,omitempty"`       // where the register of an indirect jump comes from
	Facts    []string   `json:"facts,omitempty"`        // facts at the place, a line for each separate state
	Tables   []Table    `json:"tables,omitempty"`       // of an indirect jump or call
	Targets  *Targets   `json:"targets,omitempty"`      // of an indirect jump or call
	In       []Way      `json:"in,omitempty"`           // edges into a block
	Out      []Way      `json:"out,omitempty"`          // edges out of a block
	Dead     []Reason   `json:"dead,omitempty"`         // why nothing reaches it
	Death    Death      `json:"death,omitempty"`        // in which configurations
	Code     *CodePlace `json:"code,omitempty"`         // where the verifier and the JIT put it
	Rules    string     `json:"rules,omitempty"`        // verdict of the kernel's rules on the program, for indirect jumps
	Rejected bool       `json:"rejected,omitempty"`
}

// Source is a line of C.
type Source struct {
	File string `json:"file"`
	Line int    `json:"line"`
	Text string `json:"text"`
}

// Step is a block on the way in.
type Step struct {
	Block  int     `json:"block"`
	Insn   int     `json:"insn"` // its last instruction
	Text   string  `json:"text"`
	Kind   string  `json:"kind"` // of the edge that is followed, empty for the last step
	To     int     `json:"to"`
	Source *Source `json:"source,omitempty"`
}

// Origin is an instruction that makes or bounds the address jumped to, in the
// order of execution.
type Origin struct {
	Insn   int     `json:"insn"`
	Text   string  `json:"text"`
	Role   string  `json:"role"`            // "defines", "bounds", "loads"
	Reg    string  `json:"reg,omitempty"`   // register that it defines or bounds
	Value  string  `json:"value,omitempty"` // what the register holds after it
	Source *Source `json:"source,omitempty"`
}

// Table is a table that an indirect jump or call reads.
type Table struct {
	Name     string  `json:"name"`
	Entries  int     `json:"entries"`
	Min      int     `json:"min"` // by the verifier's rule
	Max      int     `json:"max"`
	Selected int     `json:"selected"` // number of entries that an execution can select
	Rows     []Entry `json:"rows"`
	More     int     `json:"entries_left_out,omitempty"` // number of last entries without a row
}

// Entry is a run of entries of a table with one target.
type Entry struct {
	First    int     `json:"first"`
	Last     int     `json:"last"`
	Target   int     `json:"target"` // slot
	Block    int     `json:"block"`  // -1 outside the program
	Selected bool    `json:"selected"`
	Why      string  `json:"why,omitempty"` // when it is not
	Source   *Source `json:"source,omitempty"`
}

// Targets are the three answers on an indirect jump or call, in slots.
type Targets struct {
	Status      string   `json:"status"` // exact, over-approximate, unresolved
	Exact       []int    `json:"exact"`
	Range       []int    `json:"range"`
	Kernel      []int    `json:"kernel"`
	More        *Counts  `json:"left_out,omitempty"`    // last slots of each list that are left out
	Differences []string `json:"differences,omitempty"` // why they are not the same
}

// Counts are numbers for the three answers.
type Counts struct {
	Exact  int `json:"exact"`
	Range  int `json:"range"`
	Kernel int `json:"kernel"`
}

// Way is an edge into or out of a block.
type Way struct {
	From     int    `json:"from"`
	To       int    `json:"to"`
	Kind     string `json:"kind"`
	Text     string `json:"text"`
	Feasible bool   `json:"feasible"`
}

// Reason says why one way into dead code is closed.
type Reason struct {
	Kind   string   `json:"kind"` // "edge", "table", "no-way-in", "not-called"
	Insn   int      `json:"insn"` // that decides, -1 for none
	Text   string   `json:"text"`
	Facts  []string `json:"facts,omitempty"` // before that instruction
	Source *Source  `json:"source,omitempty"`
}

// CodePlace is the place of an instruction or block in the machine code.
type CodePlace struct {
	Xlated int `json:"xlated"` // slot after the verifier's rewrites, -1 when it is removed
	Offset int `json:"offset"` // byte in the image, -1 when it is removed
	Len    int `json:"len"`    // bytes of a block, 0 for an instruction
}

// At explains a place. The error, which wraps ErrPlace, names existing places.
func (x *Explainer) At(at Place) (*Answer, error) {
	switch at.Kind {
	case "gotox", "callx":
		if d := x.indirectAt(bytecode.PC(at.Number)); d != nil && d.Op == at.Kind {
			return x.indirect(at, d), nil
		}
		return nil, x.noIndirect(at)
	case "block":
		if at.Number < 0 || at.Number >= len(x.g.Blocks) {
			return nil, fmt.Errorf("%w: %v: the blocks are b0 to b%d", ErrPlace, at, len(x.g.Blocks)-1)
		}
		return x.block(at, cfg.BlockID(at.Number)), nil
	case "insn":
		if !x.g.InsnAt(bytecode.PC(at.Number)) {
			return nil, fmt.Errorf("%w: %v: no instruction begins at that slot, the last slot is %d", ErrPlace, at, x.p.Len()-1)
		}
		return x.insn(at, bytecode.PC(at.Number)), nil
	}
	return nil, fmt.Errorf("%w: %v", ErrPlace, at)
}

// noIndirect returns an error that names the existing indirect jumps or calls.
func (x *Explainer) noIndirect(at Place) error {
	const most = 10
	var where []string
	for _, d := range x.a.Succ.Indirect {
		if d.Op == at.Kind {
			where = append(where, strconv.Itoa(int(d.PC)))
		}
	}
	switch {
	case len(where) == 0:
		return fmt.Errorf("%w: %v: the program has no %s", ErrPlace, at, at.Kind)
	case len(where) > most:
		where = append(where[:most], "…")
	}
	return fmt.Errorf("%w: %v: there is a %s at %s", ErrPlace, at, at.Kind, strings.Join(where, ", "))
}

// start fills in the common parts of answers.
func (x *Explainer) start(at Place, b cfg.BlockID, pc bytecode.PC, shown bytecode.PC) *Answer {
	rel := ""
	if r, ok := x.p.RelocAt(shown); ok {
		rel = r.Note()
	}
	way, skipped := x.way(b)
	return &Answer{
		Skipped: skipped, Reloc: rel, Place: at.String(), Function: x.function(b), Block: int(b), Insn: int(pc),
		Text:   x.p.Text(shown),
		Source: x.source(shown), Reachable: x.a.Succ.Facts.BlockReached(b), Executed: x.a.Succ.Exact.BlockReached(b),
		Way: way,
	}
}

// function returns the name of a block's subprogram.
func (x *Explainer) function(b cfg.BlockID) string {
	return x.p.Subprogs[x.g.Blocks[b].Sub].Label()
}

// source returns the C line of an instruction.
func (x *Explainer) source(pc bytecode.PC) *Source {
	l, ok := x.p.LineAt(pc)
	if !ok {
		return nil
	}
	return &Source{l.File, l.Line, strings.TrimSpace(l.Text)}
}

// verdict returns the verdict of the kernel's rules on the program.
func (x *Explainer) verdict() *rules.Verdict {
	if x.rules == nil {
		v := x.a.Verdict()
		x.rules = &v
	}
	return x.rules
}

// before returns the states of executions before an instruction.
func (x *Explainer) before(pc bytecode.PC) []*abstract.State {
	if x.replay == nil {
		x.replay = abstract.NewReplay(x.a.Succ.Exact, abstract.Options{Rules: abstract.Executions})
	}
	return x.replay.Before(pc)
}

// factsBefore returns the facts before an instruction as text.
func (x *Explainer) factsBefore(pc bytecode.PC) []string {
	var out []string
	for _, s := range x.before(pc) {
		if t := s.String(); !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	return out
}

// code returns the place of an instruction in the machine code, nil without machine code.
func (x *Explainer) code(pc bytecode.PC) *CodePlace {
	if x.places == nil {
		return nil
	}
	c := &CodePlace{Xlated: int(x.a.Rewrite.Xlated[pc]), Offset: -1}
	v, funcs := x.a.Rewrite.Xlated[pc], x.a.Rewrite.Program.Funcs
	i, _ := slices.BinarySearchFunc(funcs, v, func(f jit.Func, v bytecode.PC) int { return cmp.Compare(f.End, v+1) })
	if i < len(funcs) && v >= funcs[i].Start {
		c.Offset = x.a.Image.Funcs[i].Offset + int(x.a.Image.Offsets[v])
	}
	return c
}

// insn explains an instruction: the facts before it.
func (x *Explainer) insn(at Place, pc bytecode.PC) *Answer {
	b, _ := x.g.BlockAt(pc)
	ans := x.start(at, b, pc, pc)
	ans.Facts = x.factsBefore(pc)
	ans.Code = x.code(pc)
	x.liveness(ans, b)
	x.around(ans, b)
	return ans
}

// around returns, for a block that is executed, its dominators and its cycle.
func (x *Explainer) around(ans *Answer, b cfg.BlockID) {
	if ans.Executed {
		ans.Before, ans.Cycle = x.dominators(b), x.cycle(b)
	}
}

// liveness states in a sentence whether a place is reached, or why not.
func (x *Explainer) liveness(ans *Answer, b cfg.BlockID) {
	if ans.Executed {
		ans.Verdict = "an execution can reach it"
		return
	}
	ans.Dead, ans.Death = x.dead(b), x.Death(b)
	ans.Verdict = "no execution reaches it" + x.inConfigurations(ans.Death)
	if ans.Reachable {
		ans.Verdict += ", but the verifier follows a path to it, so it stays in the program"
	} else {
		ans.Verdict += "; the verifier removes it"
	}
}

// block explains a block: its facts and the edges around it, or why it is dead.
func (x *Explainer) block(at Place, b cfg.BlockID) *Answer {
	blk := x.g.Blocks[b]
	ans := x.start(at, b, blk.Start, blk.Last)
	ans.Source = x.source(blk.Start)
	x.liveness(ans, b)
	x.around(ans, b)
	ans.Facts = x.a.Succ.Exact.EntryText(b)
	if ans.Code = x.code(blk.Start); ans.Code != nil {
		ans.Code.Offset = x.places.Code[b]
		ans.Code.Len = x.look().bytes[b]
	}
	for _, i := range x.g.PredIDs(b) {
		ans.In = append(ans.In, x.wayOf(int(i)))
	}
	lo, hi := x.g.SuccIDs(b)
	for i := lo; i < hi; i++ {
		ans.Out = append(ans.Out, x.wayOf(i))
	}
	return ans
}

// wayOf describes an edge.
func (x *Explainer) wayOf(i int) Way {
	e := x.g.Edges()[i]
	return Way{
		From: int(e.From), To: int(e.To), Kind: e.Kind.String(), Text: x.p.Text(x.g.Blocks[e.From].Last),
		Feasible: x.a.Succ.Exact.EdgeFeasible(i),
	}
}

// statusText is the status of an indirect jump in words.
func statusText(d *succ.Indirect) string {
	switch d.Status {
	case succ.Exact:
		return "exact: the analysis has a separate path to each of these targets"
	case succ.OverApproximate:
		return "over-approximate: these include all targets, and perhaps other places"
	default:
		return "unresolved: there may be other targets"
	}
}
