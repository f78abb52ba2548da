package replay

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/bpfcfg/bpfcfg/jit"
)

// samplesOf returns the samples of a record file whose names are listed, with
// the profile of the machine.
func samplesOf(t testing.TB, file string, names ...string) (map[string]*sample, jit.Profile) {
	t.Helper()
	r, err := record.Open(testenv.Path(t, file), record.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	out := map[string]*sample{}
	m := &machine{}
	for rec, err := range r.Records() {
		if err != nil {
			t.Fatal(err)
		}
		if rec.Kind == record.KindEnv {
			if err := m.boot(rec.Env); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if !slices.Contains(names, rec.Job.Name) {
			continue
		}
		s, err := fromRecord(rec)
		if err != nil {
			t.Fatalf("%s: %v", rec.Job.Name, err)
		}
		out[rec.Job.Name] = s
	}
	if len(out) != len(names) || m.noProf != nil {
		t.Fatalf("%d of %d programs, %v", len(out), len(names), m.noProf)
	}
	return out, m.prof
}

// result compares a sample by itself, with nothing learned from others.
func (s *sample) result(prof jit.Profile) *Result {
	res := new(Result)
	s.compare(res, prof, newLearned())
	return res
}

// TestEveryByteCounts changes each byte of recorded code in turn and wants the
// comparison to fail, but for bytes that are an input: a relocation whose value
// was recovered, which the result says.
func TestEveryByteCounts(t *testing.T) {
	names := []string{
		"good/switch4", "good/subprog", "good/callback", "good/kfunc", "good/map-lookup", "good/tail-call",
		"good/type-xdp", "other/may-goto", "edge/read-by-helper",
	}
	for _, file := range []string{"records/suite.7.3.4.off.jsonl.gz", "records/suite.7.3.4.default.jsonl.gz",
		"records/suite.6.19.14.off.jsonl.gz"} {
		samples, prof := samplesOf(t, file, names...)
		for _, name := range names {
			s := samples[name]
			whole := s.result(prof)
			if whole.Match != Same {
				t.Errorf("%s %s: %s", file, name, whole.Reason)
				continue
			}
			img, _, err := compile(s, prof, newLearned())
			if err != nil {
				t.Fatal(err)
			}
			free := map[int]bool{}
			for _, rel := range img.Relocs {
				for i := range rel.Size {
					free[rel.Offset+i] = true
				}
			}
			code := s.code
			for i := range code {
				s.code = slices.Clone(code)
				s.code[i] ^= 1
				res := s.result(prof)
				frame := slices.ContainsFunc(res.Recovered, func(s string) bool {
					return strings.HasPrefix(s, "stack depth of function") && i < 0x1b
				})
				if res.Match == Same && !frame && (!free[i] || len(res.Recovered) == 0) {
					t.Errorf("%s %s: byte %#x may change", file, name, i)
				}
			}
			s.code = code
		}
	}
}

// TestEveryPlaceCounts changes line records and jump tables and wants the
// comparison to fail.
func TestEveryPlaceCounts(t *testing.T) {
	samples, prof := samplesOf(t, "records/suite.7.3.4.off.jsonl.gz", "good/subprog", "good/dead-code")
	for name, s := range samples {
		for i := range s.lines {
			if s.lines[i].off == 0 {
				continue
			}
			s.lines[i].off++
			if res := s.result(prof); res.Match != Differs {
				t.Errorf("%s: line record %d may change", name, i)
			}
			s.lines[i].off--
		}
		for i := range s.tables {
			for j := range s.tables[i].cells {
				s.tables[i].cells[j].off++
				if res := s.result(prof); res.Match != Differs {
					t.Errorf("%s: table %d, element %d may change", name, i, j)
				}
				s.tables[i].cells[j].off--
			}
		}
		if res := s.result(prof); res.Match != Same {
			t.Errorf("%s: %s", name, res.Reason)
		}
	}
}

// TestWrongProfile wants each setting of a profile that the programs' code
// depends on to be judged.
func TestWrongProfile(t *testing.T) {
	samples, prof := samplesOf(t, "records/suite.7.3.4.off.jsonl.gz", "good/switch4")
	s := samples["good/switch4"]
	for what, change := range map[string]func(*jit.Profile){
		"ibt":      func(p *jit.Profile) { p.IBT = false },
		"sls":      func(p *jit.Profile) { p.SLS = false },
		"indirect": func(p *jit.Profile) { p.Indirect = jit.IndirectRetpoline },
		"return":   func(p *jit.Profile) { p.ReturnThunk = "its_return_thunk" },
		"endbr":    func(p *jit.Profile) { p.EndbrTargets = false },
	} {
		other := prof
		change(&other)
		if res := s.result(other); res.Match != Differs {
			t.Errorf("%s: %s", what, res.Match)
		}
	}
}

// TestBuildOptions makes code for kernels built otherwise, and wants the build
// options to be found in it and nowhere else.
func TestBuildOptions(t *testing.T) {
	samples, prof := samplesOf(t, "records/suite.7.3.4.off.jsonl.gz", "good/switch4")
	s := samples["good/switch4"]
	_, r, err := compile(s, prof, newLearned())
	if err != nil {
		t.Fatal(err)
	}
	for _, options := range []string{"-ibt", "-sls", "-ibt-sls"} {
		other, err := jit.LookupProfile(prof.Name + options)
		if err != nil {
			t.Fatal(err)
		}
		img, err := jit.Compile(r.prog, other)
		if err != nil {
			t.Fatal(err)
		}
		made := &sample{dump: s.dump, code: img.Code, follows: s.follows, depth: -1, callback: -1, symbols: s.symbols}
		made.funcs = []span{{s.funcs[0].addr, 0, len(img.Code)}}
		for _, l := range s.lines {
			if l.off != 0 {
				made.lines = append(made.lines, line{l.insn, l.slot, 0, int(img.Offsets[l.slot])})
			}
		}
		got, notes := buildOptions(made, prof)
		if got.Name != other.Name || len(notes) != strings.Count(options, "-") {
			t.Errorf("%s: found %s, %q", options, got.Name, notes)
		}
		if res := made.result(got); res.Match != Same {
			t.Errorf("%s: %s", options, res.Reason)
		}
	}
	if got, notes := buildOptions(s, prof); got.Name != prof.Name || notes != nil {
		t.Errorf("of the built-in kernel: %s, %q", got.Name, notes)
	}
}

// TestTailOffsets changes the structure offsets in a recorded indirect tail
// call, as another build would have them.
func TestTailOffsets(t *testing.T) {
	samples, prof := samplesOf(t, "records/suite.7.3.4.off.jsonl.gz", "good/tail-call", "harden/good/tail-call")
	s := samples["harden/good/tail-call"]
	other := prof
	other.OffMaxEntries, other.OffPtrs, other.OffBPFFunc = 0x4c, 0x138, 0x50
	res := s.result(other)
	if res.Match != Same || !slices.Contains(res.Recovered, "structure offsets of tail calls") {
		t.Errorf("%s: %s, %q", res.Match, res.Reason, res.Recovered)
	}
	if res := s.result(prof); slices.Contains(res.Recovered, "structure offsets of tail calls") {
		t.Errorf("%q although the profile has them", res.Recovered)
	}
}

// TestFollowed reads the lines of a verifier log that tell the targets of
// gotox. The texts are those of Linux 7.3.4.
func TestFollowed(t *testing.T) {
	log := "func#0 @0\n0: R1=ctx() R10=fp0\n0: (79) r2 = *(u64 *)(r1 +0)\n" +
		"8: (0d) gotox r2\n14: R0=1\n14: (b7) r0 = 4\n15: (95) exit\n" +
		"from 8 to 12: R0=1\n12: (b7) r0 = 3\n13: (95) exit\n" +
		"from 8 to 10 (speculative execution): R0=1\nfrom 3 to 20: R0=1\n20: (95) exit\nprocessed 12 insns\n"
	got := fmt.Sprint(followed(log))
	if want := fmt.Sprint(map[int]bool{10: true, 12: true, 14: true}); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	// Linux 7.3 lists the program before it walks along it.
	list := "subprog#0: analyzing (depth 0)...\nsubprog#0:\n 99: (0d) gotox r3\n100: (b7) r0 = 99\n101: (95) exit\n" +
		"  8: (0d) gotox r2\nLive regs before insn:\n      0: .1........ (79) r2 = *(u64 *)(r1 +0)\n"
	if again := fmt.Sprint(followed(list + log)); again != got {
		t.Errorf("with a list before the walk: %s, want %s", again, got)
	}
	for _, log := range []string{"", "processed 12 insns (limit 1000000)\n", "func#0 @0\nprocessed 0 insns\n"} {
		if got := followed(log); got != nil {
			t.Errorf("%q shows no instruction, but targets %v", log, got)
		}
	}
}

// TestDeepest wants the lowest place that instructions name.
func TestDeepest(t *testing.T) {
	const mov, add, store, load = 0xbf, 0x07, 0x7b, 0x79
	for i, c := range []struct {
		insns []bytecode.Insn
		want  int
	}{
		{nil, 0},
		{[]bytecode.Insn{{Code: store, Dst: 10, Off: -8}, {Code: load, Dst: 1, Src: 10, Off: -24}}, 24},
		{[]bytecode.Insn{{Code: mov, Dst: 2, Src: 10}, {Code: add, Dst: 2, Imm: -17}}, 17},
		{[]bytecode.Insn{{Code: mov, Dst: 2, Src: 10}, {Code: add, Dst: 2, Imm: -8}, {Code: store, Dst: 2, Off: -8}}, 16},
		{[]bytecode.Insn{{Code: mov, Dst: 2, Src: 1}, {Code: add, Dst: 2, Imm: -17}}, 0},
		{[]bytecode.Insn{{Code: load, Dst: 1, Src: 2, Off: -100}}, 0},
	} {
		if got := deepest(c.insns); got != c.want {
			t.Errorf("%d: %d, want %d", i, got, c.want)
		}
	}
}
