package diff

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
)

// analyse runs the pipeline.
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

// side returns the programs of an object.
func side(t testing.TB, file string) Side {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	o, err := load.ELF(file, data)
	if err != nil {
		t.Fatal(err)
	}
	s := Side{Input: filepath.Base(file)}
	for _, p := range o.Programs {
		s.Programs = append(s.Programs, Compiled{p.Name, analyse(t, p)})
	}
	return s
}

// text returns the report as a terminal shows it.
func text(t *testing.T, r *Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := r.Text(&b, Options{}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// counted holds what is true of every comparison: each block of either side is
// counted once.
func counted(t *testing.T, p *Program) {
	t.Helper()
	c := p.Counts
	if n := len(p.New.Graph.Blocks); c.Same+c.Changed+c.Added != n {
		t.Errorf("%s: %v is not %d new blocks", p.Name, c, n)
	}
	if n := len(p.Old.Graph.Blocks); c.Same+c.Changed+c.Removed != n {
		t.Errorf("%s: %v is not %d old blocks", p.Name, c, n)
	}
	for side := range 2 {
		seen := map[int]bool{}
		for _, b := range p.Blocks {
			if id := b.ID[side]; id >= 0 && seen[id] {
				t.Errorf("%s: b%d twice on side %d", p.Name, id, side)
			} else {
				seen[id] = true
			}
		}
	}
}

// TestSelf: nothing differs from itself.
func TestSelf(t *testing.T) {
	n := 0
	for _, file := range testenv.Glob(t, "corpus/out/*.o") {
		if strings.Contains(file, "15_thousand") && testing.Short() {
			continue
		}
		r := Compare(side(t, file), side(t, file))
		n += len(r.Programs)
		for i := range r.Programs {
			counted(t, &r.Programs[i])
		}
		if !r.Same() {
			t.Errorf("%s: %s", filepath.Base(file), text(t, r))
		}
	}
	if n < 20 {
		t.Errorf("only %d programs", n)
	}
}

// TestTables compares objects with and without jump tables, both of clang 22:
// all indirect jumps go, and the code that a C line outside the switches makes
// is found again.
func TestTables(t *testing.T) {
	for _, plain := range testenv.Glob(t, "corpus/out-plain/*.o") {
		if strings.Contains(plain, "15_thousand") {
			continue
		}
		r := Compare(side(t, testenv.Path(t, "corpus/out/"+filepath.Base(plain))), side(t, plain))
		for i := range r.Programs {
			p := &r.Programs[i]
			counted(t, p)
			for _, j := range p.Jumps {
				if j.Insn[1] >= 0 {
					t.Errorf("%s %s: %s@%d in an object without tables", r.Old, p.Name, j.Op, j.Insn[1])
				}
			}
			if !slices.IsSortedFunc(p.Jumps, func(a, b Jump) int { return a.Insn[0] - b.Insn[0] }) {
				t.Errorf("%s %s: jumps that are gone are not in order", r.Old, p.Name)
			}
			if n := indirectOf(p); len(p.Jumps) != n {
				t.Errorf("%s %s: %d of %d jumps are gone", r.Old, p.Name, len(p.Jumps), n)
			}
			if p.Counts.Same == 0 && len(p.New.Graph.Blocks) > 8 {
				t.Errorf("%s %s: no block is the same: %v", r.Old, p.Name, p.Counts)
			}
		}
	}
}

// indirectOf returns the number of indirect jumps in the old version.
func indirectOf(p *Program) int { return len(p.Old.Succ.Indirect) }

// TestCompilers compares clang 19, which has no indirect jumps, with clang 22:
// what is said is short and true.
func TestCompilers(t *testing.T) {
	r := Compare(side(t, "testdata/filter-clang19.o"), side(t, "../../docs/examples/pipeline/build/filter.o"))
	p := &r.Programs[0]
	counted(t, p)
	got := text(t, r)
	for _, want := range []string{
		"gotox               0    1  +1 (+100.00%)", "+ gotox@17  7 targets, exact  ; switch (kind) { @ filter.c:34",
		"count[2]++; @ filter.c:45",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("does not say %q:\n%s", want, got)
		}
	}
	if n := strings.Count(got, "\n"); n > 50 {
		t.Errorf("%d lines", n)
	}
	// A statement of a case that is in both objects is found again.
	came := map[string]bool{}
	for _, b := range p.Blocks {
		if b.Change == Added && b.Source != nil && strings.HasPrefix(b.Source.Text, "count[") {
			came[b.Source.Text] = true
		}
	}
	for _, b := range p.Blocks {
		if b.Change == Removed && b.End[0]-b.Start[0] > 1 && b.Source != nil && came[b.Source.Text] {
			t.Errorf("%s: removed and added: %s", b.Source.Text, b.headline())
		}
	}
}

// TestChange is one digit in a C program.
func TestChange(t *testing.T) {
	const dir = "../../docs/examples/pipeline/"
	r := Compare(side(t, dir+"build/filter.o"), side(t, dir+"change/filter.o"))
	p := &r.Programs[0]
	if p.Counts != (Counts{Same: 10, Changed: 2}) || len(p.Jumps) != 1 || p.Jumps[0].Targets != [2]int{7, 6} ||
		len(p.Jumps[0].Lost) != 1 || p.Jumps[0].Lost[0].Source.Line != 62 {
		t.Errorf("%v %+v", p.Counts, p.Jumps)
	}
	if b := p.Blocks[0]; b.Source.Line != 31 || len(b.Lines) != 2 || b.Lines[1].Text != "if w2 > 0x6 goto pc+54" {
		t.Errorf("%+v", b)
	}
	if b := p.Blocks[1]; b.Alive != [2]bool{true, false} || b.Bytes != [2]int{32, 0} {
		t.Errorf("%+v", b)
	}
	var md bytes.Buffer
	if err := r.Markdown(&md, Options{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| filter | instructions | 63 | 63 | +0 (+0.00%) |", "```diff\n", "\n-      if w2 > 0x7 goto pc+54\n"} {
		if !strings.Contains(md.String(), want) {
			t.Errorf("Markdown does not say %q:\n%s", want, &md)
		}
	}
}

// raw returns a side with one program.
func raw(t testing.TB, name string, insns ...bytecode.Insn) Side {
	p := &bytecode.Program{Name: name, Section: "xdp", Type: "xdp", Insns: insns,
		Subprogs: []bytecode.Subprogram{{Name: name, End: bytecode.PC(len(insns))}}}
	return Side{Input: "raw", Programs: []Compiled{{name, analyse(t, p)}}}
}

var (
	random = bytecode.Insn{Code: bytecode.CodeCall, Imm: 7}
	exit   = bytecode.Insn{Code: bytecode.CodeExit}
)

// ifEq is "if r0 == imm goto +off", add "r0 += imm".
func ifEq(imm int32, off int16) bytecode.Insn { return bytecode.Insn{Code: 0x15, Imm: imm, Off: off} }
func add(imm int32) bytecode.Insn             { return bytecode.Insn{Code: 0x07, Imm: imm} }

// TestInserted: a block in the middle changes no other.
func TestInserted(t *testing.T) {
	old := raw(t, "f", random, ifEq(1, 1), add(1), ifEq(2, 1), add(2), ifEq(3, 1), add(3), exit)
	fresh := raw(t, "f", random, ifEq(1, 1), add(1), ifEq(9, 1), add(9), ifEq(2, 1), add(2), ifEq(3, 1), add(3), exit)
	p := Compare(old, fresh).Programs[0]
	counted(t, &p)
	if p.Counts != (Counts{Same: 7, Added: 2}) {
		t.Errorf("%v\n%s", p.Counts, text(t, &Report{Programs: []Program{p}}))
	}
	back := Compare(fresh, old).Programs[0]
	if back.Counts != (Counts{Same: 7, Removed: 2}) {
		t.Errorf("%v", back.Counts)
	}
}

// TestSuccessors: a branch that goes elsewhere is a change of its block alone, though
// no block came or went and none has other instructions.
func TestSuccessors(t *testing.T) {
	leave := func(n int32) []bytecode.Insn { return []bytecode.Insn{add(n), exit} }
	program := func(third int16) Side {
		code := []bytecode.Insn{random, ifEq(1, 4), ifEq(2, 5), ifEq(3, third)}
		code = append(code, leave(10)...)
		code = append(code, leave(11)...) // slot 6
		code = append(code, leave(12)...) // slot 8
		return raw(t, "f", code...)
	}
	// Blocks: 0 to 2 the branches, 3 what falls through, 4 and 5 their targets.
	p := Compare(program(2), program(4)).Programs[0]
	counted(t, &p)
	if p.Counts != (Counts{Same: 5, Changed: 1}) || len(p.Blocks) != 1 {
		t.Fatalf("%v\n%s", p.Counts, text(t, &Report{Programs: []Program{p}}))
	}
	b := p.Blocks[0]
	if b.Change != Changed || b.ID != [2]int{2, 2} || len(b.Lines) != 0 || b.Edges == nil ||
		!slices.Equal(b.Edges.Lost, []int{4}) || !slices.Equal(b.Edges.Gained, []int{5}) {
		t.Errorf("%+v, edges %+v", b, b.Edges)
	}
	if said := text(t, &Report{Programs: []Program{p}}); !strings.Contains(said, "b4") || !strings.Contains(said, "b5") {
		t.Errorf("the text does not tell of the successors:\n%s", said)
	}
	if p := Compare(program(2), program(2)).Programs[0]; !p.Same || len(p.Blocks) != 0 {
		t.Errorf("the program itself: %+v", p.Blocks)
	}
}

// TestRenamed: programs with other names are compared when they do the same, or
// when there is only one.
func TestRenamed(t *testing.T) {
	r := Compare(raw(t, "f", random, add(1), exit), raw(t, "g", random, add(2), exit))
	if len(r.Programs) != 1 || r.Programs[0].title() != "f → g" {
		t.Errorf("%+v", r)
	}
	two := raw(t, "h", random, add(1), exit)
	two.Programs = append(two.Programs, raw(t, "i", random, add(3), exit).Programs...)
	r = Compare(raw(t, "f", random, add(1), exit), two)
	if len(r.Programs) != 1 || r.Programs[0].Name != "h" || !slices.Equal(r.Added, []string{"i"}) || len(r.Removed) != 0 {
		t.Errorf("%+v", r)
	}
}

// TestHostile: names cannot break out of the text or the Markdown.
func TestHostile(t *testing.T) {
	name := "f|`<img src=x>`\x1b[31m\n# head"
	r := Compare(raw(t, name, random, add(1), exit), raw(t, name, random, add(2), exit))
	var md bytes.Buffer
	if err := r.Markdown(&md, Options{}); err != nil {
		t.Fatal(err)
	}
	if s := md.String(); strings.Contains(s, "<img") && !strings.Contains(s, `\<img`) || strings.Contains(s, "\x1b") ||
		strings.Contains(s, "\n# head") || strings.Contains(s, "summary>f|`<img") {
		t.Errorf("%s", s)
	}
	if s := text(t, r); strings.Contains(s, "\x1b") || strings.Contains(s, "\n# head") {
		t.Errorf("%s", s)
	}
}

// BenchmarkCompare compares programs of many blocks of which every hundredth
// differs.
func BenchmarkCompare(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		make2 := func(other int32) Side {
			insns := []bytecode.Insn{random}
			for i := range n / 4 {
				k := int32(i % 50)
				if i%100 == 0 {
					k = other
				}
				insns = append(insns, ifEq(k, 2), add(k), add(1), random)
			}
			return raw(b, "f", append(insns, exit)...)
		}
		x, y := make2(77), make2(78)
		b.Run(map[int]string{10_000: "10k", 100_000: "100k"}[n], func(b *testing.B) {
			for b.Loop() {
				Compare(x, y)
			}
		})
	}
}
