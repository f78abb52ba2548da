package check_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/check"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
)

// Opcodes of the programs here.
const (
	movK  = 0xb7
	addK  = 0x07
	addX  = 0x0f
	andK  = 0x57
	lshK  = 0x67
	ldxDW = 0x79
	stxDW = 0x7b
	jgtK  = 0x25
	jeqK  = 0x15
	jltK  = 0xa5
)

// analyse runs the whole line on a program.
func analyse(t testing.TB, p *bytecode.Program) *pipeline.Analysis {
	t.Helper()
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

// ids returns "id@insn" of findings.
func ids(fs []check.Finding) []string {
	out := []string{}
	for _, f := range fs {
		out = append(out, fmt.Sprintf("%s@%d", f.ID, f.PC))
	}
	return out
}

// objects loads the programs of object files.
func objects(t testing.TB, pattern string) []*bytecode.Program {
	t.Helper()
	return fileObjects(t, testenv.Glob(t, pattern)...)
}

// fileObjects loads the programs of files.
func fileObjects(t testing.TB, files ...string) []*bytecode.Program {
	t.Helper()
	var out []*bytecode.Program
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		o, err := load.ELF(file, data)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, o.Programs...)
	}
	return out
}

// switch4 adds a switch over the register's low bits through a table of four
// entries that the labels name.
func switch4(a *progen.Asm, mask int32, labels ...string) {
	a.Emit(ldxDW, 2, 1, 0, 0)
	a.Emit(andK, 2, 0, 0, mask)
	a.Emit(lshK, 2, 0, 0, 3)
	a.Table(3, labels...)
	a.Emit(addX, 3, 2, 0, 0)
	a.Emit(ldxDW, 3, 3, 0, 0)
	a.Emit(bytecode.CodeGotox, 3, 0, 0, 0)
}

// leave adds r0 = v; exit after a label.
func leave(a *progen.Asm, label string, v int32) {
	a.Label(label)
	a.Emit(movK, 0, 0, 0, v)
	a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
}

