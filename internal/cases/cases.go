// Package cases finds the C values of the cases that a jump table's entries stand for.
// A compiler subtracts the lowest case before it indexes the table:
//
//	bias, known := cases.Bias(a, &a.Succ.Indirect[0])
//	fmt.Println(entry + bias)                      // the value of the case
//
// The package does not handle switches without a table.
package cases

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/succ"
)

// Bias returns the number to add to the index of a table's entry to get the C value of its case. It
// is known if the jump and the subtraction from the switched value both come from a line with a
// switch over a plain expression, and the lines of the targets name no other cases: arithmetic in
// the source looks the same in the code.
func Bias(a *pipeline.Analysis, in *succ.Indirect) (int, bool) {
	if len(in.Tables) != 1 || in.Tables[0].Table < 0 || in.Tables[0].Table >= len(a.Program.Tables) {
		return 0, false
	}
	line, ok := a.Program.LineAt(in.PC)
	if !ok || !plainSwitch(line.Text) {
		return 0, false
	}
	bias, ok := indexBias(a, in, line)
	return bias, ok && casesAgree(a.Program, &in.Tables[0], bias)
}

// switchOver matches a switch over an expression on one line.
var switchOver = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\bswitch\s*\((.*)\)\s*\{?\s*(?://.*|/\*.*)?$`)
})

// plainSwitch reports whether a line of C switches over an expression without a sum
// or difference.
func plainSwitch(text string) bool {
	m := switchOver().FindStringSubmatch(strings.TrimSpace(text))
	return m != nil && !strings.ContainsAny(strings.ReplaceAll(m[1], "->", "."), "+-")
}

// maxTrace bounds how many instructions before a jump are looked at.
const maxTrace = 100

// indexBias follows the address jumped to back to the switched value: through the
// load from the table, the sum of table and scaled index, and the constant that the
// compiler subtracts.
func indexBias(a *pipeline.Analysis, in *succ.Indirect, line bytecode.Line) (int, bool) {
	t := tracer{p: a.Program, reg: in.Reg, line: line}
	b, _ := a.Graph.BlockAt(in.PC)
	for range maxTrace {
		blk := a.Graph.Blocks[b]
		pc := prevInsn(a.Program, blk.Start, in.PC, blk.End, b, a.Graph)
		for ; pc >= blk.Start; pc = before(a.Program, blk.Start, pc) {
			if done := t.step(pc); done {
				return t.bias, t.indexed
			}
			if t.steps++; t.steps > maxTrace {
				return 0, false
			}
		}
		preds := a.Graph.PredIDs(b)
		if len(preds) != 1 || !a.Graph.Local(a.Graph.Edges()[preds[0]]) {
			// An argument is unchanged; where paths meet, each may have subtracted its own number.
			entry := a.Graph.Entry(blk.Sub) == b && len(preds) == 0
			return t.bias, t.indexed && (entry || t.onlySums())
		}
		b = a.Graph.Edges()[preds[0]].From
	}
	return 0, false
}

// onlySums reports whether no instruction of the switch's line, but those that were
// passed, adds or subtracts a constant.
func (t *tracer) onlySums() bool {
	for pc := bytecode.PC(0); pc < t.p.Len(); pc += t.p.Insns[pc].Slots() {
		in := t.p.Insns[pc]
		op := in.ALUOp()
		if !in.Class().IsALU() || in.Source() != asm.ImmSource || op != asm.Add && op != asm.Sub ||
			slices.Contains(t.passed, pc) {
			continue
		}
		if l, ok := t.p.LineAt(pc); ok && l.File == t.line.File && l.Line == t.line.Line {
			return false
		}
	}
	return true
}

// prevInsn returns the last instruction of a block that is before a jump.
func prevInsn(p *bytecode.Program, start, jump, end bytecode.PC, b cfg.BlockID, g *cfg.Graph) bytecode.PC {
	if own, _ := g.BlockAt(jump); own == b {
		return before(p, start, jump)
	}
	return before(p, start, end)
}

// before returns the instruction before a slot, or one before start.
func before(p *bytecode.Program, start, pc bytecode.PC) bytecode.PC {
	pc--
	if pc-1 >= start && p.Insns[pc-1].IsWide() {
		pc--
	}
	return pc
}

