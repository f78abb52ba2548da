// Package check turns the analysis of a program into findings: places that a kernel would refuse or
// crash on, and facts that a reader of the C source should know, each at the line that it is about.
//
//	for _, f := range check.Findings(a, check.Expect{}) {
//		fmt.Println(f.Location.File, f.Location.Line, f.Level, f.ID, f.Message)
//	}
//	// prog.c 42 error unreachable no control flow reaches insn 17 to 20: …
//
// A finding is data: where it is, what it says, what to do, the shortest
// feasible path that leads there, and a fingerprint that stays when unrelated
// instructions come or go. Catalogue describes every kind of finding.
//
// The package judges the results of other packages; it only analyses reachability along the edges
// of their graphs. It prints nothing: package report does. Further requirements of users (levels,
// assertions) are in package policy.
package check

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
)

// Level says how bad a finding is.
type Level string

// The levels, in words that SARIF knows, too.
const (
	Off     Level = "off" // not reported
	Note    Level = "note"
	Warning Level = "warning"
	Error   Level = "error"
)

// Levels returns the levels that a finding can be given, rising.
func Levels() []Level { return []Level{Off, Note, Warning, Error} }

// Rank returns the level's place in Levels, -1 for a word that is no level.
func (l Level) Rank() int { return slices.Index(Levels(), l) }

// AtLeast reports whether the level is min or worse. Nothing is at least Off.
func (l Level) AtLeast(min Level) bool { return min.Rank() > 0 && l.Rank() >= min.Rank() }

// Location is a place in the C source. The zero value is no place.
type Location struct {
	File string // as the compiler recorded it
	Line int    // from 1
	Col  int    // from 1; 0 when unknown
	Text string // the line itself, trimmed; empty when not recorded
}

// Known reports whether there is a place at all.
func (l Location) Known() bool { return l.File != "" && l.Line > 0 }

// Step is a block on a path; the last one is that of the finding.
type Step struct {
	Location
	Block   cfg.BlockID
	PC      bytecode.PC // last instruction of the block, which decides where to go; the finding's in the last step
	Text    string      // that instruction
	Skipped int         // blocks left out of the path before this one
}

// Related is another place that a finding mentions: a table, a target.
type Related struct {
	Location
	PC      bytecode.PC // -1 when it is no instruction
	Message string
}

// Finding is one thing that a program's author should know.
type Finding struct {
	ID       ID
	Level    Level
	Program  string      // name of the program
	Function string      // name of the subprogram
	PC       bytecode.PC // -1 when it is about the whole program
	Block    cfg.BlockID // -1 with PC -1
	Location Location
	Message  string // what is wrong, in a sentence without a full stop
	Fix      string // what to do about it; may be empty
	Kernel   string // what Linux prints about it; empty when it prints nothing or more than one thing may come first
	Related  []Related

	// Fingerprint identifies the finding across versions of a program: 16
	// hexadecimal digits.
	Fingerprint string

	from *context // of an analysed program: has the path
	key  string   // distinguishes the finding from others at an equal instruction
	dead string   // what is dead, so that other code that dies later is another finding
}

// Path returns the shortest feasible path from the program's entry, nil when there is none. It is
// computed again each time: paths would take most of the memory of findings, and few are used.
func (f *Finding) Path() []Step {
	if f.from == nil || f.Block == cfg.NoBlock {
		return nil
	}
	path := f.from.pathTo(f.Block)
	if len(path) > 0 { // it ends at the finding, not at the end of its block
		end := &path[len(path)-1]
		end.Location, end.PC, end.Text = f.Location, f.PC, f.from.p.Text(f.PC)
	}
	return path
}

// Refused returns the finding that a kernel which was asked refuses a program.
func Refused(p *bytecode.Program, kernel, why string) Finding {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00asked", KernelRefuses, p.Name))
	return Finding{
		ID: KernelRefuses, Level: KernelRefuses.Info().Level, Program: p.Name, Function: p.Name, PC: -1, Block: cfg.NoBlock,
		Message: kernel + " refused to load the program: " + why, Fingerprint: hex.EncodeToString(sum[:8]),
	}
}

// Findings returns the findings about an analysed program and its requirements, by instruction.
// Levels are those of the catalogue.
func Findings(a *pipeline.Analysis, e Expect) []Finding {
	c := newContext(a)
	c.collect(e)
	return c.done()
}

// collect runs all checks of a program.
func (c *context) collect(e Expect) {
	c.common()
	c.onKernel(e)
}

// common runs the checks whose results do not depend on the kernel, apart from facts.
func (c *context) common() {
	c.oddities()
	c.unreachable()
	c.midLoads()
	c.deadBranches()
	c.unresolved()
	c.tableEntries()
	c.wideTables()
	c.deadEntries()
	c.irreducible()
	c.explosion()
}

// onKernel runs the checks of a program on its profile's kernel.
func (c *context) onKernel(e Expect) {
	c.hazardous()
	c.layout()
	c.expect(e)
	c.verdict() // last: it adds the kernel's words to earlier findings
}

// done puts the findings in order and fingerprints them.
func (c *context) done() []Finding {
	c.found = append(c.found, c.rest()...)
	slices.SortStableFunc(c.found, func(x, y Finding) int { return order(&x, &y) })
	c.fingerprint()
	return c.found
}

// order is that of findings: by instruction, the worst first.
func order(x, y *Finding) int {
	return cmp.Or(cmp.Compare(x.PC, y.PC), cmp.Compare(y.Level.Rank(), x.Level.Rank()), cmp.Compare(x.ID, y.ID))
}

// Broken reports whether the findings explain why a program has no machine
// code: a kernel would refuse it.
func Broken(fs []Finding) bool {
	return slices.ContainsFunc(fs, func(f Finding) bool { return f.Kernel != "" })
}
