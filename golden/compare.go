package golden

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/internal/visible"
)

// Kind is the subject of a Cause. Compare sorts by it: changes of the source first, their
// consequences later.
type Kind string

// The kinds of cause.
const (
	ProfileChanged Kind = "profile"      // compiled for another kernel or other mitigations
	ProgramChanged Kind = "program"      // other instructions were submitted
	InputChanged   Kind = "input"        // same instructions, other maps, constants, type or flags
	CompilerOther  Kind = "compiler"     // same program and profile, other machine code
	FuncAdded      Kind = "func-added"   //
	FuncRemoved    Kind = "func-removed" //
	FuncRenamed    Kind = "func-renamed" //
	BlockAdded     Kind = "block-added"
	BlockRemoved   Kind = "block-removed"
	BlockMoved     Kind = "block-moved"  // same instructions in another place
	Instructions   Kind = "instructions" // the block's instructions changed
	Liveness       Kind = "reachable"    // the verifier removes the block, or no longer does
	Prologue       Kind = "prologue"     // another function entry
	CodeSize       Kind = "code"         // same instructions, other code
	JumpSize       Kind = "jump-size"    // a jump became long or short
	Successors     Kind = "successors"   // leads elsewhere
	TableChanged   Kind = "table"
	Shifted        Kind = "shifted" // blocks that only lie elsewhere
	Other          Kind = "other"
)

// order holds the kinds as Compare sorts them.
var order = [...]Kind{
	ProfileChanged, ProgramChanged, InputChanged, CompilerOther, FuncAdded, FuncRemoved, FuncRenamed, BlockAdded,
	BlockRemoved, BlockMoved, Instructions, Liveness, Prologue, CodeSize, JumpSize, Successors, TableChanged, Shifted,
	Other}

// Cause is one reason why two layouts differ.
type Cause struct {
	Kind     Kind
	Old, New cfg.BlockID // the block in either layout, cfg.NoBlock for none
	Text     string      // a clause: "b7 grew 4 bytes: its jump to b12 became long because b9 gained 6 bytes"
}

// String returns the text.
func (c Cause) String() string { return c.Text }

// comparison is the state of Compare.
type comparison struct {
	old, new *File
	*matching
	out []Cause
}

// Compare explains the differences between two layouts as causes. There is none if and only if
// the layouts have the same Text, apart from Unverified. Block names in the texts are those of
// new, followed by the old name if it differs.
func Compare(old, new *File) []Cause {
	if old.Unverified != new.Unverified {
		same := *old
		same.Unverified = new.Unverified
		old = &same
	}
	if old.Text() == new.Text() {
		return nil
	}
	c := &comparison{old: old, new: new, matching: match(old, new)}
	c.functions()
	for n := range new.Blocks {
		c.block(n)
	}
	for o := range old.Blocks {
		if b := &old.Blocks[o]; c.toNew[o] == cfg.NoBlock {
			c.add(BlockRemoved, o, -1, "b%d of the golden file is gone (%s)", o, sizeText(b))
		}
	}
	c.tables()
	c.shifted()
	c.head()
	slices.SortStableFunc(c.out, func(a, b Cause) int {
		return cmp.Compare(slices.Index(order[:], a.Kind), slices.Index(order[:], b.Kind))
	})
	return c.out
}

// add appends a cause; o and n are block numbers or -1.
func (c *comparison) add(k Kind, o, n int, format string, args ...any) {
	c.out = append(c.out, Cause{k, cfg.BlockID(o), cfg.BlockID(n), fmt.Sprintf(format, args...)})
}

// head compares the first lines.
func (c *comparison) head() {
	o, n := c.old, c.new
	if o.Profile != n.Profile {
		c.add(ProfileChanged, -1, -1, "compiled for %s, the golden file is for %s", n.Profile, o.Profile)
	}
	parts := c.parts()
	switch {
	case o.Program != n.Program:
		c.add(ProgramChanged, -1, -1, "the golden file is of program %s", o.Program)
	case o.Hash != n.Hash:
		c.add(ProgramChanged, -1, -1, "the program changed: %s, %s of machine code", change(o.Insns, n.Insns, "insns"),
			change(o.Image, n.Image, "bytes"))
	case !parts && o.Profile == n.Profile && o.Code != n.Code && len(c.out) > 0:
		c.add(CompilerOther, -1, -1, "program and profile name are the same: bpfcfg or the content of the profile changed")
	}
	if len(c.out) == 0 {
		c.add(Other, -1, -1, "same layout, other content: %s", firstDifference(o.Text(), n.Text()))
	}
}

// firstDifference shows the first line in which two texts differ.
func firstDifference(a, b string) string {
	if a == b {
		panic("bug: the texts are the same")
	}
	at := common(a, b)
	start := 1 + strings.LastIndexByte(a[:at], '\n')
	line := func(s string) string {
		s, _, _ = strings.Cut(s[start:], "\n")
		return fmt.Sprintf("%.160q", s)
	}
	return fmt.Sprintf("line %d is %s, was %s", 1+strings.Count(a[:at], "\n"), line(b), line(a))
}

