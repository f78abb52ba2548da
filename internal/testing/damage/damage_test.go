package damage_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/golden"
	"github.com/bpfcfg/bpfcfg/internal/testing/damage"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/bpfcfg/bpfcfg/internal/testing/wellformed"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
	"github.com/bpfcfg/bpfcfg/succ/hazard"
	"github.com/bpfcfg/bpfcfg/succ/rules"
)

// rounds is how often each kind of fault is applied to the objects; docs/evidence/hardening.md
// has the figures of a long run.
var rounds = flag.Int("damage.rounds", 60, "faults of each kind")

// most is what loading n bytes may allocate, as in package load's own tests, and
// mostAnalysis what analysing a program of n slots may.
func most(n int) uint64         { return 128<<20 + 200*uint64(n) }
func mostAnalysis(n int) uint64 { return 256<<20 + 200_000*uint64(n) }

// patience is how long anything may take before it counts as hanging. The
// slowest object takes a hundredth of it.
const patience = time.Minute

// allocated returns the bytes that f allocates, and fails if it hangs.
func allocated(t *testing.T, f func()) uint64 {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	f()
	if d := time.Since(start); d > patience {
		t.Errorf("took %v", d)
	}
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestFaults applies every kind of fault to the corpus. Each result is an error
// of one line that names the file, or programs that hold what load promises, the
// same twice, within bounded memory; and what loads goes through to machine code.
func TestFaults(t *testing.T) {
	var objects [][]byte
	for _, glob := range []string{"corpus/out/*.o", "corpus/out-plain/0*.o", "corpus/bad/*.o", "seed-callx/*.o"} {
		for _, path := range testenv.Glob(t, glob) {
			objects = append(objects, read(t, path))
		}
	}
	more, err := filepath.Glob("../../../cfg/load/testdata/*.o")
	if err != nil || len(more) == 0 {
		t.Fatal("no objects of package load", err)
	}
	for _, path := range more {
		objects = append(objects, read(t, path))
	}
	for n, k := range damage.Kinds() {
		t.Run(k.Name, func(t *testing.T) {
			c := &tally{}
			for i := range *rounds {
				good := objects[(n*17+i)%len(objects)]
				c.try(t, k.Apply(good, uint64(i)))
				if t.Failed() {
					t.Fatalf("object %d, seed %d", (n*17+i)%len(objects), i)
				}
			}
			t.Logf("%d files: %d refused, %d with all programs, %d with some; %d programs analysed, %d compiled",
				*rounds, c.refused, c.whole, *rounds-c.refused-c.whole, c.analysed, c.compiled)
		})
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// tally counts results.
type tally struct{ refused, whole, analysed, compiled int }

// try loads a file twice, and analyses its programs.
func (c *tally) try(t *testing.T, data []byte) {
	t.Helper()
	before := bytes.Clone(data)
	var o *load.Object
	var err error
	cost := allocated(t, func() { o, err = load.ELF("x.o", data) })
	if bound := most(len(data)); cost > bound {
		t.Errorf("%d bytes of file took %d of memory, the bound is %d", len(data), cost, bound)
	}
	if !bytes.Equal(before, data) {
		t.Error("loading changed the file")
	}
	again, err2 := load.ELF("x.o", data)
	if fmt.Sprint(err) != fmt.Sprint(err2) || !reflect.DeepEqual(o, again) {
		t.Errorf("a second run gives another result: %v, %v", err, err2)
	}
	if err != nil {
		c.refused++
		oneLine(t, err, "load x.o: ")
		return
	}
	for _, f := range o.Failed {
		oneLine(t, f, "load x.o: section ")
	}
	if len(o.Failed) == 0 {
		c.whole++
	}
	for _, p := range o.Programs {
		if err := wellformed.Check(p); err != nil {
			t.Error(err)
		}
		c.analyse(t, p)
	}
}

// oneLine checks the form of an error: where, then what, in lower case.
func oneLine(t *testing.T, err error, start string) {
	t.Helper()
	s := err.Error()
	cause := s[strings.LastIndex(s, ": ")+1:]
	if !strings.HasPrefix(s, start) || len(strings.TrimSpace(cause)) < 5 || strings.HasSuffix(s, ".") {
		t.Errorf("an error that tells too little: %q", s)
	}
	for _, r := range s {
		if unicode.IsControl(r) && !strings.Contains(s, `"`) {
			t.Errorf("an error with control characters of our own: %q", s)
		}
	}
}

// analyse takes a program through all stages.
func (c *tally) analyse(t *testing.T, p *bytecode.Program) {
	t.Helper()
	prof, err := jit.LookupProfile("linux-7.3")
	if err != nil {
		t.Fatal(err)
	}
	cost := allocated(t, func() { err = c.stages(t, p, prof) })
	if err != nil {
		oneLine(t, err, "")
	}
	if bound := mostAnalysis(len(p.Insns)); cost > bound {
		t.Errorf("%d slots took %d bytes of memory, the bound is %d", len(p.Insns), cost, bound)
	}
}

// stages is what the command does with a program. The error says why it ended
// early.
func (c *tally) stages(t *testing.T, p *bytecode.Program, prof jit.Profile) error {
	a, err := pipeline.Run(p, prof, rewrite.Options{})
	if err != nil {
		return err
	}
	c.analysed++
	rules.Linux73().Check(p, a.Succ)
	if a.ImageErr != nil {
		return a.ImageErr
	}
	c.compiled++
	hazard.Find(p, a.Succ, a.Rewrite, rules.Linux73())
	if m := a.Verify().Mismatches; len(m) > 0 {
		t.Errorf("machine code differs from bytecode: %v", m[0])
	}
	in, err := golden.InputOf(a)
	if err != nil {
		return err
	}
	l := golden.Of(in)
	again, err := golden.Parse(l.Text())
	if err != nil {
		t.Errorf("a layout that cannot be read: %v", err)
	} else if causes := golden.Compare(l, again); len(causes) > 0 {
		t.Errorf("a layout differs from itself: %v", causes[0])
	}
	return nil
}

// FuzzFaults is TestFaults for any fault: the fuzzer looks for code that none of
// them has reached.
func FuzzFaults(f *testing.F) {
	var objects [][]byte
	for _, glob := range []string{"corpus/out/1*.o", "corpus/bad/*.o", "seed-callx/*.o"} {
		for _, path := range testenv.Glob(f, glob) {
			data, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			if len(data) < 1<<17 {
				objects = append(objects, data)
			}
		}
	}
	kinds := damage.Kinds()
	for i := range kinds {
		f.Add(uint8(i), uint8(i), uint64(i))
	}
	f.Fuzz(func(t *testing.T, kind, object uint8, seed uint64) {
		var c tally
		c.try(t, kinds[int(kind)%len(kinds)].Apply(objects[int(object)%len(objects)], seed))
	})
}
