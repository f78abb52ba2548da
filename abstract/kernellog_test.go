package abstract

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/abstract/scalar"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
	"github.com/bpfcfg/bpfcfg/internal/record"
)

// recordsVariable names further record files, as a glob: those that
// internal/testing/asked keeps, the answers of kernels about random programs.
const recordsVariable = "BPFCFG_RECORDS"

var (
	visitLine  = regexp.MustCompile(`^(\d+): \(([0-9a-f]{2})\) (.*)$`)
	updateLine = regexp.MustCompile(`^(\d+): (?:frame\d+: )?(R\d.*)$`)
	frameLine  = regexp.MustCompile(`^ (?:frame\d+: )?(R\d.*)$`)
)

// logWalk follows a log of level 2 (kernel/bpf/verifier.c do_check and
// kernel/bpf/log.c, Linux 7.2): the registers of the function that is verified, as
// far as the log has told of them.
type logWalk struct {
	t     *testing.T
	p     *bytecode.Program
	regs  map[int]kernelValue
	walks bool // the listings before the walk are over
	whole bool // the next line holds all registers

	words map[string]word // those that were read before
	// stale are registers that were linked to one that was compared: what the verifier
	// has learnt of them is not printed until they are used.
	stale map[int]bool

	last int // slot of the last visit, -1 at the start of a path
	// emptied says that the path has followed an edge that its own numbers exclude.
	emptied bool
}

// word is what a word of a line says: a register, or -1, and its value.
type word struct {
	reg   int
	value kernelValue
}

// parse is parseState for logs in which most words are there many times.
func (w *logWalk) parse(text string) map[int]kernelValue {
	regs := map[int]kernelValue{}
	for _, s := range fields(text) {
		known, ok := w.words[s]
		if !ok {
			known.reg = -1
			for r, v := range parseState(w.t, s) {
				known = word{r, v}
			}
			w.words[s] = known
		}
		if known.reg >= 0 {
			regs[known.reg] = known.value
		}
	}
	return regs
}

// line takes a line of the log. For that of an instruction it returns its slot, and
// the registers before it.
func (w *logWalk) line(text string) (pc int, regs map[int]kernelValue) {
	if m := fromLine.FindStringSubmatch(text); m != nil {
		w.regs, w.walks = w.parse(m[2]), true
		w.last, w.emptied = -1, false
		clear(w.stale)
		return -1, nil
	}
	if m := frameLine.FindStringSubmatch(text); m != nil && w.whole {
		w.regs = w.parse(m[1]) // of callers, too, before those of callees
		clear(w.stale)
		return -1, nil
	}
	w.whole = text == "caller:" || text == "callee:" || strings.HasPrefix(text, "returning from callee:") ||
		strings.HasPrefix(text, "to caller at ")
	if m := updateLine.FindStringSubmatch(text); m != nil {
		if !w.walks {
			w.regs, w.walks = map[int]kernelValue{}, true
		}
		w.print(w.parse(m[2]))
		return -1, nil
	}
	m := visitLine.FindStringSubmatch(text)
	if m == nil || !w.walks {
		return -1, nil
	}
	pc, _ = strconv.Atoi(m[1])
	regs = maps.Clone(w.regs)
	w.emptied = w.emptied || w.excluded(pc)
	w.last = pc
	w.compared(pc)
	if pc < len(w.p.Insns) { // of what it writes only registers that are read later are shown
		_, def := UseDef(w.p, bytecode.PC(pc))
		for r := range 10 {
			if def&(1<<r) != 0 || r < 6 && m[2] == "85" {
				delete(w.regs, r)
			}
		}
	}
	if _, after, ok := strings.Cut(m[3], " ; "); ok {
		w.print(w.parse(after))
	}
	return pc, regs
}

// compared notes the registers that a conditional jump refines besides its own.
func (w *logWalk) compared(pc int) {
	if pc >= len(w.p.Insns) || w.p.Flow(bytecode.PC(pc)).Kind != bytecode.FlowCond {
		return
	}
	in := w.p.Insns[pc]
	for r, v := range w.regs {
		for _, own := range []int{int(in.Dst), int(in.Src)} {
			if v.id != "" && r != own && w.regs[own].id == v.id {
				w.stale[r] = true
			}
		}
	}
}

// excluded reports whether the last visit was of a conditional jump, and what the verifier then holds
// excludes that it goes on at pc: it has not seen that no number is left.
func (w *logWalk) excluded(pc int) bool {
	if w.last < 0 || w.last >= len(w.p.Insns) || w.p.Flow(bytecode.PC(w.last)).Kind != bytecode.FlowCond {
		return false
	}
	in := w.p.Insns[w.last]
	cond, is32, ok := scalar.CondOf(in.Code)
	dst, src := w.regs[int(in.Dst)], kernelValue{kind: "scalar", off: scalar.Const(uint64(int64(in.Imm)))}
	if in.Source() == asm.RegSource {
		src = w.regs[int(in.Src)]
	}
	if !ok || dst.kind != "scalar" || src.kind != "scalar" {
		return false
	}
	if pc == w.last+1 {
		cond = cond.Negate()
	}
	return scalar.Decide(cond, is32, dst.off, src.off, false) == scalar.Never
}

// print notes registers that a line of the log shows.
func (w *logWalk) print(regs map[int]kernelValue) {
	maps.Copy(w.regs, regs)
	for r := range regs {
		delete(w.stale, r)
	}
}

