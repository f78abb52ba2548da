package rewrite

import (
	"slices"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit"
)

// predict rewrites a program for Linux 7.3.
func predict(t *testing.T, p *bytecode.Program, f Facts, opt Options) *Result {
	t.Helper()
	prof, err := jit.LookupProfile("linux-7.3")
	if err != nil {
		t.Fatal(err)
	}
	res, err := Predict(p, f, prof, opt)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func movK(dst bytecode.Reg, v int32) bytecode.Insn {
	return bytecode.Insn{Code: w64 | opMov, Dst: dst, Imm: v}
}

func spill(r bytecode.Reg, off int16) bytecode.Insn {
	return bytecode.Insn{Code: stxD, Dst: bytecode.R10, Src: r, Off: off}
}

func fill(r bytecode.Reg, off int16) bytecode.Insn {
	return bytecode.Insn{Code: ldxD, Dst: r, Src: bytecode.R10, Off: off}
}

func exit() bytecode.Insn { return bytecode.Insn{Code: bytecode.CodeExit} }

func helperCall(n int32) bytecode.Insn { return bytecode.Insn{Code: bytecode.CodeCall, Imm: n} }

// The kernel's selftest verifier_bpf_fastcall.c, function "simple": five
// registers are kept over bpf_get_smp_processor_id; the spills disappear, and
// 8 bytes of stack stay.
func TestFastcall(t *testing.T) {
	var insns, want []bytecode.Insn
	for r := bytecode.R1; r <= bytecode.R5; r++ {
		insns = append(insns, movK(r, int32(r)))
	}
	want = slices.Clone(insns)
	for r := bytecode.R1; r <= bytecode.R5; r++ {
		insns = append(insns, spill(r, int16(-8-8*int(r))))
	}
	insns = append(insns, helperCall(8))
	for r := bytecode.R5; r >= bytecode.R1; r-- {
		insns = append(insns, fill(r, int16(-8-8*int(r))))
	}
	insns = append(insns, exit())
	want = append(want, movK(0, 0), bytecode.Insn{Code: w64 | opMov | byReg, Off: -1},
		bytecode.Insn{Code: ldxW}, exit())

	res := predict(t, program(insns...), known(program(insns...)), Options{})
	if !slices.Equal(res.Program.Insns, want) {
		t.Errorf("got %v\nwant %v", res.Program.Insns, want)
	}
	if d := res.Program.Funcs[0].StackDepth; d != 8 {
		t.Errorf("stack depth %d, want 8", d)
	}
	if ref := res.Program.Refs[0]; ref.PC != 5 || ref.Name != "cpu_number" {
		t.Errorf("reference %+v", ref)
	}

	// Something else uses the lowest slot: nothing is removed.
	broken := slices.Insert(slices.Clone(insns), len(insns)-1, fill(0, -48))
	if got := len(predict(t, program(broken...), known(program(broken...)), Options{}).Program.Insns); got != len(broken)+2 {
		t.Errorf("%d slots, want %d", got, len(broken)+2)
	}
	// Another register comes back: no pattern.
	other := slices.Clone(insns)
	other[11].Dst = bytecode.R1
	if got := len(predict(t, program(other...), known(program(other...)), Options{}).Program.Insns); got != len(other)+2 {
		t.Errorf("%d slots, want %d", got, len(other)+2)
	}
}

// The kernel's selftest verifier_may_goto_1.c, "batch 2/0" and the batches that
// are no-ops (Linux 7.3).
func TestMayGoto(t *testing.T) {
	mayGoto := func(off int16) bytecode.Insn { return bytecode.Insn{Code: bytecode.CodeMayGoto, Off: off} }
	ax := bytecode.Reg(12)
	for _, c := range []struct {
		name string
		offs []int16
		want []bytecode.Insn
	}{
		{"0", []int16{0}, []bytecode.Insn{movK(0, 1), exit()}},
		{"0/0", []int16{0, 0}, []bytecode.Insn{movK(0, 1), exit()}},
		{"2/1/0", []int16{2, 1, 0}, []bytecode.Insn{movK(0, 1), exit()}},
		{"2/0", []int16{2, 0}, []bytecode.Insn{
			{Code: stD, Dst: 10, Off: -16, Imm: 65535},
			{Code: stD, Dst: 10, Off: -8},
			{Code: ldxD, Dst: ax, Src: 10, Off: -16},
			{Code: j64 | jeq, Dst: ax, Off: 6},
			{Code: w64 | opSub, Dst: ax, Imm: 1},
			{Code: j64 | jne, Dst: ax, Off: 2},
			movK(ax, -16),
			{Code: bytecode.CodeCall},
			{Code: stxD, Dst: 10, Src: ax, Off: -16},
			movK(0, 1), movK(0, 2), exit(),
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var insns []bytecode.Insn
			for _, off := range c.offs {
				insns = append(insns, mayGoto(off))
			}
			insns = append(insns, movK(0, 1))
			if c.name == "2/0" {
				insns = append(insns, movK(0, 2))
			}
			insns = append(insns, exit())
			if res := predict(t, program(insns...), known(program(insns...)), Options{}); !slices.Equal(res.Program.Insns, c.want) {
				t.Errorf("got %v\nwant %v", res.Program.Insns, c.want)
			}
		})
	}
}
