package load

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// TestElsewhere checks what libbpf 1.8 makes of sections that are neither .data
// nor .rodata: init_internal_map and bpf_object__elf_collect in
// tools/lib/bpf/libbpf.c, Linux 7.3.4. And that a function of another object is
// an opaque call.
func TestElsewhere(t *testing.T) {
	o := loadFile(t, "testdata/elsewhere.o")
	if len(o.Failed) > 0 {
		t.Fatal(o.Failed)
	}
	relro := mapNamed(t, program(t, o, "relro"), ".data.rel.ro.k")
	if relro.ReadOnly || !relro.Const || relro.Flags&flagRdonlyProg != 0 {
		t.Errorf("%+v", relro)
	}
	if m := mapNamed(t, program(t, o, "percpu"), ".percpu"); m.Type != mapTypePerCPU || m.ReadOnly || m.Flags != 0 {
		t.Errorf("%+v", m)
	}
	p := program(t, o, "linked")
	i := slices.IndexFunc(p.Relocs, func(r bytecode.Reloc) bool { return r.Kind == bytecode.RelocFunc && r.Text == "fill" })
	if i < 0 || p.Flow(p.Relocs[i].PC).Kind != bytecode.FlowHelper || p.PendingAt(p.Relocs[i].PC) != bytecode.PartCall {
		t.Errorf("%+v", p.Relocs)
	}
	refused := strings.Join(o.Refused, "\n")
	if !strings.Contains(refused, `map "own_map", which is static`) || !strings.Contains(refused, `undefined symbol "fill"`) {
		t.Errorf("refused: %s", refused)
	}
}

// TestOwnArguments checks the arguments of extensions and of functions for other
// objects. Linux 7.3.4 loads both extensions.
func TestOwnArguments(t *testing.T) {
	for _, tt := range []struct{ file, name, want string }{
		{"extension.o", "value", "[ctx scalar scalar]"}, {"extension.o", "single", "[scalar]"},
		{"textonly.o", "add", "[scalar scalar scalar]"}, {"data.o", "call", "[]"},
	} {
		if got := fmt.Sprint(program(t, loadFile(t, "testdata/"+tt.file), tt.name).Subprogs[0].Args); got != tt.want {
			t.Errorf("%s: %s: %s, want %s", tt.file, tt.name, got, tt.want)
		}
	}
}

// TestCleanups checks the landing pads that clang 23 lists, and that an object of
// clang 24, which has instructions for them, loads.
func TestCleanups(t *testing.T) {
	p := program(t, loadFile(t, "testdata/unwind.o"), "prog")
	// By llvm-readelf-23 -x .bpf_cleanup.
	want := []bytecode.Cleanup{{Start: 4, End: 6, Pad: 18}, {Start: 10, End: 11, Pad: 18}, {Start: 19, End: 21, Pad: 23}}
	if !slices.Equal(p.Cleanups, want) {
		t.Errorf("%+v, want %+v", p.Cleanups, want)
	}
	resumes := slices.ContainsFunc(p.Refs, func(r bytecode.Ref) bool {
		return r.Kind == bytecode.RefKfunc && r.Name == "bpf_unwind_resume"
	})
	if !resumes {
		t.Errorf("%+v", p.Refs)
	}
	if p := program(t, loadFile(t, "testdata/unwind24.o"), "prog"); len(p.Cleanups) != 0 {
		t.Errorf("%+v", p.Cleanups)
	}
}