// tracer follows a value back through instructions.
type tracer struct {
	p       *bytecode.Program
	line    bytecode.Line // of the switch
	reg     bytecode.Reg  // that holds the value
	other   bytecode.Reg  // the other term of a sum
	sum     bool          // reg + other is the address of the entry
	loaded  bool          // the load from the table was passed
	indexed bool          // reg holds an index
	bias    int
	steps   int
	passed  []bytecode.PC // instructions that were passed backwards
}

// step goes back over an instruction, and reports whether the value is found.
func (t *tracer) step(pc bytecode.PC) (done bool) {
	in := t.p.Insns[pc]
	t.passed = append(t.passed, pc)
	class := in.Class()
	if t.sum && in.IsWide() && (in.Dst == t.reg || in.Dst == t.other) {
		if in.Dst == t.reg { // the table: the other term is the index
			t.reg = t.other
		}
		t.sum, t.indexed = false, true
		return false
	}
	if class == asm.JumpClass || class == asm.Jump32Class {
		// A call changes r0 to r5; others change nothing.
		return in.Code == bytecode.CodeCall && (t.reg <= 5 || t.sum && t.other <= 5)
	}
	if in.Dst != t.reg || class == asm.StClass || class == asm.StXClass {
		if t.sum && in.Dst == t.other && class.IsALU() {
			t.reg, t.other = t.other, t.reg
		} else {
			return false
		}
	}
	if class == asm.LdXClass {
		if t.loaded || t.sum || in.Size() != asm.DWord {
			t.indexed = t.indexed && in.Src != bytecode.R10 // spilled values are not followed
			return true
		}
		t.loaded, t.reg = true, in.Src
		t.bias -= int(in.Off) / 8
		return false
	}
	if !class.IsALU() {
		return true
	}
	return t.alu(pc, in)
}

// alu goes back over arithmetic on the value.
func (t *tracer) alu(pc bytecode.PC, in bytecode.Insn) (done bool) {
	reg := in.Source() == asm.RegSource
	switch op := in.ALUOp(); {
	case op == asm.Mov && reg:
		t.reg = in.Src
	case op == asm.Add && reg && t.loaded && !t.sum && !t.indexed:
		t.sum, t.other = true, in.Src
	case op == asm.LSh && !reg && in.Imm == 3: // times the size of an entry
	case !reg && in.Imm == 32 && (op == asm.LSh || op == asm.RSh || op == asm.ArSh): // extends the lower half
	case op == asm.And && !reg && (in.Imm == 0xff || in.Imm == 0xffff || in.Imm == -1):
	case op == asm.Add && !reg && t.indexed:
		if l, ok := t.p.LineAt(pc); ok && l.File == t.line.File && l.Line == t.line.Line {
			t.bias -= int(in.Imm)
		} else {
			t.indexed = false // the source's own, or merged with it
		}
		return true
	default:
		// Other arithmetic is the source's own: the value begins here. The origin of a sum with a
		// register is not known.
		t.indexed = t.indexed && op != asm.Add && op != asm.Sub
		return true
	}
	return false
}

// caseWord matches a case of C with a number.
var caseWord = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\bcase\s+(-?(?:0[xX][0-9a-fA-F]+|[0-9]+))\s*:`)
})

// casesAgree reports whether the lines that the targets begin with, where they name cases, name
// those of the entries that lead there. A compiler that merges code gives a few targets the line of
// another.
func casesAgree(p *bytecode.Program, u *succ.TableUse, bias int) bool {
	values := map[bytecode.PC][]int{}
	for _, i := range u.Selected {
		if targets := p.Tables[u.Table].Targets; i < len(targets) {
			values[targets[i]] = append(values[targets[i]], i+bias)
		}
	}
	agree, not := 0, 0
	for pc, have := range values {
		line, _ := p.LineAt(pc)
		ms := caseWord().FindAllStringSubmatch(line.Text, -1)
		same := slices.ContainsFunc(ms, func(m []string) bool {
			v, err := strconv.ParseInt(m[1], 0, 64)
			return err == nil && slices.Contains(have, int(v))
		})
		switch {
		case same:
			agree++
		case len(ms) > 0:
			not++
		}
	}
	return 4*not <= agree
}
