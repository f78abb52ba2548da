package jit

import (
	"reflect"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
)

// Memo keeps the images of one program for several kernels: it compiles once for kernels that do
// not differ in anything the compiler uses. It is for one goroutine at a time. The zero value is
// empty.
type Memo struct{ made []compiled }

// compiled is an image, with the properties of its kernel that were used.
type compiled struct {
	p       *Program
	decides Profile
	asked   *kernel.Watch
	img     *Image
}

// Compile is the function Compile with a cache of images for other kernels. Programs are the same
// if their pointers are.
func (m *Memo) Compile(p *Program, prof Profile) (*Image, error) {
	a := &p.Addresses
	if len(prof.Symbols) > 0 || len(a.Funcs) > 0 || a.Symbol != nil || a.Value != nil || a.Thunked != nil {
		return Compile(p, prof)
	}
	k, d := prof.Kernel(), prof.decides(p)
	for i := range m.made {
		if c := &m.made[i]; c.p == p && c.asked.Same(k) && reflect.DeepEqual(c.decides, d) {
			out := *c.img
			out.Profile = prof.Name
			return &out, nil
		}
	}
	watched, asked := k.Watched()
	img, err := compileFor(p, prof, watched)
	if err == nil {
		m.made = append(m.made, compiled{p, d, asked, img})
	}
	return img, err
}

// decides returns the profile with only the members on which the code of a program depends.
func (p Profile) decides(prog *Program) Profile {
	p.Name, p.Version, p.StandsFor, p.Symbols = "", "", "", nil
	p.OffValue = 0
	var hidden, xchg, tail, gotox bool
	for _, in := range prog.Insns {
		hidden = hidden || in.Dst > bytecode.R10 || in.Src > bytecode.R10
		xchg = xchg || in.Class() == asm.StXClass && in.Mode() == asm.AtomicMode && in.Imm == atomicXchg
		tail = tail || in.Code == bytecode.CodeTailCall
		gotox = gotox || in.IsGotox()
	}
	for i := range prog.Funcs {
		hidden = hidden || prog.Funcs[i].OutStackArgs != 0
	}
	if !hidden {
		p.AXReg, p.StackArgs = 0, false
	}
	if !xchg {
		p.XchgLock = false
	}
	if !tail {
		p.OffMaxEntries, p.OffPtrs, p.OffBPFFunc = 0, 0, 0
	}
	if prog.IndirectTarget == nil {
		p.EndbrTargets = false
	}
	if !gotox {
		p.Gotox = false
	}
	return p
}
