package main

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/report"
	"github.com/bpfcfg/bpfcfg/jit"
)

const sampleFile = "sample/sample.o"

// TestGuard checks that a panic is an error, and nothing else is.
func TestGuard(t *testing.T) {
	if v, err := guard(func() (int, error) { return 7, nil }); v != 7 || err != nil {
		t.Errorf("%d, %v", v, err)
	}
	cause := errors.New("cause")
	if _, err := guard(func() (int, error) { return 0, cause }); !errors.Is(err, cause) {
		t.Errorf("an error becomes %v", err)
	}
	v, err := guard(func() ([]int, error) { panic("broken") })
	if v != nil || err == nil || !strings.Contains(err.Error(), "internal error") || !strings.Contains(err.Error(), "broken") {
		t.Errorf("a panic becomes %v, %v", v, err)
	}
}

// TestPanicIsNotClean: a fault of bpfcfg on a program is a failure of that program, for
// one kernel and for several, and the check is not clean.
func TestPanicIsNotClean(t *testing.T) {
	prof, err := jit.LookupProfile(jit.DefaultProfile)
	if err != nil {
		t.Fatal(err)
	}
	p := &bytecode.Program{Name: "broken", Insns: []bytecode.Insn{{Code: bytecode.CodeExit}}}
	c := &checkRun{profiles: []jit.Profile{prof, prof}} // without a policy, which it asks
	one, code := c.program(p, nil, prof)
	several, codes := c.onKernels(p, nil)
	for _, out := range []report.Program{one, several} {
		if !strings.Contains(out.Error, "internal error") {
			t.Errorf("the program's outcome is %+v", out)
		}
		r := &report.Report{}
		r.Add(report.Input{Name: "a.o", Programs: []report.Program{out}})
		o := outputFlags{Format: []string{"json"}, FailOn: "never"}
		if err := o.finish(streams{out: io.Discard}, nil, r); statusOf(err) != exitInput {
			t.Errorf("the status is %d: %v", statusOf(err), err)
		}
	}
	if code == nil || codes == nil {
		t.Error("nothing is known of the program's code, so that it would count as dead in others")
	}
}

// faulty is a writer with a bug.
type faulty struct{}

func (faulty) Write([]byte) (int, error) { panic("broken") }

// TestPanicOfAVerb: a panic in any verb gives one line of error and the exit status of a failure.
func TestPanicOfAVerb(t *testing.T) {
	for _, args := range [][]string{{"list", sampleFile}, {"show", sampleFile, "--stage", "insns"}, {"check", sampleFile}, {"--version"}} {
		var said strings.Builder
		status := run(args, streams{in: strings.NewReader(""), out: faulty{}, err: &said})
		if status != exitInput || !strings.Contains(said.String(), "internal error") || strings.Contains(said.String(), "goroutine") {
			t.Errorf("%v: status %d: %s", args, status, said.String())
		}
	}
}
