// Package diff compares two builds of BPF programs: numbers, functions, blocks, instructions and
// the targets of indirect jumps.
//
//	r := diff.Compare(old, new)
//	r.Text(os.Stdout, diff.TextOptions{})
//
//	metric        old  new  diff
//	instructions   63   65  +2 (+3.17%)
//	blocks: 11 same, 1 changed, 0 added, 0 removed
//	  ~ b1  insn 6..7 → 6..9  14 → 22 bytes  ; if (kind > 6) @ filter.c:31
//
// Programs and functions are matched by name, then by what they do; blocks by their instructions
// and C lines, in order, and if those changed by the blocks around them, never by index. A block
// that only moved counts as the same. The package compares two analyses; it decides nothing about
// either.
package diff

import (
	"slices"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/internal/shape"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
)

// Side is one of the two builds.
type Side struct {
	Input    string     // what the user called it
	Programs []Compiled // those that could be analysed
	// Compilers are those that the objects name, each once, and Remarks their effects on control
	// flow.
	Compilers, Remarks []string
}

// Compiled is a program of a Side.
type Compiled struct {
	Key      string // the key for matching: its name, with the object's for several objects
	Analysis *pipeline.Analysis
}

// Report is the difference between two sides.
type Report struct {
	Old      string    `json:"old"`
	New      string    `json:"new"`
	Profile  string    `json:"profile"`
	Programs []Program `json:"programs"`
	Added    []string  `json:"added"` // programs that only New has
	Removed  []string  `json:"removed"`

	// Compilers are those of the old and of the new side. Remarks describe the effects on control
	// flow of those that only one side has.
	Compilers [2][]string `json:"compilers"`
	Remarks   []string    `json:"compiler_remarks"`

	Title   string     `json:"-"` // of the profile
	OnlyOld []Compiled `json:"-"` // the programs of Removed
	OnlyNew []Compiled `json:"-"` // the programs of Added
}

// Same reports whether nothing is different.
func (r *Report) Same() bool {
	for i := range r.Programs {
		if !r.Programs[i].Same {
			return false
		}
	}
	return len(r.Added)+len(r.Removed) == 0
}

// compilers returns the compilers of both sides and the remarks, one a line, when
// the compilers differ.
func (r *Report) compilers() []string {
	if slices.Equal(r.Compilers[0], r.Compilers[1]) {
		return nil
	}
	name := func(list []string) string {
		if len(list) == 0 {
			return "unknown"
		}
		return strings.Join(list, ", ")
	}
	return append([]string{"compiler: " + name(r.Compilers[0]) + " → " + name(r.Compilers[1])}, r.Remarks...)
}

// setCompilers records the compilers of the sides.
func (r *Report) setCompilers(old, now *Side) {
	r.Compilers = [2][]string{append([]string{}, old.Compilers...), append([]string{}, now.Compilers...)}
	r.Remarks = []string{}
	for _, pair := range [][2][]string{{old.Remarks, now.Remarks}, {now.Remarks, old.Remarks}} {
		for _, s := range pair[0] {
			if !slices.Contains(pair[1], s) {
				r.Remarks = append(r.Remarks, s)
			}
		}
	}
}

// Program is the difference between two versions of a program.
type Program struct {
	Name    string    `json:"name"`
	OldName string    `json:"old_name"`
	Same    bool      `json:"same"` // same instructions and tables, same machine code
	Metrics []Metric  `json:"metrics"`
	Verdict [2]string `json:"verdict"` // of the kernel's rules, old and new
	Funcs   []Func    `json:"functions"`
	Counts  Counts    `json:"counts"`
	Blocks  []Block   `json:"blocks"` // those that changed, in the order of new
	Jumps   []Jump    `json:"indirect"`

	Old *pipeline.Analysis `json:"-"`
	New *pipeline.Analysis `json:"-"`

	// OldBlock holds for each block of New the block of Old that it is a version
	// of, OldFunc the same for functions; -1 for none.
	OldBlock []int `json:"-"`
	OldFunc  []int `json:"-"`
}

// Metric is a number of a program. Unknown is -1.
type Metric struct {
	Name string `json:"name"`
	Old  int    `json:"old"`
	New  int    `json:"new"`
}

// Func is a function in both versions, or in one: then the other numbers are -1.
type Func struct {
	Name    string `json:"name"`
	OldName string `json:"old_name"`
	Insns   [2]int `json:"insns"` // slots, old and new
	Blocks  [2]int `json:"blocks"`
	Bytes   [2]int `json:"bytes"` // of machine code
	Stack   [2]int `json:"stack"` // bytes
}

// Counts counts blocks.
type Counts struct {
	Same    int `json:"same"`
	Changed int `json:"changed"`
	Added   int `json:"added"`
	Removed int `json:"removed"`
	Moved   int `json:"moved"` // of Same and Changed: in another order
}

// Change is the kind of a block's change.
type Change string

// The changes.
const (
	Changed Change = "changed" // other instructions, or executions reach it in one version only
	Added   Change = "added"
	Removed Change = "removed"
	Moved   Change = "moved" // same instructions, another order
)

// Block is a block that changed. Numbers that one side lacks are -1.
type Block struct {
	Change Change    `json:"change"`
	Func   string    `json:"function"`
	ID     [2]int    `json:"block"` // number, old and new
	Start  [2]int    `json:"start"` // first slot
	End    [2]int    `json:"end"`   // slot after the last
	Bytes  [2]int    `json:"bytes"`
	Alive  [2]bool   `json:"reachable"`
	Source *Source   `json:"source,omitempty"` // C line of what changed, or else of its first instruction
	Lines  []Line    `json:"lines,omitempty"`  // instructions added or removed
	Edges  *EdgeDiff `json:"edges,omitempty"`  // successors added or removed, as block numbers
}

