package load

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/testing/wellformed"
)

// FuzzELF checks that there is an error or an object, that every program of it
// holds its invariants, that failed ones say why, and that a second run gives
// the same.
func FuzzELF(f *testing.F) {
	for _, glob := range []string{"testdata/*.o", "../../testdata/corpus/out/0[1-6]*.o", "../../testdata/corpus/bad/*.o",
		"../../testdata/seed-callx/*.o"} {
		paths, err := filepath.Glob(glob)
		if err != nil || len(paths) == 0 {
			f.Fatalf("%s: no seeds, %v", glob, err)
		}
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := ELF("fuzz", data)
		if (o == nil) == (err == nil) {
			t.Fatalf("%v and %v", o, err)
		}
		if err != nil {
			return
		}
		if len(o.Programs)+len(o.Failed) == 0 {
			t.Fatal("no program, and no error")
		}
		for _, p := range o.Programs {
			if err := wellformed.Check(p); err != nil {
				t.Fatal(err)
			}
			checkLinked(t, p)
		}
		for _, p := range o.Failed {
			if p.Err == nil {
				t.Fatalf("program %q failed for no reason", p.Name)
			}
		}
		again, err := ELF("fuzz", data)
		if err != nil || !reflect.DeepEqual(o, again) {
			t.Fatalf("second run differs: %v", err)
		}
	})
}

// checkLinked checks that calls and addresses of functions lead to the start of
// a subprogram, which linking promises.
func checkLinked(t *testing.T, p *bytecode.Program) {
	t.Helper()
	for pc := range p.Insns {
		f := p.Flow(bytecode.PC(pc))
		if f.Kind != bytecode.FlowCall && f.Kind != bytecode.FlowFuncAddr {
			continue
		}
		if s := p.SubprogAt(f.Callee); s < 0 || p.Subprogs[s].Start != f.Callee {
			t.Fatalf("program %q: slot %d goes to slot %d, which starts no function", p.Name, pc, f.Callee)
		}
	}
}
