package pipeline_test

import (
	"encoding/binary"
	"encoding/hex"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
)

// TestAcross demands that what kernels share makes no difference: verdict, rewritten
// program and machine code are those of a run for each kernel by itself. Variable
// BPFCFG_OBJECTS names more objects to compare, as a glob.
func TestAcross(t *testing.T) {
	files := objects(t, "../../testdata/corpus/out/*.o", "../../testdata/calls/*.o", "../../testdata/graph/*.o",
		"../../testdata/seed-callx/*.o", os.Getenv("BPFCFG_OBJECTS"))
	var profiles []jit.Profile
	names := jit.ProfileNames()
	for _, option := range []string{
		"-ibt", "-sls", "-retpolinebuild", "+plain", "+lfence", "+its", "+itsret", "+stuff", "-bmi2", "+la57", "-smp",
		"+kcfi", "+fineibt", "+nearstack", "+bhiloop",
	} {
		names = append(names, "linux-7.3"+option)
	}
	for _, name := range names {
		prof, err := jit.LookupProfile(name)
		if err != nil {
			t.Fatal(err)
		}
		profiles = append(profiles, prof)
	}
	programs, shared := 0, 0
	check := func(name string, p *bytecode.Program) (same int) {
		all, err := pipeline.Across(p, profiles, rewrite.Options{})
		if err != nil {
			return 0
		}
		programs++
		for i, a := range all {
			if i > 0 && a.Succ == all[i-1].Succ {
				same++
			}
			one, err := pipeline.Run(p, profiles[i], rewrite.Options{})
			if err != nil {
				t.Fatal(err)
			}
			compareRuns(t, name+" "+profiles[i].Name, a, one)
		}
		shared += same
		return same
	}
	for name, p := range quirky(t) {
		if check(name, p) == len(profiles)-1 {
			t.Errorf("%s: all kernels share an analysis, which this program should make different", name)
		}
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		o, err := load.ELF(file, data)
		if err != nil {
			continue
		}
		for _, p := range o.Programs {
			check(file+"#"+p.Name, p)
		}
	}
	if programs < 60 || shared < programs {
		t.Errorf("%d programs, %d analyses shared: too few to tell anything", programs, shared)
	}
}

// compareRuns compares two analyses of one program on one kernel.
func compareRuns(t *testing.T, name string, a, b *pipeline.Analysis) {
	t.Helper()
	if x, y := a.Verdict(), b.Verdict(); x.Accept != y.Accept || x.Message != y.Message || x.PC != y.PC {
		t.Errorf("%s: %v %q at %d, by itself %v %q at %d", name, x.Accept, x.Message, x.PC, y.Accept, y.Message, y.PC)
	}
	if !a.Rules.Static(a.Program).Accept {
		return // no kernel comes to what is compared below
	}
	if (a.Rewrite == nil) != (b.Rewrite == nil) || a.Rewrite != nil && !reflect.DeepEqual(a.Rewrite, b.Rewrite) {
		t.Errorf("%s: rewritten otherwise", name)
	}
	if (a.Image == nil) != (b.Image == nil) || a.Image != nil && !reflect.DeepEqual(a.Image.Code, b.Image.Code) {
		t.Errorf("%s: compiled otherwise", name)
	}
	if a.Image != nil && b.Image != nil && !reflect.DeepEqual(a.Verify(), b.Verify()) {
		t.Errorf("%s: proven otherwise: %v, by itself %v", name, a.Verify(), b.Verify())
	}
}

// objects returns the files that globs name; every glob but an empty one names some.
func objects(t *testing.T, globs ...string) []string {
	t.Helper()
	var out []string
	for _, g := range globs {
		files, err := filepath.Glob(g)
		if err != nil || g != "" && len(files) == 0 {
			t.Fatalf("%s: no object, %v", g, err)
		}
		out = append(out, files...)
	}
	return out
}

// quirky returns programs whose values kernels compute otherwise: a quotient that
// tells a branch (7.0), a lookup that is never null (6.14).
func quirky(t *testing.T) map[string]*bytecode.Program {
	t.Helper()
	out := map[string]*bytecode.Program{}
	for name, text := range map[string]string{
		"quotient": "6110000000000000 5700000007000000 3700000003000000 2500010002000000 9500000000000000" +
			" b700000001000000 9500000000000000",
		"lookup": "b702000000000000 632afcff00000000 bfa2000000000000 07020000fcffffff 1811000000000000 0000000000000000" +
			" 8500000001000000 1500020000000000 b700000000000000 9500000000000000 b700000001000000 9500000000000000",
	} {
		raw, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		p, err := load.Raw(name, raw, binary.LittleEndian)
		if err != nil {
			t.Fatal(err)
		}
		p.Type = "socket_filter"
		if name == "lookup" {
			p.Maps = []bytecode.Map{{Name: "m", Type: bytecode.MapArray, KeySize: 4, ValueSize: 8, MaxEntries: 1}}
			p.Refs = []bytecode.Ref{{PC: 4, Kind: bytecode.RefMap}}
		}
		out[name] = p
	}
	return out
}
