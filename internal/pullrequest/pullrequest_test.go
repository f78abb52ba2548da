package pullrequest

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// TestHarmless gives names that are Markdown, HTML and mentions: they come out as text.
func TestHarmless(t *testing.T) {
	evil := "[x](https://evil.example)<img src=x>@team **b** |\n# h"
	r := &Report{Base: evil, Head: evil, Page: "https://ok.example/>\n[x](y)", Dead: []string{evil}, Targets: []string{evil},
		Layout: []string{evil}, Failed: []string{evil}, Passed: evil,
		Rows: []Row{{Program: evil, Kernel: evil, New: &Side{Verdict: evil, Dead: -1, Image: -1}}}}
	var b bytes.Buffer
	if err := r.Markdown(&b); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"](https://evil", " <img", "x<img", "x>@", "\n# h", "\n[x]"} {
		if strings.Contains(b.String(), bad) {
			t.Errorf("%q is in\n%s", bad, &b)
		}
	}
}

// TestBounded gives more than GitHub takes in a comment (65,536 characters).
func TestBounded(t *testing.T) {
	r := &Report{Base: "a", Head: "b"}
	for i := range 10_000 {
		s := fmt.Sprintf("program%d", i)
		r.Rows = append(r.Rows, Row{Program: s, Kernel: "linux-7.3", New: &Side{Insns: i}})
		r.Dead, r.Targets = append(r.Dead, s), append(r.Targets, s)
		r.Layout, r.Failed = append(r.Layout, s), append(r.Failed, s)
	}
	var b bytes.Buffer
	if err := r.Markdown(&b); err != nil || b.Len() > 40_000 {
		t.Errorf("%v, %d bytes", err, b.Len())
	}
}

// TestTable counts by hand: of three rows one has a difference and is in the table, below one head.
func TestTable(t *testing.T) {
	side := func(insns int) *Side { return &Side{Verdict: "not refused", Insns: insns} }
	row := func(name string, before, after int) Row {
		return Row{Program: name, Kernel: "linux-7.3", Old: side(before), New: side(after)}
	}
	r := &Report{Base: "a", Head: "b", Rows: []Row{row("same1", 3, 3), row("grown", 3, 4), row("same2", 5, 5)}}
	var b bytes.Buffer
	if err := r.Markdown(&b); err != nil {
		t.Fatal(err)
	}
	got := b.String()
	if strings.Count(got, "| program | kernel |") != 1 || strings.Count(got, "linux-7.3") != 1 || !strings.Contains(got, "grown") ||
		!strings.Contains(got, "Without a difference: 2 of 3 ") || strings.Contains(got, "more rows") {
		t.Errorf("%s", got)
	}
}

func TestVeristat(t *testing.T) {
	got, err := ReadVeristat(strings.NewReader("prog_name,file_name,verdict,total_insns\nf,a/x.o,success,12\ng,x.o,failure,N/A\n"))
	if err != nil || got[Key{"x.o", "f"}] != (Veristat{true, 12}) || got[Key{"x.o", "g"}] != (Veristat{false, -1}) {
		t.Errorf("%v %v", got, err)
	}
	for _, bad := range []string{"", "a,b\n", "prog_name,file_name,verdict\nf,x.o,maybe\n", "prog_name,file_name,verdict\n\"f\n"} {
		if _, err := ReadVeristat(strings.NewReader(bad)); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	var b bytes.Buffer
	if err := WriteVeristat(&b, []Verdict{{Key{"x.o", "f"}, true, 3, -1}}); err != nil {
		t.Fatal(err)
	}
	if again, err := ReadVeristat(&b); err != nil || again[Key{"x.o", "f"}].Accepted {
		t.Errorf("%v %v", again, err)
	}
}
