package abstract

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/record"
)

// recordsVariable names further record files, as a glob: those that
// internal/testing/asked keeps, whose kernels were asked about random programs.
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
	walks bool // the listings in front of the walk are over
	whole bool // the next line holds all registers

	words map[string]word // those that were read before
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
		return -1, nil
	}
	if m := frameLine.FindStringSubmatch(text); m != nil && w.whole {
		w.regs = w.parse(m[1]) // of callers, too, before those of callees
		return -1, nil
	}
	w.whole = text == "caller:" || text == "callee:" || strings.HasPrefix(text, "returning from callee:") ||
		strings.HasPrefix(text, "to caller at ")
	if m := updateLine.FindStringSubmatch(text); m != nil {
		if !w.walks {
			w.regs, w.walks = map[int]kernelValue{}, true
		}
		maps.Copy(w.regs, w.parse(m[2]))
		return -1, nil
	}
	m := visitLine.FindStringSubmatch(text)
	if m == nil || !w.walks {
		return -1, nil
	}
	pc, _ = strconv.Atoi(m[1])
	regs = maps.Clone(w.regs)
	if pc < len(w.p.Insns) { // of what it writes only registers that are read later are shown
		_, def := UseDef(w.p, bytecode.PC(pc))
		for r := range 10 {
			if def&(1<<r) != 0 || r < 6 && m[2] == "85" {
				delete(w.regs, r)
			}
		}
	}
	if _, after, ok := strings.Cut(m[3], " ; "); ok {
		maps.Copy(w.regs, w.parse(after))
	}
	return pc, regs
}

// TestKernelLogs compares facts with the registers at each instruction that a log
// shows: one of our states must cover them.
func TestKernelLogs(t *testing.T) {
	pattern := os.Getenv(recordsVariable)
	if pattern == "" {
		t.Skipf("no records: %s=GLOB names some, see docs/testing.md", recordsVariable)
	}
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %v", pattern, err)
	}
	for _, path := range files {
		rd, err := record.Open(path, record.Options{})
		if err != nil {
			t.Fatal(err)
		}
		visits, programs, outside := 0, 0, 0
		for {
			rec, err := rd.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if rec.Job == nil || rec.Result == nil || rec.Result.Load == nil || !rec.Result.Load.OK {
				continue
			}
			programs++
			n, bad := compareLog(t, rec)
			visits += n
			outside += bad
		}
		t.Logf("%s: %d programs, %d visits, %d outside of our states", path, programs, visits, outside)
		rd.Close()
	}
}

// compareLog compares the visits of one log; the first that is outside of our states
// is an error.
func compareLog(t *testing.T, rec *record.Record) (visits, outside int) {
	t.Helper()
	p, err := rec.Job.Program()
	if err != nil {
		t.Error(err)
		return 0, 0
	}
	_, f := fixpoint(t, p)
	replay := NewReplay(f, Options{Rules: Kernel})
	known := map[int][]*State{}
	w := &logWalk{t: t, p: p, words: map[string]word{}}
	lines := bufio.NewScanner(strings.NewReader(rec.Result.Load.Log))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
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
		if outside++; outside == 1 {
			var ours []string
			for _, s := range states {
				ours = append(ours, misfits(t, s, regs)+s.String())
			}
			t.Errorf("%s: at %d: %s\nkernel %v\nours   %s", rec.Job.Name, pc, lines.Text(), regs,
				strings.Join(ours, "\n       "))
		}
	}
	return visits, outside
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
