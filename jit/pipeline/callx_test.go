package pipeline_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
)

// callxPrograms are the programs of testdata/seed-callx with the functions that a
// kernel with indirect calls keeps, as the comments of the C files say: those that
// some call reaches. What an object has beside them is never called.
func callxPrograms() map[string][]string {
	return map[string][]string{
		"p1_branch.o#choose":    {"choose", "diff", "sum"},
		"p2_context.o#both":     {"both", "inc", "twice", "run"},
		"p2_context.o#only_inc": {"only_inc", "run", "inc"},
		"p3_table.o#first":      {"first", "pick", "low", "mid", "high"},
		"p3_table.o#second":     {"second", "pick", "high"},
	}
}

// callxThunks are the forms of an indirect call, by profile: the symbol that is
// called, without its register, or none when the register itself is.
func callxThunks() map[string]string {
	return map[string]string{
		"linux-next": "__x86_indirect_thunk_", "linux-next+plain": "", "linux-next+lfence": "",
		"linux-next+its": "__x86_indirect_its_thunk_", "linux-next+stuff": "__x86_indirect_call_thunk_",
	}
}

// TestCallxLayout demands a layout under linux-next of the seed's programs with
// indirect calls, in which the functions are those that run, and whose control flow is
// that of the source by the checker that knows no compiler. Linux 7.3 refuses them.
func TestCallxLayout(t *testing.T) {
	for name, funcs := range callxPrograms() {
		for profile, thunk := range callxThunks() {
			a := seedCallx(t, name, profile)
			if a.ImageErr != nil {
				t.Errorf("%s %s: %v", name, profile, a.ImageErr)
				continue
			}
			if got := functionNames(a.Image); !slices.Equal(got, funcs) {
				t.Errorf("%s %s: functions %v, want %v", name, profile, got, funcs)
			}
			if proof := a.Verify(); !proof.OK() || proof.Calls == 0 {
				t.Errorf("%s %s: %+v", name, profile, proof)
			}
			through := slices.ContainsFunc(a.Image.Relocs, func(r jit.Reloc) bool {
				return thunk != "" && strings.HasPrefix(r.Target, thunk)
			})
			if through != (thunk != "") {
				t.Errorf("%s %s: relocations %v, want a call of %q", name, profile, a.Image.Relocs, thunk)
			}
		}
		if a := seedCallx(t, name, "linux-7.3"); a.Image != nil || a.Verdict().Message != "unknown opcode 8d" {
			t.Errorf("%s: linux-7.3 says %q", name, a.Verdict().Message)
		}
	}
}

// TestCallxFaults damages the indirect call of each program: another register, a jump
// in its place, another thunk. The checker has to find each.
func TestCallxFaults(t *testing.T) {
	for name := range callxPrograms() {
		for profile, thunk := range callxThunks() {
			a := seedCallx(t, name, profile)
			if a.ImageErr != nil {
				t.Fatal(a.ImageErr)
			}
			pc := slices.IndexFunc(a.Rewrite.Program.Insns, func(in bytecode.Insn) bool { return in.IsCallx() })
			fn := slices.IndexFunc(a.Rewrite.Program.Funcs, func(f jit.Func) bool { return int(f.End) > pc })
			end := a.Image.Funcs[fn].Offset + int(a.Image.Offsets[pc+1])
			code := a.Image.Code
			if thunk == "" {
				for _, flip := range []byte{1, 0x10, 0x20} { // of ModRM: register, jmp for call
					code[end-1] ^= flip
					if a.Verify().OK() {
						t.Errorf("%s %s: ModRM %#x is taken for right", name, profile, code[end-1])
					}
					code[end-1] ^= flip
				}
				continue
			}
			code[end-5] ^= 1
			if a.Verify().OK() {
				t.Errorf("%s %s: opcode %#x is taken for right", name, profile, code[end-5])
			}
			code[end-5] ^= 1
			i := slices.IndexFunc(a.Image.Relocs, func(r jit.Reloc) bool { return strings.HasPrefix(r.Target, thunk) })
			a.Image.Relocs[i].Target = thunk + "rbp"
			if a.Verify().OK() {
				t.Errorf("%s %s: another register's thunk is taken for right", name, profile)
			}
		}
	}
}

// seedCallx analyses a program of testdata/seed-callx.
func seedCallx(t *testing.T, name, profile string) *pipeline.Analysis {
	t.Helper()
	file, program, _ := strings.Cut(name, "#")
	data, err := os.ReadFile("../../testdata/seed-callx/" + file)
	if err != nil {
		t.Fatal(err)
	}
	o, err := load.ELF(file, data)
	if err != nil {
		t.Fatal(err)
	}
	prof, err := jit.LookupProfile(profile)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range o.Programs {
		if p.Name == program {
			a, err := pipeline.Run(p, prof, rewrite.Options{})
			if err != nil {
				t.Fatal(err)
			}
			return a
		}
	}
	t.Fatalf("no program %s", name)
	return nil
}

// functionNames returns the functions of an image.
func functionNames(img *jit.Image) []string {
	var out []string
	for _, f := range img.Funcs {
		out = append(out, f.Name)
	}
	return out
}
