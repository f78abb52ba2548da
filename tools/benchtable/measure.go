package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/golden"
	"github.com/bpfcfg/bpfcfg/internal/check"
	"github.com/bpfcfg/bpfcfg/internal/diff"
	"github.com/bpfcfg/bpfcfg/internal/explain"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/layout"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
	"github.com/bpfcfg/bpfcfg/jit/verify"
	"github.com/bpfcfg/bpfcfg/succ"
	"github.com/bpfcfg/bpfcfg/succ/rules"
)

// result holds the measurements of one program.
type result struct {
	Shape  string
	Slots  int // of the program as it was made
	Blocks int
	Peak   int64 // bytes resident, at most; 0 where the system does not tell
	Proven bool  // the proof goes from the source to the machine code
	Stages []stageCost
}

// stageCost is the cost of one stage.
type stageCost struct {
	Name   string
	CPU    float64 // seconds of processor time, collection of garbage included
	Bytes  uint64  // allocated
	Allocs uint64
	Peak   int64 // bytes resident while it ran, with all that is kept of the stages before
}

// total returns the sum over the stages.
func (r *result) total() stageCost {
	t := stageCost{Name: "all", Peak: r.Peak}
	for _, s := range r.Stages {
		t.CPU += s.CPU
		t.Bytes += s.Bytes
		t.Allocs += s.Allocs
	}
	return t
}

// measureChild measures SHAPE/SLOTS and prints the result.
func measureChild(what string) error {
	name, size, _ := strings.Cut(what, "/")
	slots, err := strconv.Atoi(size)
	i := slices.IndexFunc(progen.AllShapes(), func(s progen.Shape) bool { return s.Name == name })
	if err != nil || i < 0 {
		return fmt.Errorf("-child %s: no such shape or size", what)
	}
	r, err := measure(name, progen.AllShapes()[i].Make(slots))
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

// maxPlaces bounds the places that are explained: a user names only a few.
const maxPlaces = 20

// measure runs every stage on a program. What a stage returns is kept to the
// end, as a run of the command does.
func measure(name string, p *bytecode.Program) (*result, error) {
	kernel := jit.DefaultProfile
	if slices.ContainsFunc(p.Insns, bytecode.Insn.IsCallx) {
		kernel = "linux-next" // others have no indirect calls
	}
	prof, err := jit.LookupProfile(kernel)
	if err != nil {
		return nil, err
	}
	m := &meter{r: &result{Shape: name, Slots: int(p.Len())}}
	a := &pipeline.Analysis{Program: p, Profile: prof, Rules: rules.Of(prof.Kernel())}
	m.stage("lift", func() {
		data := bytecode.Encode(p.Insns, binary.LittleEndian)
		_, m.err = bytecode.Decode(data, binary.LittleEndian)
	})
	m.stage("graph, facts, targets", func() { a.Succ, m.err = succ.Resolve(p, succ.Options{}) })
	if m.err != nil {
		return nil, m.err
	}
	a.Graph = a.Succ.Graph
	m.r.Blocks = a.Graph.NumBlocks()
	m.stage("rewrite", func() {
		a.Rewrite, m.err = rewrite.Predict(p, pipeline.Facts(p, a.Succ), prof, rewrite.Options{})
	})
	m.stage("machine code", func() { a.Image, a.ImageErr = jit.Compile(a.Rewrite.Program, prof) })
	m.hasImage = a.ImageErr == nil // no kernel has machine code for more than 256 functions
	var claim verify.Claim
	m.imageStage("verdict", func() { claim = a.Claim() })
	m.imageStage("verify", func() {
		v := verify.Prove(claim)
		if m.r.Proven = v.Source && v.Refused == ""; !v.OK() {
			m.err = fmt.Errorf("machine code differs: %v", v.Mismatches[0])
		}
	})
	var l *layout.Layout
	m.imageStage("layout", func() { l = layout.Of(a.Graph, a.Rewrite.Xlated, a.Rewrite.Program.Funcs, a.Image) })
	m.imageStage("golden", func() { m.err = goldenRoundTrip(a) })
	m.stage("check", func() { check.Findings(a, check.Expect{}) })
	m.stage("explain", func() { m.err = explainSome(a) })
	m.stage("diff", func() {
		side := diff.Side{Input: name, Programs: []diff.Compiled{{Key: name, Analysis: a}}}
		if d := diff.Compare(side, side); !d.Same() {
			m.err = fmt.Errorf("a program differs from itself")
		}
	})
	runtime.KeepAlive(l)
	for _, s := range m.r.Stages {
		m.r.Peak = max(m.r.Peak, s.Peak)
	}
	if m.err != nil {
		return nil, fmt.Errorf("%s at %d slots: %w", name, m.r.Slots, m.err)
	}
	return m.r, nil
}

// goldenRoundTrip writes the golden form, reads it and compares.
func goldenRoundTrip(a *pipeline.Analysis) error {
	l := golden.Of(golden.Input{
		Program: a.Program, Succ: a.Succ, Xlated: a.Rewrite.Xlated, Funcs: a.Rewrite.Program.Funcs, Image: a.Image,
		Unpredicted: len(a.Rewrite.Unpredicted),
	})
	old, err := golden.Parse(l.Text())
	if err != nil {
		return err
	}
	if causes := golden.Compare(old, l); len(causes) > 0 {
		return fmt.Errorf("a layout differs from itself: %s", causes[0].Text)
	}
	return nil
}

// explainSome explains a few places, the program's last instruction among them.
func explainSome(a *pipeline.Analysis) error {
	x := explain.New(a)
	places := x.Places()
	places = append(places[:min(len(places), maxPlaces)], explain.Place{Kind: "insn", Number: int(a.Program.Len()) - 1})
	for _, at := range places {
		answer, err := x.At(at)
		if err != nil {
			return err
		}
		if err := answer.Write(io.Discard); err != nil {
			return err
		}
	}
	return nil
}

// meter takes the cost of stages, until one fails.
type meter struct {
	r        *result
	err      error
	hasImage bool
}

// imageStage is stage for a stage that needs machine code: without it the cost is 0.
func (m *meter) imageStage(name string, f func()) {
	if !m.hasImage {
		f = func() {}
	}
	m.stage(name, f)
}

func (m *meter) stage(name string, f func()) {
	if m.err != nil {
		return
	}
	runtime.GC()
	resetPeak()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	used := processorTime()
	f()
	used = processorTime() - used
	runtime.ReadMemStats(&after)
	m.r.Stages = append(m.r.Stages, stageCost{
		name, used, after.TotalAlloc - before.TotalAlloc, after.Mallocs - before.Mallocs, peak(),
	})
}

// resetPeak makes the kernel forget the largest resident size of this process
// (Linux, Documentation/filesystems/proc.rst, clear_refs). Elsewhere nothing
// happens, and peak returns 0.
func resetPeak() {
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // the figures are larger without it
}

// peak returns the largest resident size of this process in bytes.
func peak() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		var kb int64
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kb); err == nil {
			return kb << 10
		}
	}
	return 0
}
