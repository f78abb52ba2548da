package load_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load"
)

// TestGCC12 demands that calls of an object by GCC 12, which counts the distance to global
// functions in bytes, are linked as libbpf 1.8 does by its log, with a word on those that
// come out wrong and on the compiler.
func TestGCC12(t *testing.T) {
	const file = "../../testdata/calls/gcc12.o"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	o, err := load.ELF(file, data)
	if err != nil {
		t.Fatal(err)
	}
	type link struct {
		imm  int32
		to   string
		said bool
	}
	want := map[string]map[bytecode.PC]link{ // bpftool -d prog loadall, lines "relocated"
		"prog":  {2: {16, "other", true}, 10: {8, "other", true}, 16: {205, "fixed", false}},
		"whole": {2: {7, "other", true}, 7: {205, "fixed", false}},
	}
	if len(o.Programs) != len(want) {
		t.Fatalf("%d programs, want %d", len(o.Programs), len(want))
	}
	for _, p := range o.Programs {
		for pc, l := range want[p.Name] {
			in := p.Insns[pc]
			sub := p.SubprogAt(pc + 1 + bytecode.PC(in.Imm))
			if in.Imm != l.imm || p.Subprogs[sub].Name != l.to {
				t.Errorf("%s: slot %d: imm %d to %s, libbpf has %d to %s", p.Name, pc, in.Imm, p.Subprogs[sub].Name, l.imm, l.to)
			}
			said := false
			for _, d := range p.Diags {
				said = said || strings.HasPrefix(d, fmt.Sprintf("slot %d: ", pc)) &&
					strings.HasSuffix(d, "takes the function's start")
			}
			if said != l.said {
				t.Errorf("%s: slot %d: a word on it: %v, want %v", p.Name, pc, said, l.said)
			}
		}
	}
	if r := o.Compilers[0].Remark(); o.Compilers[0].String() != "gcc 12.2" || !strings.Contains(r, "global") {
		t.Errorf("%v: %q", o.Compilers[0], r)
	}
}
