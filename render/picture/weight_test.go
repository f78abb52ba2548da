package picture

import (
	"os"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/check"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
	"github.com/bpfcfg/bpfcfg/render"
)

// weight is what the page of an object takes.
type weight struct {
	programs, insns, bytes int
	heap                   uint64        // greatest size of the heap in bytes
	checked, drawn         time.Duration // CPU, of all threads
}

// TestWeightHost makes the page of an object of the shape of cilium's bpf_host.o: at most
// six megabytes.
func TestWeightHost(t *testing.T) {
	if os.Getenv("WEIGHT") == "" {
		t.Skip("WEIGHT is not set: half a minute")
	}
	w := weigh(t, progen.HostPrograms, progen.Host)
	t.Logf("%d programs, %d instructions: page of %d kB, heap up to %d MB", w.programs, w.insns, w.bytes/1000, w.heap>>20)
	if w.bytes > 6_000_000 || w.insns < 50_000 {
		t.Errorf("page of %d bytes for %d instructions", w.bytes, w.insns)
	}
}

// TestWeight makes the page of an object of many programs with all of their four forms
// and bounds its size by the instructions. WEIGHT=169 makes one of the shape of a large
// security monitor, and bounds it as a whole; the log says what check and the page cost
// each, in CPU time of the same run.
func TestWeight(t *testing.T) {
	programs := 2
	if n, err := strconv.Atoi(os.Getenv("WEIGHT")); err == nil {
		programs = n
	}
	for _, shape := range []struct {
		name string
		make func(i int) *bytecode.Program
		most int // bytes for an instruction
	}{
		{"compiled", progen.Monitor, 60},
		{"random", func(i int) *bytecode.Program { return progen.RandomLoadable(uint64(i+1), 570) }, 130},
	} {
		t.Run(shape.name, func(t *testing.T) {
			w := weigh(t, programs, shape.make)
			t.Logf("%d programs, %d instructions: page of %d kB, %d bytes an instruction, heap up to %d MB, "+
				"CPU of check %v, of the page %v, together %.2f times check", w.programs, w.insns, w.bytes/1000, w.bytes/w.insns,
				w.heap>>20, w.checked.Round(time.Millisecond), w.drawn.Round(time.Millisecond), float64(w.checked+w.drawn)/float64(w.checked))
			if fixed := 800_000; w.bytes > fixed+shape.most*w.insns { // the first drawing is there as it is
				t.Errorf("page of %d bytes for %d instructions", w.bytes, w.insns)
			}
			if shape.name == "compiled" && programs >= 169 && (w.bytes > 20_000_000 || w.heap > 400<<20) {
				t.Errorf("page of %d bytes, heap of %d", w.bytes, w.heap)
			}
		})
	}
}

// weigh makes the page of some programs.
func weigh(t *testing.T, programs int, program func(i int) *bytecode.Program) weight {
	t.Helper()
	prof, err := jit.LookupProfile(jit.DefaultProfile)
	if err != nil {
		t.Fatal(err)
	}
	w := weight{programs: programs}
	var pages render.Pages
	for i := range programs {
		p := program(i)
		w.insns += len(p.Insns)
		start := cpu(t)
		a, err := pipeline.Run(p, prof, rewrite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		check.Findings(a, check.Expect{})
		checked := cpu(t)
		w.checked += checked - start
		s := Scene(a, "weight.o")
		if a.Image != nil {
			AddVerified(s, a, a.Verify())
		}
		AddDetails(s, a)
		l, err := render.Place(s, render.PlaceOptions{})
		if err == nil {
			err = pages.Add(s, l)
		}
		if err != nil {
			t.Fatal(err)
		}
		w.drawn += cpu(t) - checked
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		w.heap = max(w.heap, m.HeapInuse)
	}
	start := cpu(t)
	out, err := pages.HTML("weight")
	if err != nil {
		t.Fatal(err)
	}
	w.drawn += cpu(t) - start
	w.bytes = len(out)
	return w
}

// cpu is the time that all threads have computed.
func cpu(t *testing.T) time.Duration {
	t.Helper()
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		t.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
