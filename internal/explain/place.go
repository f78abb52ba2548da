package explain

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Place names what to explain: gotox@8, callx@8, block@3, insn@8, prog.c:27, or a
// function.
type Place struct {
	Kind   string // "gotox", "callx", "block", "insn", "line" or "function"
	Number int    // slot, number of the block, or line
	Name   string // of the file or function
}

// String returns the place as ParsePlace reads it.
func (p Place) String() string {
	switch p.Kind {
	case "line":
		return fmt.Sprintf("%s:%d", p.Name, p.Number)
	case "function":
		return p.Name
	}
	return fmt.Sprintf("%s@%d", p.Kind, p.Number)
}

// Several reports whether the place stands for any number of others, in any number of
// programs: see Expand.
func (p Place) Several() bool { return p.Kind == "line" || p.Kind == "function" }

// ErrPlace is wrapped by errors about a Place.
var ErrPlace = errors.New("no such place")

// ParsePlace reads a place. The number of a block may begin with b.
func ParsePlace(s string) (Place, error) {
	kind, num, ok := strings.Cut(s, "@")
	if !ok {
		return namedPlace(s)
	}
	if !slices.Contains([]string{"gotox", "callx", "block", "insn"}, kind) {
		return Place{}, fmt.Errorf("%w: %.60q: write gotox@8, callx@8, block@3, insn@8, prog.c:27 or a function", ErrPlace, s)
	}
	if kind == "block" {
		num = strings.TrimPrefix(num, "b")
	}
	n, err := strconv.ParseInt(num, 10, 32)
	if err != nil || n < 0 {
		return Place{}, fmt.Errorf("%w: %.60q: the number after @ must be a slot or the number of a block", ErrPlace, s)
	}
	return Place{Kind: kind, Number: int(n)}, nil
}

// namedPlace reads FILE:LINE or a function.
func namedPlace(s string) (Place, error) {
	if i := strings.LastIndexByte(s, ':'); i > 0 {
		if n, err := strconv.ParseInt(s[i+1:], 10, 32); err == nil && n > 0 {
			return Place{Kind: "line", Name: s[:i], Number: int(n)}, nil
		}
	}
	if s == "" {
		return Place{}, fmt.Errorf("%w: it is empty", ErrPlace)
	}
	return Place{Kind: "function", Name: s}, nil
}

// maxExpanded bounds the places that one stands for.
const maxExpanded = 64

// Expand returns the places of this program that a line or a function stands for, in
// the order of the code; there may be none. Of a line these are its indirect jumps, and
// the first of its instructions in each block; of a function its entry, indirect jumps
// and dead code. Another place stands for itself.
func (x *Explainer) Expand(at Place) []Place {
	switch at.Kind {
	case "line":
		return x.ofLine(at)
	case "function":
		return x.ofFunction(at.Name)
	}
	return []Place{at}
}

// ofLine returns the places of a C line. The file is named by the end of its path.
func (x *Explainer) ofLine(at Place) []Place {
	jumps := map[bytecode.PC]Place{}
	for _, d := range x.a.Succ.Indirect {
		jumps[d.PC] = Place{Kind: d.Op, Number: int(d.PC)}
	}
	var out []Place
	last := cfg.NoBlock
	for pc := bytecode.PC(0); pc < x.p.Len() && len(out) < maxExpanded; pc += x.p.Insns[pc].Slots() {
		l, ok := x.p.LineAt(pc)
		if !ok || l.Line != at.Number || l.File != at.Name && !strings.HasSuffix(l.File, "/"+at.Name) {
			continue
		}
		b, ok := x.g.BlockAt(pc)
		jump, isJump := jumps[pc]
		switch {
		case isJump && b == last: // describes the block better than its first instruction
			out[len(out)-1] = jump
		case isJump:
			out = append(out, jump)
		case ok && b != last:
			out = append(out, Place{Kind: "insn", Number: int(pc)})
		}
		last = b
	}
	return out
}

// ofFunction returns the places of a function.
func (x *Explainer) ofFunction(name string) []Place {
	sub := slices.IndexFunc(x.p.Subprogs, func(s bytecode.Subprogram) bool { return s.Name == name })
	if sub < 0 && name == x.p.Name {
		sub = 0
	}
	if sub < 0 {
		return nil
	}
	out := []Place{{Kind: "block", Number: int(x.g.Entry(sub))}}
	for _, at := range x.Places() {
		pc := bytecode.PC(at.Number)
		if at.Kind == "block" {
			pc = x.g.Blocks[at.Number].Start
		}
		if x.p.SubprogAt(pc) == sub && at != out[0] && len(out) < maxExpanded {
			out = append(out, at)
		}
	}
	return out
}