func TestFindings(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(a *progen.Asm)
		want []string
	}{
		{"clean switch", func(a *progen.Asm) {
			switch4(a, 3, "x", "y", "x", "y")
			leave(a, "x", 1)
			leave(a, "y", 2)
		}, nil},
		{"code behind an exit", func(a *progen.Asm) {
			leave(a, "x", 1)
			leave(a, "y", 2)
		}, []string{"unreachable@2"}},
		{"index of two bits, table of four", func(a *progen.Asm) {
			switch4(a, 1, "x", "y", "z", "w")
			leave(a, "x", 1)
			leave(a, "y", 2)
			leave(a, "z", 3)
			leave(a, "w", 4)
		}, []string{"wide-table@7", "dead-table-entry@7"}},
		{"a second test of the same", func(a *progen.Asm) {
			a.Emit(ldxDW, 2, 1, 0, 0)
			a.If(jgtK, 2, 0, 10, "big") // 1
			a.If(jgtK, 2, 0, 20, "big") // 2: never
			leave(a, "small", 1)
			leave(a, "big", 2)
		}, []string{"dead-branch@2"}},
		{"jump to the next instruction", func(a *progen.Asm) {
			switch4(a, 1, "x", "y")
			leave(a, "x", 1)
			a.Label("y")
			a.Emit(bytecode.CodeGoto, 0, 0, 0, 0) // 10: goto +0
			leave(a, "z", 2)
		}, []string{"nop-target@10"}},
		{"jump to the start, and may_goto", func(a *progen.Asm) {
			a.Label("top")
			a.If(bytecode.CodeMayGoto, 0, 0, 0, "out")
			switch4(a, 1, "top", "out")
			leave(a, "out", 1)
		}, []string{"entry-target@0"}},
		{"no table", func(a *progen.Asm) {
			a.Emit(ldxDW, 2, 1, 0, 0)
			a.Emit(bytecode.CodeGotox, 2, 0, 0, 0)
			leave(a, "x", 1)
		}, []string{"table-missing@1", "unresolved-jump@1"}},
		{"index without a bound", func(a *progen.Asm) {
			switch4(a, -1, "x", "y")
			leave(a, "x", 1)
			leave(a, "y", 1)
		}, []string{"table-access@5", "table-access@6"}},
		{"arithmetic on a code address", func(a *progen.Asm) {
			a.Table(3, "x", "y")
			a.Emit(ldxDW, 3, 3, 0, 0)
			a.Emit(addK, 3, 0, 0, 8) // 3
			a.Emit(bytecode.CodeGotox, 3, 0, 0, 0)
			leave(a, "x", 1)
			leave(a, "y", 1)
		}, []string{"table-pointer@3", "unresolved-jump@4"}},
		{"two entries into a loop", func(a *progen.Asm) {
			a.Emit(ldxDW, 2, 1, 0, 0)
			a.Emit(ldxDW, 3, 1, 8, 0)
			a.Emit(andK, 3, 0, 0, 7)
			a.If(jeqK, 2, 0, 0, "b")
			a.Label("a")
			a.Emit(addK, 3, 0, 0, 1)
			a.Label("b")
			a.Emit(addK, 3, 0, 0, 2)
			a.If(jltK, 3, 0, 100, "a")
			leave(a, "x", 1)
		}, []string{"irreducible-loop@5"}},
		{"unknown opcode", func(a *progen.Asm) {
			a.Emit(bytecode.CodeCallx, 1, 0, 0, 0)
			leave(a, "x", 1)
		}, []string{"kernel-refuses@0", "unresolved-call@0"}},
		{"a jump into a load", func(a *progen.Asm) {
			a.Emit(bytecode.CodeGoto, 0, 0, 1, 0)
			a.Wide(1, 0, 0)
			leave(a, "x", 1)
		}, []string{"target-mid-ldimm64@0", "unreachable@1"}},
		{"arithmetic on a map", func(a *progen.Asm) {
			a.MapAddr(3, a.Map(bytecode.Map{Name: "m", Type: 2, KeySize: 4, ValueSize: 8, MaxEntries: 1}))
			a.Emit(addK, 3, 0, 0, 32) // 2
			leave(a, "x", 1)
		}, []string{"kernel-refuses@2"}},
		{"nothing added to a map", func(a *progen.Asm) {
			a.MapAddr(3, a.Map(bytecode.Map{Name: "m", Type: 2, KeySize: 4, ValueSize: 8, MaxEntries: 1}))
			a.Emit(addK, 3, 0, 0, 0)
			leave(a, "x", 1)
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var a progen.Asm
			c.make(&a)
			got := ids(check.Findings(analyse(t, a.Program("p")), check.Expect{}))
			slices.Sort(got)
			want := slices.Clone(c.want)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("findings %v, want %v", got, want)
			}
		})
	}
}

// TestEntries checks tables that name no instruction.
func TestEntries(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(t *bytecode.JumpTable)
		want   check.ID
		part   string
	}{
		{"beyond the program", func(t *bytecode.JumpTable) { t.Targets[1] = 4096 }, check.TableEntry, "entry 1 of table"},
		{"before the program", func(t *bytecode.JumpTable) { t.Targets[0], t.Targets[1] = -1, -1 }, check.TableEntry, "entries 0-1"},
		{"half a load", func(t *bytecode.JumpTable) { t.Targets[0] = 4 }, check.TargetMidLoad, "entry 0 of table"},
		{"not frozen", func(t *bytecode.JumpTable) { t.Unfrozen = true }, check.TableUnfrozen, "not frozen"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var a progen.Asm
			switch4(&a, 1, "x", "y")
			leave(&a, "x", 1)
			leave(&a, "y", 2)
			p := a.Program("p")
			c.change(&p.Tables[0])
			fs := check.Findings(analyse(t, p), check.Expect{})
			i := slices.IndexFunc(fs, func(f check.Finding) bool { return f.ID == c.want })
			if i < 0 || !strings.Contains(fs[i].Message, c.part) {
				t.Fatalf("findings %v, want %s with %q", ids(fs), c.want, c.part)
			}
			if fs[i].Kernel != "Failed to properly initialize insn array" {
				t.Errorf("the kernel is said to print %q", fs[i].Kernel)
			}
		})
	}
}

