package explain

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
)

// analyses runs the pipeline on the programs of an object.
func analyses(t *testing.T, file string) []*pipeline.Analysis {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	o, err := load.ELF(file, data)
	if err != nil {
		t.Fatal(err)
	}
	prof, err := jit.LookupProfile(jit.DefaultProfile)
	if err != nil {
		t.Fatal(err)
	}
	var out []*pipeline.Analysis
	for _, p := range o.Programs {
		a, err := pipeline.Run(p, prof, rewrite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, a)
	}
	return out
}

// check holds what is true of every answer.
func check(t *testing.T, a *pipeline.Analysis, ans *Answer) {
	t.Helper()
	at := 0
	for i, s := range ans.Way {
		if i == 0 {
			at = s.Block
		}
		b := a.Graph.Blocks[s.Block]
		if s.Block != at || int(b.Last) != s.Insn || !a.Succ.Exact.BlockReached(cfg.BlockID(s.Block)) {
			t.Errorf("%s: step %d of the way, b%d, does not follow b%d or is dead", ans.Place, i, s.Block, at)
		}
		at = s.To
	}
	if len(ans.Way) > 0 && at != ans.Block {
		t.Errorf("%s: the way ends in b%d, not b%d", ans.Place, at, ans.Block)
	}
	if len(ans.Way) > 0 && !ans.Executed || ans.Executed == (len(ans.Dead) > 0) {
		t.Errorf("%s: executed is %v, way has %d steps, %d reasons why it is dead", ans.Place, ans.Executed, len(ans.Way),
			len(ans.Dead))
	}
	var selected []int
	for _, tab := range ans.Tables {
		next := 0
		for _, r := range tab.Rows {
			if r.First != next || r.Last < r.First || r.Selected != (r.Why == "") {
				t.Errorf("%s: rows of %s: %+v after %d", ans.Place, tab.Name, r, next)
			}
			next = r.Last + 1
			if r.Selected {
				selected = append(selected, r.Target)
			}
		}
		if next != tab.Entries {
			t.Errorf("%s: rows of %s end at %d of %d", ans.Place, tab.Name, next, tab.Entries)
		}
	}
	if strings.HasPrefix(ans.Place, "gotox") && ans.Executed && ans.Targets.Status != "unresolved" {
		slices.Sort(selected)
		if selected = slices.Compact(selected); !slices.Equal(selected, ans.Targets.Exact) {
			t.Errorf("%s: rows select %v, targets are %v", ans.Place, selected, ans.Targets.Exact)
		}
		if len(ans.Origin) == 0 || ans.Origin[len(ans.Origin)-1].Role == "bounds" {
			t.Errorf("%s: the origin does not end with what makes the address: %+v", ans.Place, ans.Origin)
		}
	}
}

// TestCorpus explains all there is to explain in the corpus, and each block and
// instruction of the smaller programs.
func TestCorpus(t *testing.T) {
	n := 0
	files := slices.Concat(testenv.Glob(t, "corpus/out/*.o"), testenv.Glob(t, "corpus/out-plain/*.o"), testenv.Glob(t,
		"seed-callx/*.o"))
	for _, file := range files {
		if strings.Contains(file, "15_thousand") {
			continue // the same things a thousand times
		}
		for _, a := range analyses(t, file) {
			x := New(a)
			places := x.Places()
			if len(a.Program.Insns) < 60 {
				for b, blk := range a.Graph.Blocks {
					places = append(places, Place{Kind: "block", Number: b}, Place{Kind: "insn", Number: int(blk.Last)})
				}
			}
			for _, at := range places {
				ans, err := x.At(at)
				if err != nil {
					t.Fatalf("%s %s: %v", filepath.Base(file), a.Program.Name, err)
				}
				check(t, a, ans)
				var b bytes.Buffer
				if err := ans.Write(&b); err != nil || !strings.HasPrefix(b.String(), at.String()+"  in b") {
					t.Errorf("%v: %v %q", at, err, b.String())
				}
				n++
			}
			if t.Failed() {
				t.Fatalf("in %s %s", filepath.Base(file), a.Program.Name)
			}
		}
	}
	if n < 300 {
		t.Errorf("only %d places", n)
	}
}

