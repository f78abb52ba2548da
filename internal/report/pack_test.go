package report

import (
	"bytes"
	"fmt"
	"math"
	"math/rand"
	"reflect"
	"testing"
	"testing/quick"

	"github.com/bpfcfg/bpfcfg/internal/check"
)

// TestPack checks that what was packed comes back as it was. The values are made
// from the types, so that a field that is added and forgotten is found.
func TestPack(t *testing.T) {
	rnd := rand.New(rand.NewSource(1))
	cases := []Input{
		{},
		{Programs: []Program{}},
		{Programs: []Program{{}, {Findings: []Finding{}}, {Findings: []Finding{{Path: []Step{}, Related: []Related{}}}}}},
		{Programs: []Program{{Name: "\xff\x00\u202e", Insns: math.MinInt, Findings: []Finding{{Message: "\xc3", Block: -1}}}}},
	}
	for range 200 {
		v, ok := quick.Value(reflect.TypeFor[[]Program](), rnd)
		if !ok {
			t.Fatal("no value of []Program can be made")
		}
		cases = append(cases, Input{Name: "x.o", Programs: v.Interface().([]Program)})
	}
	for i := range cases {
		want, in := cases[i], cases[i]
		in.Pack()
		in.Pack()
		if in.Programs != nil {
			t.Fatalf("%d: the programs are still there", i)
		}
		if got := in.unpacked(); !reflect.DeepEqual(*got, want) {
			t.Fatalf("%d: %+v became %+v", i, want, *got)
		}
	}
}

// TestPackedReport checks that a report of packed inputs is the report, in every
// format and with a baseline.
func TestPackedReport(t *testing.T) {
	loose, packed := fixture(), fixture()
	for i := range packed.Inputs {
		packed.Inputs[i].Pack()
	}
	compare := func(what string) {
		t.Helper()
		for _, f := range Formats() {
			want, got := write(t, f, loose, Options{}), write(t, f, packed, Options{})
			if want != got {
				t.Errorf("%s, %s: %s became %s", what, f, want, got)
			}
		}
		if Summary(loose) != Summary(packed) || loose.Count() != packed.Count() {
			t.Errorf("%s: another summary", what)
		}
	}
	compare("plain")
	entries := packed.Baseline()
	if !reflect.DeepEqual(entries, loose.Baseline()) {
		t.Error("another baseline")
	}
	loose.Accept(entries[:2])
	packed.Accept(entries[:2])
	if packed.Count().Accepted == 0 {
		t.Error("nothing was accepted")
	}
	compare("accepted")
}

// TestPackIsSmall checks the size of what is typical: many paths through the same
// places.
func TestPackIsSmall(t *testing.T) {
	in := Input{Name: "x.o", Programs: []Program{{Name: "p"}}}
	for i := range 100 {
		f := Finding{ID: check.DeadBranch, Level: check.Note, Message: fmt.Sprintf("the branch at insn %d is dead", i)}
		for j := range 50 {
			f.Path = append(f.Path, Step{Place{j * 7, "src/prog.c", 40 + j, 9, fmt.Sprintf("\tif (x > %d)", j)}, j, "goto pc+1", 0})
		}
		in.Programs[0].Findings = append(in.Programs[0].Findings, f)
	}
	var doc bytes.Buffer
	r := &Report{}
	r.Add(in)
	if err := Write(&doc, "json", r, Options{}); err != nil {
		t.Fatal(err)
	}
	in.Pack()
	if n := len(in.packed); n > doc.Len()/10 {
		t.Errorf("%d bytes for a document of %d", n, doc.Len())
	}
}
