package main

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/stage"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
)

func TestAsciiLocale(t *testing.T) {
	for _, c := range []struct {
		env    map[string]string
		system string
		want   bool
	}{
		{nil, "linux", false},
		{nil, "windows", false},
		{map[string]string{"LANG": "C"}, "linux", true},
		{map[string]string{"LANG": "C"}, "windows", false},
		{map[string]string{"LANG": "C.UTF-8"}, "linux", false},
		{map[string]string{"LANG": "de_DE.utf8"}, "linux", false},
		{map[string]string{"LANG": "de_DE.UTF-8", "LC_CTYPE": "POSIX"}, "linux", true},
		{map[string]string{"LANG": "C", "LC_ALL": "en_US.UTF-8"}, "linux", false},
	} {
		if got := asciiLocale(func(k string) string { return c.env[k] }, c.system); got != c.want {
			t.Errorf("%v on %s: %v, want %v", c.env, c.system, got, c.want)
		}
	}
}

func TestGraphWidth(t *testing.T) {
	columns := func(v string) func(string) string {
		return func(k string) string { return map[string]string{"COLUMNS": v}[k] }
	}
	for _, c := range []struct {
		flag int
		env  string
		want int
	}{{0, "", 0}, {0, "72", 72}, {50, "72", 50}, {0, "wide", 0}, {0, "-4", 0}} {
		if got, err := (graphFlags{Width: c.flag}).options(io.Discard, columns(c.env)); err != nil || got.Width != c.want {
			t.Errorf("--width %d, COLUMNS=%s: %d, %v, want %d", c.flag, c.env, got.Width, err, c.want)
		}
	}
}

// TestSharedTargets demands that the text of many jumps through one table lists their
// targets until there are many, and then says which jump has the same.
func TestSharedTargets(t *testing.T) {
	for _, s := range progen.Hostile() {
		if s.Name != "fan" {
			continue
		}
		p := s.Make(250 * 13) // 250 jumps with 250 targets each
		prof, err := jit.LookupProfile(jit.DefaultProfile)
		if err != nil {
			t.Fatal(err)
		}
		a, err := pipeline.Run(p, prof, rewrite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		if err := stage.All()["succ"].Text(&out, &stage.View{Program: p, Analysis: a}); err != nil {
			t.Fatal(err)
		}
		first := a.Succ.Indirect[0]
		same := fmt.Sprintf("exact   as at insn %d (%d)\n", first.PC, len(first.Exact))
		if n := strings.Count(out.String(), same); n < 200 || n > 245 || len(first.Exact) != 250 {
			t.Errorf("%d of %d jumps name the first one with %d targets", n, len(a.Succ.Indirect), len(first.Exact))
		}
	}
}
