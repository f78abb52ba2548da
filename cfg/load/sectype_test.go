package load

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// TestSectionTypes compares with what libbpf submits for programs in sections
// of these names: testdata/sections.txt, made by testdata/libbpf/sections.sh.
// There, programs without a type were submitted as socket filters.
func TestSectionTypes(t *testing.T) {
	data, err := os.ReadFile("testdata/sections.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	if len(lines) < 100 {
		t.Fatalf("%d sections", len(lines))
	}
	for _, line := range lines {
		sec, want, _ := strings.Cut(line, " ")
		p := &bytecode.Program{Section: sec}
		setType(p)
		if matchSection(strings.TrimPrefix(sec, "?")).typ == "" { // not known to libbpf
			p.Type, p.Flags, p.AttachType = "socket_filter", 0, 0
		}
		flags := "0"
		if p.Flags != 0 {
			flags = fmt.Sprintf("%#x", p.Flags)
		}
		got := fmt.Sprintf("type=%s flags=%s attach=%d", p.Type, flags, p.AttachType)
		if got != want {
			t.Errorf("section %q: %s, want %s", sec, got, want)
		}
	}
	// Not known to libbpf 1.8, which asks its caller for the type; cilium/ebpf does not.
	for sec, want := range map[string]string{
		"tc/tail": "sched_cls 0", "xdp/entry": "xdp 37", "socket1": "socket_filter 0", "cgroup/sock1": "cgroup_sock 2",
		"xdp_prog": "xdp 37", "xdp.frags/devmap2": "xdp 33", "2/10": " 0", "from-netdev": " 0", "kprobe1": " 0",
	} {
		p := &bytecode.Program{Section: sec}
		if setType(p); fmt.Sprint(p.Type, " ", p.AttachType) != want {
			t.Errorf("section %q: %s %d, want %s", sec, p.Type, p.AttachType, want)
		}
	}
	// Not to be had without a kernel.
	for sec, want := range map[string]string{
		"struct_ops/select_cpu": "struct_ops 0 ", "struct_ops.s/init": "struct_ops 16 ", "freplace/f": "ext 0 f", "": " 0 ",
		"?tp_btf/sched_switch": "tracing 0 btf_trace_sched_switch", "fexit.s/f": "tracing 16 f", "lsm/file_open": "lsm 0 bpf_lsm_file_open",
		"iter/task": "tracing 0 bpf_iter_task", "lsm_cgroup/bind": "lsm 0 bpf_lsm_bind", "fentry": "tracing 0 ", "xdp/devmap": "xdp 0 ",
	} {
		p := &bytecode.Program{Section: sec}
		if setType(p); fmt.Sprint(p.Type, " ", p.Flags, " ", p.AttachTo) != want {
			t.Errorf("section %q: %s %d %q, want %s", sec, p.Type, p.Flags, p.AttachTo, want)
		}
	}
}

// TestSectionOfEachType wants a section name for each program type, and names of types that exist:
// libbpf has a name for each type (section_defs in tools/lib/bpf/libbpf.c).
func TestSectionOfEachType(t *testing.T) {
	types := bytecode.ProgTypes()[1:] // without "unspec"
	var named []string
	for _, r := range sectionRules {
		named = append(named, r.typ)
		if !slices.Contains(types, r.typ) {
			t.Errorf("sectionRules (sectype.go) has type %q, which ProgTypes (cfg/bytecode/maptype.go) lacks", r.typ)
		}
	}
	for _, name := range types {
		if !slices.Contains(named, name) {
			t.Errorf("program type %s has no section name in sectionRules (sectype.go)", name)
		}
	}
	for name := range contextTypes {
		if !slices.Contains(types, name) {
			t.Errorf("contextTypes (sectype.go) has type %q, which ProgTypes (cfg/bytecode/maptype.go) lacks", name)
		}
	}
}
