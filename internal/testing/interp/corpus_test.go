package interp_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/testing/interp"
	"github.com/bpfcfg/bpfcfg/internal/testing/runvec"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
)

// TestCorpus runs the corpus on its vectors and compares with what Linux 6.18
// and 7.3 made of them: return value, context, and the section .bss.
func TestCorpus(t *testing.T) {
	for _, c := range []struct {
		objects, results string
		atLeast          int // vectors
	}{
		{"out", "expect-6.18/*.txt*", 3283},
		{"out-plain", "expect-6.18/*.txt*", 3283},
		{"out", "kernel-7.3/*.gotox.txt*", 3306},
		{"out-plain", "kernel-7.3/*.plain.txt*", 3283},
	} {
		t.Run(c.objects+" "+filepath.Dir(c.results), func(t *testing.T) {
			ran := 0
			for _, file := range testenv.Glob(t, "corpus/"+c.results) {
				name, _, _ := strings.Cut(filepath.Base(file), ".")
				ran += runFile(t, testenv.Path(t, "corpus/"+c.objects+"/"+name+".o"), file)
			}
			t.Logf("%d vectors", ran)
			if ran < c.atLeast {
				t.Errorf("%d vectors ran, want %d", ran, c.atLeast)
			}
		})
	}
}

// runFile runs the programs of an object on the vectors of a file and returns
// how many had results.
func runFile(t *testing.T, object, file string) (ran int) {
	t.Helper()
	programs := programs(t, object)
	vectors, err := runvec.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	bad := 0
	for _, v := range vectors {
		if v.Result == nil {
			continue
		}
		ran++
		vm := programs[v.Program]
		if vm == nil {
			t.Fatalf("%s has no program %s", object, v.Program)
		}
		if why := compare(vm, v); why != "" {
			if bad++; bad < 5 {
				t.Errorf("%s, line %d: %s: %s", filepath.Base(file), v.Line, v.Program, why)
			}
		}
	}
	if bad > 0 {
		t.Errorf("%s: %d of %d vectors differ", filepath.Base(file), bad, ran)
	}
	return ran
}

// machine is a VM and what its input looks like.
type machine struct {
	*interp.VM
	typ string
}

// programs makes a VM for each program of an object, by name.
func programs(t *testing.T, object string) map[string]*machine {
	t.Helper()
	data, err := os.ReadFile(object)
	if err != nil {
		t.Fatal(err)
	}
	obj, err := load.ELF(object, data)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]*machine{}
	for _, p := range obj.Programs {
		vm, err := interp.New(p, interp.Config{Helpers: interp.CommonHelpers(), Kfuncs: interp.CommonKfuncs()})
		if err != nil {
			t.Fatal(err)
		}
		out[p.Name] = &machine{vm, programType(p)}
	}
	return out
}

// programType returns the name of the program's type.
func programType(p *bytecode.Program) string {
	typ, _, _ := strings.Cut(p.Section, "/")
	return typ
}

// input makes the input of a run in the manner of BPF_PROG_TEST_RUN.
func input(typ string, ctx, data []byte) interp.Input {
	switch typ {
	case "xdp":
		return interp.XDPInput(data)
	case "tc", "sched_cls", "cgroup_skb":
		return interp.SKBInput(ctx, data, true)
	case "socket", "socket_filter":
		return interp.SKBInput(ctx, data, false)
	}
	return interp.Input{Ctx: bytes.Clone(ctx)}
}

// compare runs one vector and returns how the result differs, "" if it does not.
func compare(m *machine, v runvec.Vector) string {
	if bss := m.Map(".bss").Value(0); bss != nil {
		clear(bss)
	}
	for _, mv := range v.Maps {
		if !m.Map(mv.Name).Update(mv.Key, mv.Value) {
			return "no room in map " + mv.Name
		}
	}
	in := input(m.typ, v.Ctx, bytes.Clone(v.Data))
	r0, err := m.Run(in)
	if err != nil {
		return err.Error()
	}
	ctx := in.Ctx
	switch m.typ {
	case "xdp":
		ctx = nil
	case "tc", "socket":
		ctx = interp.SKBResult(v.Ctx, in.Ctx)
	}
	switch bss := m.Map(".bss").Value(0); {
	case uint32(r0) != v.Result.Ret:
		return fmt.Sprintf("returned %d, want %d", uint32(r0), v.Result.Ret)
	case !bytes.Equal(ctx, v.Result.Ctx):
		return fmt.Sprintf("context\n%x, want\n%x", ctx, v.Result.Ctx)
	case bss == nil && len(bytes.Trim(v.Result.BSS, "\x00")) == 0:
		// Another program of the object has the section.
	case v.Result.BSS != nil && !bytes.Equal(bss, v.Result.BSS):
		return fmt.Sprintf(".bss\n%x, want\n%x", bss, v.Result.BSS)
	}
	return ""
}
