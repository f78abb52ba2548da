//go:build linux && amd64

package live

import (
	"encoding/binary"
	"testing"

	"github.com/cilium/ebpf/btf"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/sysbpf"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
)

// TestIsCalled loads programs without types into the running kernel. It keeps 15 bytes of a name
// (BPF_OBJ_NAME_LEN of include/uapi/linux/bpf.h with the final zero), so only a name of that length can be
// the beginning of a longer one.
func TestIsCalled(t *testing.T) {
	testenv.NeedKernel(t)
	insns := bytecode.Encode([]bytecode.Insn{{Code: 0xb7}, {Code: bytecode.CodeExit}}, binary.LittleEndian)
	for _, c := range []struct {
		kept, name string
		want       bool
	}{
		{"short", "short", true}, {"short", "shorter", false}, {"short", "shor", false},
		{"fifteen_letters", "fifteen_letters", true}, {"fifteen_letters", "fifteen_letters_and_more", true},
		{"fifteen_letters", "fifteen_letter", false},
	} {
		fd, _, err := sysbpf.LoadProg(&sysbpf.Load{Type: 1, Name: c.kept, License: "GPL", Insns: insns})
		if err != nil {
			t.Fatal(err)
		}
		if got := isCalled(fd, c.name); got != c.want {
			t.Errorf("%s is found by %s: %v", c.kept, c.name, got)
		}
		fd.Close()
	}
}

func TestHelperNumber(t *testing.T) {
	// Numbers: the list of helpers in include/uapi/linux/bpf.h.
	for name, want := range map[string]int32{
		"bpf_map_lookup_elem": 1, "bpf_map_delete_elem": 3, "bpf_probe_read_kernel": 113, "bpf_ktime_get_ns": 5,
		"bpf_trace_printk": 6, "bpf_for_each_map_elem": 164, "bpf_loop": 181, "bpf_timer_set_callback": 170,
		"bpf_find_vma": 180, "bpf_user_ringbuf_drain": 209, "bpf_get_current_pid_tgid": 14,
	} {
		if got, ok := helperNumber(name); !ok || got != want {
			t.Errorf("%s: %d, %t, want %d", name, got, ok, want)
		}
	}
	for _, name := range []string{"", "bpf_", "map_lookup_elem", "__htab_map_lookup_elem", "bpf_cpumask_create"} {
		if n, ok := helperNumber(name); ok {
			t.Errorf("%q is taken for helper %d", name, n)
		}
	}
}

func TestVerdict(t *testing.T) {
	tests := []struct{ log, want string }{
		{"", ""},
		{"unknown opcode 0d\n", "unknown opcode 0d"},
		{"func#0 @0\n0: R1=ctx() R10=fp0\n; x = 1 @ a.c:3\n0: (79) r1 = *(u64 *)(r2 +0)\nR2 !read_ok\n" +
			"processed 1 insns (limit 1000000) max_states_per_insn 0\n", "R2 !read_ok"},
		{"infinite loop detected at insn 3\ncur state: R0=0 R10=fp0\nold state: R0=0 R10=fp0\nprocessed 9 insns\n",
			"infinite loop detected at insn 3"},
		{"back-edge from insn 3 to 1\nverification time 20 usec\nstack depth 0\nprocessed 0 insns\n", "back-edge from insn 3 to 1"},
		{"0: R1=ctx() R10=fp0\n0: (95) exit\nR0 !read_ok\n\nVerification failed: Register Type Safety: Unreadable register\n\n" +
			"Reason:\n  R0 has never been initialized on this path.\n\nSuggestion:\n  Initialize R0.\n\n" +
			"processed 1 insns (limit 1000000)\n", "R0 !read_ok"},
	}
	for _, tt := range tests {
		if got := verdict(tt.log); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.log, got, tt.want)
		}
	}
}

func TestMapName(t *testing.T) {
	for name, want := range map[string]string{
		".rodata": ".rodata", "a-b c/é": "a_b_c__", "a_name_of_more_than_fifteen": "a_name_of_more_", "": "",
	} {
		if got := mapName(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

// FuzzStrings reads the strings of type objects that lie about their size.
func FuzzStrings(f *testing.F) {
	b := btf.Builder{}
	if _, err := b.Add(&btf.Int{Name: "int", Size: 4}); err != nil {
		f.Fatal(err)
	}
	good, err := b.Marshal(nil, &btf.MarshalOptions{Order: binary.LittleEndian})
	if err != nil {
		f.Fatal(err)
	}
	if s := (&types{strings: stringsOf(good)}).text(1); s != "int" {
		f.Fatalf("the first string is %q", s)
	}
	f.Add(good, uint32(1))
	f.Add(good[:24], uint32(0))
	f.Fuzz(func(t *testing.T, data []byte, off uint32) {
		s := stringsOf(data)
		if len(s) > len(data) {
			t.Fatalf("%d bytes of strings in %d bytes", len(s), len(data))
		}
		if text := (&types{strings: s}).text(off); len(text) > len(s) {
			t.Fatalf("a string of %d bytes in %d", len(text), len(s))
		}
	})
}