// TestForeign jumps from one function into another: Linux's pass over tables
// refuses the table, or lets the jump pass when the address was handed over.
func TestForeign(t *testing.T) {
	var a progen.Asm
	a.Func("p", false)
	switch4(&a, 1, "x", "other")
	leave(&a, "x", 1)
	a.Func("other", false)
	leave(&a, "o", 2)
	p := a.Program("p")
	got := ids(check.Findings(analyse(t, p), check.Expect{}))
	for _, want := range []string{"target-outside-subprogram@3", "foreign-target@7"} {
		if !slices.Contains(got, want) {
			t.Errorf("findings %v, want %s among them", got, want)
		}
	}
}

// TestExplosion holds the estimate against what Linux 7.3 gives up at: 17
// diamonds, not 16.
func TestExplosion(t *testing.T) {
	for n, want := range map[int]bool{2: false, 16: false, 17: true, 40: true} {
		fs := check.Findings(analyse(t, progen.Diamonds(n)), check.Expect{})
		got := slices.ContainsFunc(fs, func(f check.Finding) bool { return f.ID == check.PathExplosion })
		if got != want {
			t.Errorf("%d diamonds: path-explosion %v, want %v", n, got, want)
		}
	}
}

// TestQuiet states that compiled programs which a kernel takes have no error.
func TestQuiet(t *testing.T) {
	n := 0
	for _, dir := range []string{"corpus/out/*.o", "corpus/out-plain/*.o"} {
		for _, p := range objects(t, dir) {
			refused := p.Name == "plain" || p.Name == "pairs" || p.Name == "writable" // 24_rodata_table
			fs := check.Findings(analyse(t, p), check.Expect{})
			bad := slices.ContainsFunc(fs, func(f check.Finding) bool { return f.Level == check.Error })
			if bad != (refused && dir == "corpus/out/*.o") {
				t.Errorf("%s %s: %v", dir, p.Name, ids(fs))
			}
			n++
		}
	}
	if n < 50 {
		t.Fatalf("only %d programs", n)
	}
}

// TestPaths checks every witness: it begins at the entry, ends at the finding,
// and each step is an edge that can be taken.
func TestPaths(t *testing.T) {
	n := 0
	for _, p := range append(objects(t, "corpus/out/*.o"), progen.Diamonds(200)) {
		a := analyse(t, p)
		for _, f := range check.Findings(a, check.Expect{}) {
			if len(f.Path()) == 0 {
				if f.Block >= 0 && p.Name != "writable" && a.Succ.Exact.BlockReached(f.Block) {
					t.Errorf("%s: %s@%d can be reached and has no path", p.Name, f.ID, f.PC)
				}
				continue
			}
			n++
			if f.Path()[0].Block != 0 || f.Path()[len(f.Path())-1].Block != f.Block {
				t.Errorf("%s: %s@%d: the path goes from b%d to b%d", p.Name, f.ID, f.PC, f.Path()[0].Block, f.Path()[len(f.Path())-1].Block)
			}
			for i := 1; i < len(f.Path()); i++ {
				if f.Path()[i].Skipped == 0 && !feasible(a, f.Path()[i-1].Block, f.Path()[i].Block) {
					t.Errorf("%s: %s@%d: no way from b%d to b%d", p.Name, f.ID, f.PC, f.Path()[i-1].Block, f.Path()[i].Block)
				}
			}
		}
	}
	if n < 15 {
		t.Fatalf("only %d paths", n)
	}
}

// feasible reports whether an edge can be taken.
func feasible(a *pipeline.Analysis, from, to cfg.BlockID) bool {
	lo, hi := a.Graph.SuccIDs(from)
	for i := lo; i < hi; i++ {
		if a.Graph.Edges()[i].To == to && a.Succ.Exact.EdgeFeasible(i) {
			return true
		}
	}
	return false
}

