package picture

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
	"github.com/bpfcfg/bpfcfg/render"
)

// TestWeight makes the page of an object with many programs and bounds its size: 100
// bytes for an instruction, with all of its four forms. WEIGHT=169 makes one of the
// shape of a large security monitor, with 386,000 instructions; the log says what
// analysis and page cost each.
func TestWeight(t *testing.T) {
	programs := 2
	if n, err := strconv.Atoi(os.Getenv("WEIGHT")); err == nil {
		programs = n
	}
	prof, err := jit.LookupProfile(jit.DefaultProfile)
	if err != nil {
		t.Fatal(err)
	}
	var pages render.Pages
	var analysis, drawing time.Duration
	var most uint64
	insns := 0
	for i := range programs {
		start := time.Now()
		p := progen.Random(uint64(i+1), 570)
		p.Name = fmt.Sprintf("program_%d", i)
		insns += len(p.Insns)
		a, err := pipeline.Run(p, prof, rewrite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		analysis += time.Since(start)
		start = time.Now()
		s := Scene(a, "weight.o")
		AddDetails(s, a)
		l, err := render.Place(s, render.PlaceOptions{})
		if err == nil {
			err = pages.Add(s, l)
		}
		if err != nil {
			t.Fatal(err)
		}
		drawing += time.Since(start)
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		most = max(most, m.HeapInuse)
	}
	out, err := pages.HTML("weight")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d programs, %d instructions: page of %d kB, %d bytes an instruction, heap up to %d MB, analysis %v, page %v",
		programs, insns, len(out)/1000, len(out)/insns, most>>20, analysis.Round(time.Millisecond), drawing.Round(time.Millisecond))
	if fixed := 400_000; len(out) > fixed+100*insns { // the first drawing is there as it is
		t.Errorf("page of %d bytes for %d instructions", len(out), insns)
	}
}
