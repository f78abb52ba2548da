package tag_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/internal/tag"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
)

// TestRecords compares with what kernels of both ages called the programs.
func TestRecords(t *testing.T) {
	for _, c := range []struct {
		file string
		age  int
	}{
		{"corpus-plain.6.12.117.off", 1}, {"corpus-plain.6.17.13.off", 1}, {"corpus-plain.6.18.15.off", 0},
		{"corpus.7.3.4.off", 0}, {"suite-good.7.3.4.stuff", 0},
	} {
		r, err := record.Open(testenv.Path(t, "records/"+c.file+".jsonl.gz"), record.Options{SkipLogs: true})
		if err != nil {
			t.Fatal(err)
		}
		compared := 0
		for rec, err := range r.Records() {
			if err != nil {
				t.Fatal(err)
			}
			if rec.Result == nil || rec.Result.Prog == nil || rec.Result.Prog.Tag == "" {
				continue
			}
			p, err := rec.Job.Program()
			if err != nil {
				continue
			}
			if tags, known := tag.Of(p); known {
				compared++
				if tags[c.age] != rec.Result.Prog.Tag {
					t.Errorf("%s %s: %v, the kernel says %s", c.file, rec.Job.Name, tags, rec.Result.Prog.Tag)
				}
			}
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if compared < 20 {
			t.Errorf("%s: %d tags compared", c.file, compared)
		}
	}
}

// TestObject compares objects as libbpf links them with what kernels called the same
// programs (testdata/records, corpus-plain and corpus).
func TestObject(t *testing.T) {
	for _, c := range []struct{ object, program, want string }{
		{"corpus/out-plain/01_ipproto_xdp.o", "parse", "36afca2b8653041f"},
		{"corpus/out-plain/11_bpf_loop_switch.o", "spin", "a7c50a125626ca95"},
		{"corpus/out-plain/13_subprog_switch.o", "main_", "2504d7ad666eab05"},
		{"corpus/out-plain/19_map_value.o", "apply", "307a329881f9b1c0"},
	} {
		name := testenv.Path(t, filepath.FromSlash(c.object))
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		o, err := load.ELF(name, data)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range o.Programs {
			if p.Name != c.program {
				continue
			}
			if tags, known := tag.Of(p); !known || tags[0] != c.want {
				t.Errorf("%s: %v %v, Linux 7.2 says %s", c.object, tags, known, c.want)
			}
		}
	}
}

// TestUnknown: what the running kernel decides has no known tag.
func TestUnknown(t *testing.T) {
	for _, p := range []*bytecode.Program{
		{Insns: make([]bytecode.Insn, 1), Refs: []bytecode.Ref{{Kind: bytecode.RefKfunc}}},
		{Insns: make([]bytecode.Insn, 1), Refs: []bytecode.Ref{{Kind: bytecode.RefKsym}}},
		{Insns: make([]bytecode.Insn, 1), Relocs: []bytecode.Reloc{{}}},
		{Insns: make([]bytecode.Insn, 1), Rewritten: true},
	} {
		if tags, known := tag.Of(p); known {
			t.Errorf("%+v: %s", p, strings.Join(tags[:], " "))
		}
	}
}
