package abstract

import (
	"os"
	"slices"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
)

// TestReplay: at the start of a block Before gives the entry states, at its end
// states that lead to those after it.
func TestReplay(t *testing.T) {
	n := 0
	for _, file := range testenv.Glob(t, "corpus/out-plain/*.o") {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		o, err := load.ELF(file, data)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range o.Programs {
			g, err := cfg.Build(p, nil)
			if err != nil {
				t.Fatal(err)
			}
			f := Analyze(p, g, Options{})
			r := NewReplay(f, Options{})
			for b, blk := range g.Blocks {
				var got []string
				for _, s := range r.Before(blk.Start) {
					got = append(got, s.String())
				}
				var want []string
				for _, s := range f.states[b] {
					want = append(want, s.String())
				}
				if !slices.Equal(got, want) {
					t.Fatalf("%s: block b%d: %v, entry states are %v", p.Name, b, got, want)
				}
				if f.BlockReached(cfg.BlockID(b)) != (len(r.Before(blk.Last)) > 0) {
					t.Errorf("%s: block b%d: nothing before the last instruction", p.Name, b)
				}
				n++
			}
			if r.Before(p.Len()) != nil || r.Before(-1) != nil {
				t.Error("facts outside the program")
			}
		}
	}
	if n < 100 {
		t.Errorf("only %d blocks", n)
	}
}

// TestReplayValue follows constants through a block.
func TestReplayValue(t *testing.T) {
	p := &bytecode.Program{Name: "f", Insns: []bytecode.Insn{
		{Code: 0xb7, Dst: 1, Imm: 5},  // r1 = 5
		{Code: 0x07, Dst: 1, Imm: 37}, // r1 += 37
		{Code: 0xbf, Dst: 0, Src: 1},  // r0 = r1
		{Code: bytecode.CodeExit},
	}, Subprogs: []bytecode.Subprogram{{Name: "f", End: 4}}}
	g, err := cfg.Build(p, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := NewReplay(Analyze(p, g, Options{}), Options{})
	for pc, want := range map[bytecode.PC]string{1: "5", 2: "42"} {
		s := r.Before(pc)
		if len(s) != 1 || s[0].Reg(bytecode.R1).String() != want {
			t.Errorf("before %d: %v, want r1=%s", pc, s, want)
		}
	}
	if use, def := UseDef(p, 2); use != 1<<1 || def != 1<<0 {
		t.Errorf("r0 = r1 reads %b and writes %b", use, def)
	}
}