// raw analyses instructions.
func raw(t *testing.T, insns ...bytecode.Insn) *pipeline.Analysis {
	t.Helper()
	p := &bytecode.Program{Name: "f", Section: "xdp", Type: "xdp", Insns: insns,
		Subprogs: []bytecode.Subprogram{{Name: "f", End: bytecode.PC(len(insns))}}}
	prof, err := jit.LookupProfile(jit.DefaultProfile)
	if err != nil {
		t.Fatal(err)
	}
	a, err := pipeline.Run(p, prof, rewrite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestDead: the branch that decides is named with its facts, also from a block
// that follows another dead one.
func TestDead(t *testing.T) {
	a := raw(t,
		bytecode.Insn{Code: bytecode.CodeCall, Imm: 7}, // 0: call bpf_get_prandom_u32
		bytecode.Insn{Code: 0x57, Imm: 7},              // 1: r0 &= 7
		bytecode.Insn{Code: 0x25, Imm: 9, Off: 2},      // 2: if r0 > 9 goto 5
		bytecode.Insn{Code: 0xb7, Imm: 0},              // 3: r0 = 0
		bytecode.Insn{Code: bytecode.CodeExit},         // 4
		bytecode.Insn{Code: 0x15, Imm: 10, Off: 1},     // 5: if r0 == 10 goto 7
		bytecode.Insn{Code: 0x07, Imm: 1},              // 6: r0 += 1
		bytecode.Insn{Code: bytecode.CodeExit},         // 7
	)
	x := New(a)
	if got := x.Places(); !slices.Equal(got, []Place{{Kind: "block", Number: 2}}) {
		t.Errorf("places: %v, want the dead block next to live code", got)
	}
	for _, b := range []int{2, 3, 4} {
		ans, err := x.At(Place{Kind: "block", Number: b})
		if err != nil {
			t.Fatal(err)
		}
		if len(ans.Dead) != 1 || ans.Dead[0].Insn != 2 || !strings.Contains(ans.Dead[0].Text,
			`"if r0 > 0x9 goto pc+2", is never taken`) ||
			len(ans.Dead[0].Facts) != 1 || !strings.Contains(ans.Dead[0].Facts[0], "umax=smax32=umax32=7") {
			t.Errorf("b%d: %+v", b, ans.Dead)
		}
	}
	ans, err := x.At(Place{Kind: "insn", Number: 2})
	if err != nil || len(ans.Facts) != 1 || !strings.Contains(ans.Facts[0], "umax=smax32=umax32=7") {
		t.Errorf("%+v %v", ans, err)
	}
}

func TestPlaces(t *testing.T) {
	for s, want := range map[string]Place{
		"gotox@8": {Kind: "gotox", Number: 8}, "callx@0": {Kind: "callx"}, "block@b3": {Kind: "block", Number: 3},
		"block@3": {Kind: "block", Number: 3}, "insn@12": {Kind: "insn", Number: 12}, "handler": {Kind: "function",
			Name: "handler"},
		"a/b.c:27": {Kind: "line", Name: "a/b.c", Number: 27}, "x:0": {Kind: "function", Name: "x:0"},
	} {
		if got, err := ParsePlace(s); err != nil || got != want {
			t.Errorf("%s: %v %v", s, got, err)
		}
	}
	for _, s := range []string{"", "gotox@", "gotox@x", "gotox@-1", "goto@3", "insn@b3", "insn@99999999999"} {
		if _, err := ParsePlace(s); !errors.Is(err, ErrPlace) {
			t.Errorf("%q: %v", s, err)
		}
	}
	x := New(raw(t, bytecode.Insn{Code: 0xb7}, bytecode.Insn{Code: bytecode.CodeExit}))
	for _, at := range []Place{{Kind: "gotox"}, {Kind: "callx", Number: 1}, {Kind: "block", Number: 1}, {Kind: "insn",
		Number: 2}} {
		if _, err := x.At(at); !errors.Is(err, ErrPlace) {
			t.Errorf("%v: %v", at, err)
		}
	}
}

// TestLoopOfNoRounds: the verifier does not enter the callback of a bpf_loop with no
// rounds (kernel/bpf/verifier.c check_helper_call, Linux 7.3), so there is no way to it
// and the edge is none that can be taken.
func TestLoopOfNoRounds(t *testing.T) {
	for rounds := range int32(2) {
		var a progen.Asm
		a.Func("main", true)
		a.Emit(0xb7, bytecode.R1, 0, 0, rounds)
		a.FuncAddr(bytecode.R2, "each")
		a.Emit(0xb7, bytecode.R3, 0, 0, 0)
		a.Emit(0xb7, bytecode.R4, 0, 0, 0)
		a.Helper(181)
		a.Emit(0xb7, bytecode.R0, 0, 0, 0)
		a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
		a.Func("each", false)
		a.Emit(0xb7, bytecode.R0, 0, 0, 0)
		a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
		prof, err := jit.LookupProfile(jit.DefaultProfile)
		if err != nil {
			t.Fatal(err)
		}
		an, err := pipeline.Run(a.Program("loop"), prof, rewrite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		ans, err := New(an).At(Place{Kind: "block", Number: int(an.Graph.Entry(1))})
		if err != nil {
			t.Fatal(err)
		}
		check(t, an, ans)
		called := rounds > 0
		if len(ans.In) != 1 || ans.In[0].Kind != "callback" || ans.In[0].Feasible != called || ans.Executed != called {
			t.Errorf("%d rounds: executed %v, ways in %+v", rounds, ans.Executed, ans.In)
		}
	}
}