// Reasons for which none of our states covers what a log shows.
const (
	byHeld = "ours covers it by a second range, as meets of ranges that wrap are not monotone"
	byLink = "the log shows a linked number before a comparison, and what that told is not printed"
	byNone = "the verifier follows an edge that its own numbers exclude, and holds anything there"
)

// reason returns why no state covers the registers, "" if that is not known.
func (w *logWalk) reason(t *testing.T, states []*State, regs map[int]kernelValue, stale map[int]bool) string {
	held, linked := false, false
	for _, s := range states {
		h, l, fits := false, false, true
		for r, k := range regs {
			switch v := s.regs[r]; {
			case k.fits(v) || k.fitsPrinted(t, v):
			case k.fitsHeld(v):
				h = true
			case stale[r]:
				l = true
			default:
				fits = false
			}
		}
		held, linked = held || fits && h && !l, linked || fits && l
	}
	switch {
	case held:
		return byHeld
	case linked:
		return byLink
	case w.emptied:
		return byNone
	}
	return ""
}

// TestKernelLogs compares facts with the registers at each instruction that a log
// shows: one of our states must cover them. The logs are those of 7.2.7 of which that was not so
// before the analysis was fixed, and those that the environment names.
func TestKernelLogs(t *testing.T) {
	files := []string{filepath.Join("testdata", "registers.jsonl.gz")}
	if pattern := os.Getenv(recordsVariable); pattern != "" {
		named, err := filepath.Glob(pattern)
		if err != nil || len(named) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		files = append(files, named...)
	}
	for _, path := range files {
		rd, err := record.Open(path, record.Options{})
		if err != nil {
			t.Fatal(err)
		}
		visits, programs, outside := 0, 0, map[string]int{}
		opt := Options{Rules: Verifier}
		for {
			rec, err := rd.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if rec.Env != nil {
				opt.Quirks = QuirksOf(featuresOf(t, rec.Env.Release))
			}
			if rec.Job == nil || rec.Result == nil || rec.Result.Load == nil || !rec.Result.Load.OK {
				continue
			}
			programs++
			visits += compareLog(t, rec, opt, outside)
		}
		t.Logf("%s: %d programs, %d visits", path, programs, visits)
		for _, why := range slices.Sorted(maps.Keys(outside)) {
			t.Logf("%8d visits with registers that none of our states covers: %s", outside[why], cmp.Or(why, "no reason"))
		}
		rd.Close()
	}
}

// featuresOf returns what a kernel is known to do.
func featuresOf(t *testing.T, release string) kernel.Features {
	t.Helper()
	v, err := kernel.Parse(release)
	if err != nil {
		t.Fatal(err)
	}
	return kernel.Of(v)
}

// compareLog compares the visits of one log, and counts those outside of our states by
// their reasons; the first without one is an error.
func compareLog(t *testing.T, rec *record.Record, opt Options, outside map[string]int) (visits int) {
	t.Helper()
	p, err := rec.Job.Program()
	if err != nil {
		t.Error(err)
		return 0
	}
	_, f := fixpointOf(t, p, opt)
	replay := NewReplay(f, opt)
	known := map[int][]*State{}
	w := &logWalk{t: t, p: p, words: map[string]word{}, stale: map[int]bool{}, last: -1}
	told := false
	lines := bufio.NewScanner(strings.NewReader(rec.Result.Load.Log))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		stale := maps.Clone(w.stale)
		pc, regs := w.line(lines.Text())
		if pc < 0 {
			continue
		}
		states, ok := known[pc]
		if !ok {
			states = replay.Before(bytecode.PC(pc))
			known[pc] = states
		}
		visits++
		if covered(t, states, regs) {
			continue
		}
		why := w.reason(t, states, regs, stale)
		if outside[why]++; why == "" && !told {
			told = true
			var ours []string
			for _, s := range states {
				ours = append(ours, misfits(t, s, regs)+s.String())
			}
			t.Errorf("%s: at %d: %s\nkernel %v\nours   %s", rec.Job.Name, pc, lines.Text(), regs,
				strings.Join(ours, "\n       "))
		}
	}
	return visits
}

// fitsPrinted reports whether our value would cover the kernel's if ours were printed
// as a log prints values, which cannot show a range that wraps.
func (k kernelValue) fitsPrinted(t *testing.T, v *Value) bool {
	return v.has(func(a *Alt) bool {
		m := regText.FindStringSubmatch("R0=" + string(a.appendText(nil, v)))
		if m == nil {
			return false
		}
		ours := parseValue(t, m[2], m[3])
		return ours.kind == k.kind && k.off.Leq(ours.off)
	})
}

// covered reports whether one of the states covers the kernel's registers.
func covered(t *testing.T, states []*State, regs map[int]kernelValue) bool {
	for _, s := range states {
		fits := true
		for r, k := range regs {
			fits = fits && (k.fits(s.regs[r]) || k.fitsPrinted(t, s.regs[r]))
		}
		if fits {
			return true
		}
	}
	return false
}

// misfits names the registers of the kernel's that a state does not cover.
func misfits(t *testing.T, s *State, regs map[int]kernelValue) string {
	out := ""
	for r, k := range regs {
		if !k.fits(s.regs[r]) && !k.fitsPrinted(t, s.regs[r]) {
			out += fmt.Sprintf("(r%d) ", r)
		}
	}
	return out
}
