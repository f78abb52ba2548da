package main

import (
	"bytes"
	"go/ast"
	"go/token"
	"go/types"
	"os/exec"
	"path/filepath"
	"testing"
)

// once holds faults that were proven at some time, by what they change: an endless
// loop whose jump vanishes, hidden constants in what compares AX, comparisons in the
// clear, a call that refers to no function, a per-CPU address that is none, dead code
// that is removed for a loader whose dead code must stay, and the other way round, and
// calls of helpers that are said to be of none.
var once = []struct{ file, was, now string }{
	{"jit/jump.go", "n == 0", "!(n == 0)"},
	{"jit/rewrite/blind.go", "||", "&&"},
	{"jit/rewrite/blind.go", "==", "!="},
	{"jit/rewrite/finish.go", "&&", "||"},
	{"jit/rewrite/fixups.go", "st.percpuLoad(im, i)", "!(st.percpuLoad(im, i))"},
	{"jit/rewrite/helpers.go", "s.marks&markSeen == 0", "!(s.marks&markSeen == 0)"},
	{"jit/rewrite/deadcode.go", "st.opt.NoCapBPF", "!(st.opt.NoCapBPF)"},
}

// TestFaults plants all faults in one program and judges a few, and those that were
// proven once: none that changes control flow may be. That program is built once, so
// that more cost little: list.txt holds what becomes of 360.
func TestFaults(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("skipped: needs the go command to build a program with faults")
	}
	const n, seed = 24, 4
	g, err := newGarden(rootOf(t), "jit", "jit/rewrite")
	if err != nil {
		t.Fatal(err)
	}
	drawn := g.draw(n, seed)
	for _, o := range once {
		known := len(drawn)
		for _, f := range g.faults {
			if f.file == o.file && f.was == o.was && f.now == o.now {
				drawn = append(drawn, f)
			}
		}
		if len(drawn) == known {
			t.Errorf("%v cannot be planted any more: another must take its place", o)
		}
	}
	var out bytes.Buffer
	sum, err := g.judge(&out, drawn)
	if err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + out.String())
	if sum[hole] > 0 {
		t.Errorf("%d faults change control flow and are proven", sum[hole])
	}
	if sum[found] < len(once) {
		t.Errorf("only %d faults change control flow: too little was tried", sum[found])
	}
}

func rootOf(t *testing.T) string {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// TestSwitches holds each form of a fault, switched off and on.
func TestSwitches(t *testing.T) {
	const text = `package p
func f(a, b int, s []byte) byte {
	if a == b && a < 3 {
		s = s[1:]
	}
	g()
	return s[0] + byte(a-b)
}
func g() {}
`
	const want = `package p; import plant "github.com/bpfcfg/bpfcfg/internal/testing/plant"
func f(a, b int, s []byte) byte {
	if func() bool { if plant.Active == 1 { return !(a == b && a < 3) }; return ` +
		`func() bool { if plant.Active == 2 { return a == b || a < 3 }; return ` +
		`func() bool { if plant.Active == 3 { return a != b }; return a == b }() && ` +
		`func() bool { if plant.Active == 4 { return a <= 3 }; return a < plant.Pick[int](5, 3, 4) }() }() }() {
		s = s[plant.Pick[int](6, 1, 2):]
	}
	if plant.Active != 7 { g() }
	return plant.Pick(8, s[plant.Pick[int](9, 0, 1)] + byte(plant.Pick(10, a-b, a + b)), s[0] - byte(a-b))
}
func g() {}
`
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}}
	s := &source{fset: token.NewFileSet()}
	if err := s.add("p.go", []byte(text)); err != nil {
		t.Fatal(err)
	}
	pkg, wrong := s.check(info, nil)
	if len(wrong) > 0 {
		t.Fatal(wrong)
	}
	f := finder{src: []byte(text), rel: "p.go", fset: s.fset, info: info, pkg: pkg}
	all := f.sites(s.trees[0])
	number(all, 0)
	got := string(texts(s, all)["p.go"])
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	planted := &source{fset: token.NewFileSet()}
	if err := planted.add("p.go", []byte(got)); err != nil {
		t.Fatal(err)
	}
	if _, wrong := planted.check(nil, nil); len(wrong) > 0 {
		t.Error(wrong)
	}
}