// TestFingerprints moves everything by unrelated instructions, in front and
// inside, and adds a function: fingerprints stay. They are all different.
func TestFingerprints(t *testing.T) {
	make := func(extra int) *bytecode.Program {
		var a progen.Asm
		pad := func() {
			for range extra {
				a.Emit(movK, 4, 0, 0, 7)
			}
		}
		pad()
		a.Emit(ldxDW, 2, 1, 0, 0)
		a.If(jgtK, 2, 0, 10, "big")
		a.If(jgtK, 2, 0, 20, "big")
		a.If(jgtK, 2, 0, 30, "big")
		pad()
		switch4(&a, 1, "x", "y", "z")
		leave(&a, "x", 1)
		leave(&a, "z", 3)
		a.Label("y")
		a.Emit(bytecode.CodeGoto, 0, 0, 0, 0)
		leave(&a, "big", 2)
		if extra > 0 {
			leave(&a, "dead", 2)
		}
		return a.Program("p")
	}
	prints := func(p *bytecode.Program) []string {
		var out []string
		for _, f := range check.Findings(analyse(t, p), check.Expect{}) {
			if f.ID != check.Unreachable { // new with the function
				out = append(out, string(f.ID)+" "+f.Fingerprint)
			}
		}
		return out
	}
	before, after := prints(make(0)), prints(make(3))
	if len(before) < 4 || !slices.Equal(before, after) {
		t.Errorf("before %v\nafter %v", before, after)
	}
	if u := slices.Compact(slices.Sorted(slices.Values(before))); len(u) != len(before) {
		t.Errorf("two findings share a fingerprint: %v", before)
	}
}

// TestCatalogue checks that every kind is described.
func TestCatalogue(t *testing.T) {
	seen := map[check.ID]bool{}
	for _, i := range check.Catalogue() {
		if seen[i.ID] || i.Level.Rank() <= 0 || i.Title == "" || !strings.HasSuffix(i.What, ".") || i.Fix == "" ||
			strings.HasSuffix(i.Fix, ".") || i.Example == "" && i.ID != check.LayoutMismatch {
			t.Errorf("%s is described badly: %+v", i.ID, i)
		}
		seen[i.ID] = true
	}
}

// TestFacts checks what a dead branch says of its reasons.
func TestFacts(t *testing.T) {
	known := func(fs []check.Finding) string {
		for _, f := range fs {
			for _, r := range f.Related {
				if s, ok := strings.CutPrefix(r.Message, "known here: "); ok {
					return s
				}
			}
		}
		return ""
	}
	var a progen.Asm
	a.Emit(ldxDW, 2, 1, 0, 0)
	a.If(jgtK, 2, 0, 10, "big")
	a.If(jgtK, 2, 0, 20, "big")
	leave(&a, "small", 1)
	leave(&a, "big", 2)
	got := known(check.Findings(analyse(t, a.Program("p")), check.Expect{}))
	if !strings.HasPrefix(got, "R2=scalar(") || !strings.Contains(got, "umax32=10") || !strings.HasSuffix(got, ")") {
		t.Errorf("a bounded register: %q", got)
	}
	for _, p := range fileObjects(t, "testdata/features.o") {
		if p.Name == "filter" {
			if got := known(check.Findings(analyse(t, p), check.Expect{})); got != "r2 is the constant enable_ipv6, 1" {
				t.Errorf("a constant: %q", got)
			}
		}
	}
}

// TestFingerprintsOfC compares a program with what it became after a week of
// work: other registers, instructions, lines and tables, and the same findings.
func TestFingerprintsOfC(t *testing.T) {
	prints := func(file string) []string {
		var out []string
		for _, p := range fileObjects(t, file) {
			for _, f := range check.Findings(analyse(t, p), check.Expect{}) {
				out = append(out, string(f.ID)+" "+f.Fingerprint)
			}
		}
		return out
	}
	before, after := prints("testdata/route.o"), prints("testdata/route.later.o")
	if len(before) != 5 || !slices.Equal(before, after) {
		t.Errorf("before %v\nafter %v", before, after)
	}
}