// change writes "50 → 53 insns" or "still 50 insns".
func change(a, b int, unit string) string {
	if a == b {
		return fmt.Sprintf("still %d %s", a, unit)
	}
	return fmt.Sprintf("%d → %d %s", a, b, unit)
}

// functions reports functions that were added, removed or renamed, or have another entry.
func (c *comparison) functions() {
	for _, i := range c.freshFuncs {
		f := c.new.Funcs[i]
		c.add(FuncAdded, -1, c.entry(c.new, f), "function %s is new: %s", f.Name, funcSize(f))
	}
	for _, i := range c.goneFuncs {
		f := c.old.Funcs[i]
		c.add(FuncRemoved, c.entry(c.old, f), -1, "function %s is gone: %s", f.Name, funcSize(f))
	}
	for _, p := range c.funcs {
		of, nf := c.old.Funcs[p.A], c.new.Funcs[p.B]
		if of.Name != nf.Name {
			c.add(FuncRenamed, c.entry(c.old, of), c.entry(c.new, nf), "function %s was called %s", nf.Name, of.Name)
		}
		if a, b := before(c.old, of), before(c.new, nf); a != b && a >= 0 && b >= 0 {
			c.add(Prologue, c.entry(c.old, of), c.entry(c.new, nf), "function %s: %s before its first block", nf.Name,
				change(a, b, "bytes"))
		}
	}
}

// entry returns the first block of a function, -1 if it has none.
func (c *comparison) entry(l *File, f Func) int {
	if f.First < f.Last && f.First < len(l.Blocks) {
		return f.First
	}
	return -1
}

// funcSize returns the size of a function.
func funcSize(f Func) string {
	if f.Offset < 0 {
		return "removed by the verifier"
	}
	return visible.Count(f.Len, "byte") + ", " + visible.Count(f.Last-f.First, "block")
}

// before returns the number of bytes of a function before its first block's code, -1 if it is not
// known.
func before(l *File, f Func) int {
	if f.Offset < 0 || f.First >= f.Last || l.Blocks[f.First].Offset < 0 {
		return -1
	}
	return l.Blocks[f.First].Offset - f.Offset
}

// shifted counts the blocks that changed only their place.
func (c *comparison) shifted() {
	n, first, by := 0, -1, 0
	for i := range c.new.Blocks {
		b := &c.new.Blocks[i]
		if c.toOld[i] == cfg.NoBlock || b.Offset < 0 {
			continue
		}
		o := &c.old.Blocks[c.toOld[i]]
		if o.Offset < 0 || o.Offset == b.Offset || o.Len != b.Len || o.Hash != b.Hash {
			continue
		}
		if n++; first < 0 {
			first, by = i, b.Offset-o.Offset
		}
	}
	if n > 0 {
		c.add(Shifted, int(c.toOld[first]), first, "%s the same code at another place, from b%d on (%+d bytes there)",
			count(n, "block has", "blocks have"), first, by)
	}
}

// count writes "1 block has" or "4 blocks have".
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// tables compares jump tables by name.
func (c *comparison) tables() {
	byName := map[string]*Table{}
	for i := range c.old.Tables {
		byName[c.old.Tables[i].Name] = &c.old.Tables[i]
	}
	for i := range c.new.Tables {
		n := &c.new.Tables[i]
		o := byName[n.Name]
		if o == nil {
			c.add(TableChanged, -1, -1, "table %s is new: %s", n.Name, visible.Count(len(n.Entries), "entry"))
			continue
		}
		delete(byName, n.Name)
		c.table(o, n)
	}
	for i := range c.old.Tables {
		if o := &c.old.Tables[i]; byName[o.Name] == o {
			c.add(TableChanged, -1, -1, "table %s is gone: %s", o.Name, visible.Count(len(o.Entries), "entry"))
		}
	}
}

// maxEntries bounds the number of changed entries of a table that are listed.
const maxEntries = 4

// table compares the entries of two tables.
func (c *comparison) table(o, n *Table) {
	if len(o.Entries) != len(n.Entries) {
		c.add(TableChanged, -1, -1, "table %s: %s", n.Name, change(len(o.Entries), len(n.Entries), "entries"))
	}
	changed := 0
	for i := range min(len(o.Entries), len(n.Entries)) {
		a, b := o.Entries[i], n.Entries[i]
		was := a.Block
		if a.Block >= 0 && int(a.Block) < len(c.toNew) {
			a.Block = c.toNew[a.Block]
		}
		if a.Offset >= 0 && b.Offset >= 0 {
			a.Offset = b.Offset // if both are displaced, the place is meaningless
		}
		if a == b {
			continue
		}
		if changed++; changed > maxEntries {
			continue
		}
		if x := b; x.Removed {
			if x.Removed, x.Offset = false, a.Offset; x == a {
				c.add(TableChanged, int(was), int(b.Block), "table %s[%d]: its target %s is removed now", n.Name, i, x)
				continue
			}
		}
		a.Block = was
		c.add(TableChanged, int(was), int(b.Block), "table %s[%d] leads to %s, was %s in the golden file", n.Name, i, b, a)
	}
	if changed > maxEntries {
		c.add(TableChanged, -1, -1, "table %s: %d more entries lead elsewhere", n.Name, changed-maxEntries)
	}
}
