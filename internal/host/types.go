package host

import (
	"os"
	"path/filepath"

	"github.com/cilium/ebpf/btf"
)

// types takes structure offsets from the kernel's types.
func (d *deriver) types() {
	f, err := os.Open(filepath.Join(d.root, "sys/kernel/btf/vmlinux"))
	if err != nil {
		d.note("the kernel shows no types: %v", err)
		return
	}
	defer f.Close()
	spec, err := btf.LoadSpecFromReader(f)
	if err != nil {
		d.note("the kernel's types cannot be read: %v", err)
		return
	}
	p := &d.r.Profile
	set := func(member string, to *int, path ...string) {
		if off, ok := offsetOf(spec, path...); ok {
			*to = off
			d.found(Types, "/sys/kernel/btf/vmlinux", member)
		}
	}
	set("off_max_entries", &p.OffMaxEntries, "bpf_array", "map", "max_entries")
	set("off_ptrs", &p.OffPtrs, "bpf_array", "ptrs")
	set("off_value", &p.OffValue, "bpf_array", "value")
	set("off_bpf_func", &p.OffBPFFunc, "bpf_prog", "bpf_func")
}

// offsetOf returns the byte offset of a member of a structure: its name, then
// names of members, each inside the one before.
func offsetOf(spec *btf.Spec, path ...string) (int, bool) {
	var s *btf.Struct
	if err := spec.TypeByName(path[0], &s); err != nil {
		return 0, false
	}
	var at btf.Type = s
	total := btf.Bits(0)
	for _, name := range path[1:] {
		off, typ, ok := member(at, name, 8)
		if !ok {
			return 0, false
		}
		total, at = total+off, typ
	}
	return int(total / 8), true
}

// member returns the bit offset and type of a member, which may lie in
// anonymous structures and unions nested at most depth times.
func member(t btf.Type, name string, depth int) (btf.Bits, btf.Type, bool) {
	if depth == 0 {
		return 0, nil, false
	}
	var list []btf.Member
	switch t := btf.UnderlyingType(t).(type) {
	case *btf.Struct:
		list = t.Members
	case *btf.Union:
		list = t.Members
	}
	for _, m := range list {
		if m.Name == name {
			return m.Offset, m.Type, true
		}
		if m.Name != "" {
			continue
		}
		if off, typ, ok := member(m.Type, name, depth-1); ok {
			return m.Offset + off, typ, true
		}
	}
	return 0, nil, false
}
