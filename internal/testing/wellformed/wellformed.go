// Package wellformed states the invariants of programs, for the tests of those that make them.
//
//	if err := wellformed.Check(p); err != nil { … }
//
// It does not check whether a kernel would accept a program.
package wellformed

import (
	"errors"
	"fmt"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// maxSlots is the size of the largest program that Linux accepts (BPF_COMPLEXITY_LIMIT_INSNS).
const maxSlots = 1_000_000

// Check returns the first violation of the invariants of a Program:
//
//   - There are slots, no more than maxSlots, and registers are below 16.
//   - Subprogs are not empty and cover the slots without gap or overlap.
//   - Refs are sorted, at most one for each slot, and refer to what exists.
//   - Relocations are sorted, at most one for each slot, and of a kind.
//   - Lines are sorted, at most one for each slot.
//   - Static keys are sorted, at most one for each slot.
//   - Code pointers, variables and their map agree in size.
func Check(p *bytecode.Program) error {
	if p == nil {
		return errors.New("no program")
	}
	for _, check := range []func(*bytecode.Program) error{checkInsns, checkSubprogs, checkRefs, checkRelocs, checkLines,
		checkKeys, checkMaps} {
		if err := check(p); err != nil {
			return fmt.Errorf("program %q: %w", p.Name, err)
		}
	}
	return nil
}

func checkInsns(p *bytecode.Program) error {
	if len(p.Insns) == 0 || len(p.Insns) > maxSlots {
		return fmt.Errorf("%d slots", len(p.Insns))
	}
	for pc, in := range p.Insns {
		if in.Dst > 15 || in.Src > 15 {
			return fmt.Errorf("slot %d: registers %d and %d", pc, in.Dst, in.Src)
		}
	}
	return nil
}

func checkSubprogs(p *bytecode.Program) error {
	end := bytecode.PC(0)
	for i, s := range p.Subprogs {
		if s.Start != end || s.End <= s.Start {
			return fmt.Errorf("subprogram %d is [%d, %d) behind slot %d", i, s.Start, s.End, end)
		}
		end = s.End
	}
	if end != p.Len() {
		return fmt.Errorf("subprograms end at slot %d of %d", end, p.Len())
	}
	return nil
}

func checkRefs(p *bytecode.Program) error {
	last := bytecode.PC(-1)
	for _, r := range p.Refs {
		if r.PC <= last || r.PC >= p.Len() {
			return fmt.Errorf("reference at slot %d behind one at %d", r.PC, last)
		}
		last = r.PC
		if err := checkRef(p, r); err != nil {
			return fmt.Errorf("slot %d: %w", r.PC, err)
		}
	}
	return nil
}

// checkRef checks that a reference is to something that exists.
func checkRef(p *bytecode.Program, r bytecode.Ref) error {
	var bound int
	switch r.Kind {
	case bytecode.RefMap, bytecode.RefMapValue:
		bound = len(p.Maps)
	case bytecode.RefTable, bytecode.RefTableMap:
		bound = len(p.Tables)
	case bytecode.RefFunc:
		s := p.SubprogAt(bytecode.PC(r.Index))
		if s < 0 || p.Subprogs[s].Start != bytecode.PC(r.Index) {
			return fmt.Errorf("reference to function at slot %d, where none starts", r.Index)
		}
		return nil
	case bytecode.RefInvalid:
		return errors.New("reference of no kind")
	default:
		return nil
	}
	if r.Index < 0 || r.Index >= bound {
		return fmt.Errorf("reference to map or table %d of %d", r.Index, bound)
	}
	return nil
}

func checkRelocs(p *bytecode.Program) error {
	last := bytecode.PC(-1)
	for _, r := range p.Relocs {
		if r.PC <= last || r.PC >= p.Len() {
			return fmt.Errorf("relocation at slot %d behind one at %d", r.PC, last)
		}
		if r.Kind == 0 || r.Part == 0 {
			return fmt.Errorf("slot %d: relocation of no kind", r.PC)
		}
		last = r.PC
	}
	return nil
}

func checkLines(p *bytecode.Program) error {
	last := bytecode.PC(-1)
	for _, l := range p.Lines {
		if l.PC <= last || l.PC >= p.Len() {
			return fmt.Errorf("line at slot %d behind one at %d", l.PC, last)
		}
		last = l.PC
	}
	return nil
}

func checkKeys(p *bytecode.Program) error {
	last := bytecode.PC(-1)
	for _, k := range p.KeySites {
		if k.PC <= last || k.PC >= p.Len() {
			return fmt.Errorf("static key at slot %d behind one at %d", k.PC, last)
		}
		last = k.PC
	}
	return nil
}

func checkMaps(p *bytecode.Program) error {
	for _, m := range p.Maps {
		size := int64(m.ValueSize)
		if m.Value != nil && int64(len(m.Value)) != size {
			return fmt.Errorf("map %q: %d bytes of value, %d expected", m.Name, len(m.Value), size)
		}
		last := int64(0)
		for _, s := range m.Symbols {
			if s.Off < last || s.Size < 0 || s.Off > size || s.Size > size-s.Off {
				return fmt.Errorf("map %q: variable %q at [%d, +%d) of %d", m.Name, s.Name, s.Off, s.Size, size)
			}
			last = s.Off
		}
		last = 0
		for _, s := range m.Unknown {
			if s.Off < last || s.Size < 0 || s.Off > size || s.Size > size-s.Off {
				return fmt.Errorf("map %q: unknown variable %q at [%d, +%d) of %d", m.Name, s.Name, s.Off, s.Size, size)
			}
			last = s.Off + s.Size
		}
		last = -8
		for _, c := range m.Code {
			if c.Off < last+8 || c.Off > size-8 {
				return fmt.Errorf("map %q: code pointer at %d behind one at %d of %d", m.Name, c.Off, last, size)
			}
			last = c.Off
			if c.Target < -1 || c.Target >= p.Len() {
				return fmt.Errorf("map %q: code pointer to slot %d of %d", m.Name, c.Target, p.Len())
			}
		}
	}
	return nil
}
