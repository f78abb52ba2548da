package native_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/testing/native"
	"github.com/bpfcfg/bpfcfg/internal/testing/runvec"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
)

// TestCorpus compiles the corpus and runs the code on the vectors, and compares
// with what Linux 6.18 and 7.3 returned: value, context and .bss.
func TestCorpus(t *testing.T) {
	if !inChild(t) {
		return
	}
	for _, name := range profiles {
		prof := profile(t, name)
		for _, c := range []struct{ objects, results string }{
			{"out", "expect-6.18/*.txt*"},
			{"out-plain", "expect-6.18/*.txt*"},
			{"out", "kernel-7.3/*.gotox.txt*"},
		} {
			if c.objects == "out" && !prof.Gotox || skipBMI2(t, prof) {
				continue
			}
			ran, left := 0, []string{}
			for _, file := range testenv.Glob(t, "corpus/"+c.results) {
				base, _, _ := strings.Cut(filepath.Base(file), ".")
				object := testenv.Path(t, "corpus/"+c.objects+"/"+base+".o")
				for _, p := range loadPrograms(t, object) {
					vectors := vectorsOf(t, file, p.Name)
					code, why := place(t, p, prof)
					if why != "" {
						left = append(left, fmt.Sprintf("%s#%s: %s", base, p.Name, why))
						continue
					}
					begin(t, "%s, %s#%s", name, object, p.Name)
					ran += runVectors(t, p, code, vectors, name)
					code.Close()
				}
			}
			t.Logf("%s, %s on %s: %d vectors; not run:\n\t%s", name, c.objects, filepath.Dir(c.results), ran,
				strings.Join(left, "\n\t"))
			if ran < 2300 {
				t.Errorf("%s: only %d vectors ran", name, ran)
			}
		}
	}
}

// loadPrograms returns the programs of an object.
func loadPrograms(t *testing.T, path string) []*bytecode.Program {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	obj, err := load.ELF(path, data)
	if err != nil {
		t.Fatal(err)
	}
	return obj.Programs
}

// contextKind says what R1 points to in code that runs here.
type contextKind uint8

const (
	plainContext  contextKind = iota // memory that the kernel hands over as it is
	packetContext                    // a struct xdp_buff
	otherContext                     // something that the program does not touch, or it would be unpredicted
)

// kindOf returns the kind of a program's context.
func kindOf(p *bytecode.Program) contextKind {
	switch {
	case p.Type == "syscall" || strings.HasPrefix(p.Section, "raw_tp"):
		return plainContext
	case p.Type == "xdp":
		return packetContext
	}
	return otherContext
}

// vectorsOf returns the vectors with results of one program.
func vectorsOf(t *testing.T, file, program string) []runvec.Vector {
	t.Helper()
	all, err := runvec.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	var out []runvec.Vector
	for _, v := range all {
		if v.Program == program && v.Result != nil {
			out = append(out, v)
		}
	}
	return out
}

// runVectors runs one program on its vectors and returns how many there were.
func runVectors(t *testing.T, p *bytecode.Program, code *native.Code, vectors []runvec.Vector, prof string) int {
	t.Helper()
	bss, kind := -1, kindOf(p)
	for i, m := range p.Maps {
		if m.Name == ".bss" {
			bss = i
		}
	}
	for _, v := range vectors {
		if bss >= 0 {
			clear(code.Value(bss))
		}
		for _, mv := range v.Maps {
			setMap(t, p, code, mv)
		}
		ctx := bytes.Clone(v.Ctx)
		var r0 uint64
		var err error
		if kind == packetContext {
			r0, err = code.RunPacket(bytes.Clone(v.Data))
		} else {
			r0, err = code.Run(ctx)
		}
		switch {
		case err != nil:
			t.Fatalf("%s, %s, line %d: %v", prof, p.Name, v.Line, err)
		case uint32(r0) != v.Result.Ret:
			t.Errorf("%s, %s, line %d: returned %d, want %d", prof, p.Name, v.Line, uint32(r0), v.Result.Ret)
		case kind == plainContext && !bytes.Equal(ctx, v.Result.Ctx):
			t.Errorf("%s, %s, line %d: context %x, want %x", prof, p.Name, v.Line, ctx, v.Result.Ctx)
		case bss >= 0 && v.Result.BSS != nil && !bytes.Equal(code.Value(bss), v.Result.BSS):
			t.Errorf("%s, %s, line %d: .bss %x, want %x", prof, p.Name, v.Line, code.Value(bss), v.Result.BSS)
		}
	}
	return len(vectors)
}

// setMap stores a value of a vector in an array.
func setMap(t *testing.T, p *bytecode.Program, code *native.Code, mv runvec.MapValue) {
	t.Helper()
	for i, m := range p.Maps {
		if m.Name == mv.Name {
			copy(code.Element(i, int(mv.Key[0])|int(mv.Key[1])<<8), mv.Value)
			return
		}
	}
	t.Fatalf("%s has no map %s", p.Name, mv.Name)
}
