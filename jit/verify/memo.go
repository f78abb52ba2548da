package verify

import (
	"slices"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
	"github.com/bpfcfg/bpfcfg/jit/machine"
)

// Memo keeps proofs of one source with the same facts for several kernels. Two kernels
// that the checker cannot distinguish share a proof: one of the source against the
// rewritten program, another of that program against the machine code. It is for one
// goroutine at a time. The zero value is empty.
type Memo struct {
	// Images, if it is not nil, has proofs of machine code that are kept for several
	// sources: they do not depend on the source.
	Images  *Images
	sources []proven
}

// Images keeps proofs of machine code. The zero value is empty.
type Images struct {
	known []proven
	holds map[any]holding // of programs
}

// holding says which instructions that depend on members of Kernel a program has.
type holding struct{ hidden, xchg, tail, calls bool }

// of returns what a program contains.
func (m *Images) of(program any, insns []bytecode.Insn) holding {
	if h, ok := m.holds[program]; ok {
		return h
	}
	var h holding
	for _, in := range insns {
		h.hidden = h.hidden || in.Dst > bytecode.R10 || in.Src > bytecode.R10
		h.xchg = h.xchg || in.Class() == asm.StXClass && in.Mode() == asm.AtomicMode && in.Imm == atomicXchg
		h.tail = h.tail || in.Code == bytecode.CodeTailCall
		h.calls = h.calls || looksUp(in)
	}
	if m.holds == nil {
		m.holds = map[any]holding{}
	}
	m.holds[program] = h
	return h
}

// proven is a part of a claim that holds, with the properties of its kernel that were used.
type proven struct {
	claim  Claim
	kernel Kernel // what the part depends on
	asked  *kernel.Watch
	proof  Proof
}

// Prove is the function Prove with a cache of proofs for other kernels.
func (m *Memo) Prove(c Claim) *Proof {
	if c.Refused != "" {
		c.Source = nil
	}
	if !c.plain() {
		return Prove(c)
	}
	if m.Images == nil {
		m.Images = &Images{}
	}
	out := c.open()
	d := c.decides(m.Images)
	if c.Source != nil {
		k := Kernel{SMP: d.SMP, StackArgs: d.StackArgs, AXReg: d.AXReg, OffValue: d.OffValue}
		part := part(&m.sources, &c, k, (*Claim).sameSource, func(k *Kernel, p *Proof) {
			checkSource(c.Source, c.Program, k, p)
		})
		if part == nil {
			return Prove(c)
		}
		named := *out
		*out = *part
		out.Kernel, out.Source, out.Loader = named.Kernel, named.Source, named.Loader
	}
	img := part(&m.Images.known, &c, d, (*Claim).sameImage, func(k *Kernel, p *Proof) {
		checkImage(c.Program, c.Image, k, p)
	})
	if img == nil {
		return Prove(c)
	}
	out.Funcs, out.Insns, out.X86, out.Entries = img.Funcs, img.Insns, img.X86, img.Entries
	out.Jumps, out.Calls, out.Indirect, out.Exits = img.Jumps, img.Calls, img.Indirect, img.Exits
	return out
}

// part returns the proof of a part of a claim: a known one, or the result of check. It is nil if
// the part does not hold, because such a proof names its kernel.
func part(known *[]proven, c *Claim, decides Kernel, same func(c, d *Claim) bool, check func(*Kernel, *Proof)) *Proof {
	for i := range *known {
		if p := &(*known)[i]; p.kernel == decides && p.asked.Same(c.Kernel.Features) && same(&p.claim, c) {
			return &p.proof
		}
	}
	p := proven{claim: *c, kernel: decides}
	k := c.Kernel
	k.Features, p.asked = k.Features.Watched()
	check(&k, &p.proof)
	if len(p.proof.Mismatches) > 0 || len(p.proof.Lost) > 0 {
		return nil
	}
	*known = append(*known, p)
	return &p.proof
}

// plain reports whether a claim has no addresses: they are functions and cannot be compared.
func (c *Claim) plain() bool {
	a := &c.Program.Addresses
	return len(a.Funcs) == 0 && a.Symbol == nil && a.Value == nil && a.Thunked == nil
}

// decides returns the properties of its kernel on which the claim depends, features apart: members
// about something that the program does not have are cleared.
func (c *Claim) decides(m *Images) Kernel {
	k := c.Kernel
	k.Name, k.Features = "", kernel.Features{}
	h := m.of(c.Program, c.Program.Insns)
	hidden, xchg, tail, calls := h.hidden, h.xchg, h.tail, h.calls
	if c.Source != nil {
		p := c.Source.Graph.Program
		s := m.of(p, p.Insns)
		hidden, xchg, tail, calls = hidden || s.hidden, xchg || s.xchg, tail || s.tail, calls || s.calls
	}
	for i := range c.Program.Funcs {
		hidden = hidden || c.Program.Funcs[i].OutStackArgs != 0
	}
	if !hidden && (c.Source == nil || !c.Source.Blinded) {
		k.AXReg, k.StackArgs = 0, false
	}
	if !xchg {
		k.XchgLock = false
	}
	if !tail {
		k.OffMaxEntries, k.OffPtrs, k.OffBPFFunc = 0, 0, 0
	}
	if !tail && !calls {
		k.OffValue = 0
	}
	if len(c.Program.IndirectTarget) == 0 {
		k.EndbrTargets = false
	}
	return k
}

// sameSource reports whether two claims about one source have the same rewritten
// program, which comes from it in the same way.
func (c *Claim) sameSource(d *Claim) bool {
	s, t := c.Source, d.Source
	return s != nil && s.Graph == t.Graph && s.AttachType == t.AttachType &&
		s.Unprivileged == t.Unprivileged && s.Masks == t.Masks && s.Blinded == t.Blinded &&
		slices.Equal(s.Original, t.Original) && slices.Equal(s.Xlated, t.Xlated) &&
		slices.Equal(s.Unpredicted, t.Unpredicted) && c.Program.Same(d.Program)
}

// sameImage reports whether two claims have the same rewritten program and image.
func (c *Claim) sameImage(d *Claim) bool {
	return c.Program.Same(d.Program) && sameImage(c.Image, d.Image)
}

// sameImage reports whether two images are equal, the names of their profiles apart.
func sameImage(a, b *machine.Image) bool {
	return a == b || slices.Equal(a.Code, b.Code) && slices.Equal(a.Funcs, b.Funcs) &&
		slices.Equal(a.Offsets, b.Offsets) &&
		slices.Equal(a.Relocs, b.Relocs) && slices.Equal(a.Extable, b.Extable) &&
		slices.EqualFunc(a.Tables, b.Tables, slices.Equal)
}

// looksUp reports whether an instruction looks up an element of a map; the kernel may replace it by
// loads.
func looksUp(in bytecode.Insn) bool {
	return in.IsHelperCall() &&
		(in.Imm == int32(asm.FnMapLookupElem) || in.Imm == int32(asm.FnMapLookupPercpuElem))
}
