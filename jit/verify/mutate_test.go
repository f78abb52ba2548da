package verify_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/verify"
	"github.com/bpfcfg/bpfcfg/jit/x86/disasm"
)

// clone returns an image that can be changed.
func clone(img *jit.Image) *jit.Image {
	c := *img
	c.Code = bytes.Clone(img.Code)
	c.Tables = make([][]int32, len(img.Tables))
	for i, t := range img.Tables {
		c.Tables[i] = append([]int32(nil), t...)
	}
	return &c
}

// site is a place in an image to damage.
type site struct {
	kind     string
	off, len int // bytes in the image; for a table its index and the entry's
}

// sites returns the places whose bytes decide control flow.
func sites(t testing.TB, c compiled) []site {
	t.Helper()
	var out []site
	for f, fi := range c.img.Funcs {
		code := c.img.Code[fi.Offset : fi.Offset+fi.Len]
		x86, err := disasm.All(code)
		if err != nil {
			t.Fatal(err)
		}
		first := int(c.img.Offsets[c.p.Funcs[f].Start])
		for i, in := range x86 {
			if in.Offset < first {
				continue
			}
			at := fi.Offset + in.Offset
			to, direct := in.Target()
			local := direct && to >= first && to <= len(code) && relocated(c.img, at, in.Len) == nil
			switch {
			case local && in.Len == 2:
				out = append(out, site{"jump target", at + 1, 1})
			case local:
				out = append(out, site{"jump target", at + in.Len - 4, 4})
			case in.IsNop():
				out = append(out, site{"padding", at, in.Len})
			case in.IsEndbr():
				out = append(out, site{"endbr64", at, 4})
			}
			if cond := local && in.Len != 5 && code[in.Offset] != 0xeb && i > 0; cond {
				b := at
				if in.Len == 6 {
					b++
				}
				out = append(out, site{"condition", b, 1})
			}
		}
	}
	for i, tab := range c.img.Tables {
		for j := range tab {
			out = append(out, site{"table entry", i, j})
		}
	}
	return out
}

// relocated returns the relocation in n bytes at off, or nil.
func relocated(img *jit.Image, off, n int) *jit.Reloc {
	for i := range img.Relocs {
		if r := &img.Relocs[i]; r.Offset >= off && r.Offset < off+n {
			return r
		}
	}
	return nil
}

// damage changes an image at a site, always to something else.
func damage(rnd *rand.Rand, img *jit.Image, s site) {
	switch s.kind {
	case "table entry":
		img.Tables[s.off][s.len] ^= 1 << rnd.IntN(10)
	case "condition":
		img.Code[s.off] ^= byte(1 + rnd.IntN(15)) // the low four bits are the condition
	default:
		img.Code[s.off+rnd.IntN(s.len)] ^= 1 << rnd.IntN(8)
	}
}

// padded returns a program whose image has padding: a chain of jumps each of
// which only fits once the next has shrunk keeps the JIT walking until it
// pads (the trigger is described in the kernel's bpf_int_jit_compile).
func padded(t *testing.T) compiled {
	t.Helper()
	var insns []bytecode.Insn
	const links, body = 40, 16
	for range links {
		insns = append(insns, bytecode.Insn{Code: 0x15, Dst: 1, Imm: 1, Off: body + 1})
		for range body {
			insns = append(insns, bytecode.Insn{Code: 0x07, Dst: 2, Imm: 1 << 20})
		}
	}
	for range 2 * body {
		insns = append(insns, bytecode.Insn{Code: 0xb7, Dst: 0})
	}
	insns = append(insns, bytecode.Insn{Code: bytecode.CodeExit})
	p := &jit.Program{Insns: insns, Funcs: []jit.Func{{Name: "chain", End: bytecode.PC(len(insns))}}}
	prof, err := jit.LookupProfile("linux-7.3")
	if err != nil {
		t.Fatal(err)
	}
	img, err := jit.Compile(p, prof)
	if err != nil {
		t.Fatal(err)
	}
	return compiled{"chain", p, img, prof}
}

// TestMutations damages images at places that decide control flow, a bit or a
// condition at a time, and states that every damage is found.
func TestMutations(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 3))
	tried, found := map[string]int{}, map[string]int{}
	all := append(corpus(t, "linux-7.3", "linux-7.3+plain"), padded(t))
	for _, c := range all {
		if len(c.img.Code) > 20000 {
			continue // the time goes into decoding the large one again and again
		}
		places := sites(t, c)
		rnd.Shuffle(len(places), func(i, j int) { places[i], places[j] = places[j], places[i] })
		for _, s := range places[:min(60, len(places))] {
			bad := clone(c.img)
			damage(rnd, bad, s)
			tried[s.kind]++
			if verify.Check(c.p, bad, pipeline.VerifyKernel(c.prof)).OK() {
				t.Errorf("%s: damage to %s at +%#x was not found", c.name, s.kind, s.off)
				continue
			}
			found[s.kind]++
		}
	}
	for _, kind := range []string{"jump target", "condition", "table entry", "padding", "endbr64"} {
		t.Logf("%-12s %5d damaged, %5d found", kind, tried[kind], found[kind])
		if tried[kind] == 0 && kind != "padding" {
			t.Errorf("no %s was damaged", kind)
		}
	}
}