// EdgeDiff holds the successors of a block that are in one version only.
type EdgeDiff struct {
	Lost   []int `json:"lost"`   // blocks of old
	Gained []int `json:"gained"` // blocks of new
}

// Line is an instruction that only one version of a block has.
type Line struct {
	Op   string `json:"op"` // "-" or "+"
	Insn int    `json:"insn"`
	Text string `json:"text"`
}

// Source is a C line.
type Source struct {
	File string `json:"file"`
	Line int    `json:"line"`
	Text string `json:"text"`
}

// Jump is an indirect jump or call whose targets changed.
type Jump struct {
	Op      string    `json:"op"`
	Insn    [2]int    `json:"insn"` // slot, -1 where there is none
	Status  [2]string `json:"status"`
	Targets [2]int    `json:"targets"` // number of them
	Lost    []Target  `json:"lost"`
	Gained  []Target  `json:"gained"`
	Source  *Source   `json:"source,omitempty"`
}

// Target is a target of an indirect jump.
type Target struct {
	Block  int     `json:"block"`
	Source *Source `json:"source,omitempty"`
}

// Compare matches the programs of two sides and compares each pair.
func Compare(old, new Side) *Report {
	r := &Report{Old: old.Input, New: new.Input, Programs: []Program{}, Added: []string{}, Removed: []string{}}
	r.setCompilers(&old, &new)
	pairs := matchPrograms(old.Programs, new.Programs)
	used := make([]bool, len(old.Programs))
	for j, n := range new.Programs {
		i := pairs[j]
		if i < 0 {
			r.Added, r.OnlyNew = append(r.Added, n.Key), append(r.OnlyNew, n)
			continue
		}
		used[i] = true
		r.Programs = append(r.Programs, compare(old.Programs[i], n))
	}
	for i, o := range old.Programs {
		if !used[i] {
			r.Removed, r.OnlyOld = append(r.Removed, o.Key), append(r.OnlyOld, o)
		}
	}
	for _, s := range [][]Compiled{new.Programs, old.Programs} {
		if len(s) > 0 && r.Profile == "" {
			r.Profile, r.Title = s[0].Analysis.Profile.Name, s[0].Analysis.Profile.Title()
		}
	}
	return r
}

// matchPrograms returns for each new program the old one that it is a version of, -1 for none: the
// one with its name, else one with the same instructions, else the only one left on both sides.
func matchPrograms(old, new []Compiled) []int {
	out := make([]int, len(new))
	byKey := map[string]int{}
	for i := len(old) - 1; i >= 0; i-- {
		byKey[old[i].Key] = i
	}
	used := make([]bool, len(old))
	for j, n := range new {
		out[j] = -1
		if i, ok := byKey[n.Key]; ok && !used[i] {
			out[j], used[i] = i, true
		}
	}
	byShape := map[uint64]int{}
	left := []int{}
	for i := len(old) - 1; i >= 0; i-- {
		if !used[i] {
			byShape[whole(old[i])] = i
			left = append(left, i)
		}
	}
	var rest []int
	for j, n := range new {
		if out[j] >= 0 {
			continue
		}
		if i, ok := byShape[whole(n)]; ok && !used[i] {
			out[j], used[i] = i, true
		} else {
			rest = append(rest, j)
		}
	}
	if len(left) == 1 && len(rest) == 1 && !used[left[0]] && len(old) == 1 && len(new) == 1 {
		out[rest[0]] = left[0]
	}
	return out
}

// whole hashes all instructions of a program.
func whole(c Compiled) uint64 { return shape.Exact(c.Analysis.Program, 0, c.Analysis.Program.Len()) }

// compare compares two versions of a program.
func compare(o, n Compiled) Program {
	m := newMatcher(o.Analysis, n.Analysis)
	m.match()
	p := Program{
		Name: n.Key, OldName: o.Key, Old: o.Analysis, New: n.Analysis,
		Metrics: metrics(m.old, m.new), Verdict: [2]string{Verdict(o.Analysis), Verdict(n.Analysis)},
		Funcs: m.functions(), Blocks: []Block{}, Jumps: []Jump{},
	}
	for _, o := range m.new.to {
		p.OldBlock = append(p.OldBlock, int(o)) // cfg.NoBlock is -1
	}
	p.OldFunc = make([]int, len(n.Analysis.Program.Subprogs))
	for i := range p.OldFunc {
		p.OldFunc[i] = -1
	}
	for _, f := range m.funcs {
		p.OldFunc[f.B] = f.A
	}
	m.blocks(&p)
	p.Jumps = append(p.Jumps, m.jumps()...)
	p.Same = same(&p)
	return p
}

// same reports whether two versions of a program have no difference that the
// report lists.
func same(p *Program) bool {
	for _, x := range p.Metrics {
		if x.Old != x.New {
			return false
		}
	}
	return len(p.Blocks) == 0 && len(p.Jumps) == 0 && p.Verdict[0] == p.Verdict[1]
}

// reached reports whether the verifier keeps a block.
func reached(a *pipeline.Analysis, b cfg.BlockID) bool { return a.Succ.Facts.BlockReached(b) }
