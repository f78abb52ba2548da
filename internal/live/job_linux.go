//go:build linux && amd64

package live

import (
	"fmt"
	"os"
	"strings"

	"github.com/cilium/ebpf/btf"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/record"
)

// Source is a program to ask about, and where it is from.
type Source struct {
	Name     string // of the job
	Program  *bytecode.Program
	License  string         // "GPL" when empty
	Types    *btf.Spec      // of the object, nil when it has none
	Object   *record.Object // nil for other sources
	LogLevel uint32         // of the first load
}

// options returns how to load the source.
func (s *Source) options() LoadOptions {
	return LoadOptions{License: s.License, Types: s.Types, LogLevel: s.LogLevel}
}

// job returns the program as the job of a record, with instructions as they are submitted:
// relocated except for values that only the running kernel knows.
func (l *loader) job(s *Source) *record.Job {
	p := l.p
	j := &record.Job{Name: s.Name, ProgType: p.Type, AttachType: p.AttachType, AttachTo: p.AttachTo,
		ProgFlags: p.Flags, License: s.License, Object: s.Object}
	insns := append([]bytecode.Insn(nil), p.Insns...)
	names := l.mapNames()
	for i := range p.Maps {
		j.Maps = append(j.Maps, jobMap(names[i], &p.Maps[i]))
	}
	for i, t := range p.Tables {
		name := names[len(p.Maps)+i]
		j.Maps = append(j.Maps, jobTable(name, &t))
		if t.FDArray {
			j.FDArray = append(j.FDArray, name)
		}
	}
	for _, r := range p.Refs {
		kind, name := "", r.Name
		switch r.Kind {
		case bytecode.RefMap, bytecode.RefMapValue:
			kind, name = relocKind(p.Insns[r.PC], r.Kind == bytecode.RefMapValue), names[r.Index]
		case bytecode.RefTable, bytecode.RefTableMap:
			kind, name = relocKind(p.Insns[r.PC], r.Kind == bytecode.RefTable), names[len(p.Maps)+r.Index]
		case bytecode.RefKfunc:
			kind = "kfunc"
		case bytecode.RefKsym:
			if kind = "btf_id"; p.Insns[r.PC].Src != bytecode.LdBTFID {
				if len(l.insns) == len(insns) { // an address, as a number
					insns[r.PC], insns[r.PC+1] = l.insns[r.PC], l.insns[r.PC+1]
				}
				continue
			}
		default:
			continue
		}
		j.Relocs = append(j.Relocs, record.Reloc{Insn: int(r.PC), Kind: kind, Name: name, Off: uint32(r.Off)})
	}
	j.Maps = append(j.Maps, l.prototypes(j.Maps)...)
	j.Insns = record.Slots(insns)
	l.jobTypes(j)
	return j
}

// prototypes returns the prototypes of inner maps, as further maps of a job, and names them in the
// maps of the program that the job has made first.
func (l *loader) prototypes(made []record.Map) []record.Map {
	var out []record.Map
	for i := range l.p.Maps {
		if inner := l.p.Maps[i].Inner; inner != nil {
			made[i].Inner = fmt.Sprintf("%s inner#%d", made[i].Name, i)
			out = append(out, jobMap(made[i].Inner, inner))
		}
	}
	return out
}

// mapNames returns a distinct name for each map and then for each table.
func (l *loader) mapNames() []string {
	var names []string
	seen := map[string]bool{}
	add := func(name string, i int) {
		if name == "" || seen[name] {
			name = fmt.Sprintf("%s#%d", name, i)
		}
		seen[name] = true
		names = append(names, name)
	}
	for i := range l.p.Maps {
		add(l.p.Maps[i].Name, i)
	}
	for i := range l.p.Tables {
		add(l.p.Tables[i].Name, len(l.p.Maps)+i)
	}
	return names
}

// jobMap returns a map of a job.
func jobMap(name string, m *bytecode.Map) record.Map {
	out := record.Map{Name: name, Type: bytecode.MapTypeName(m.Type), KeySize: m.KeySize, ValueSize: m.ValueSize,
		MaxEntries: m.MaxEntries, Flags: m.Flags}
	if m.Value != nil && m.Type == record.MapArray {
		out.Ops = []record.MapOp{{Op: "update", Key: make([]byte, 4), Value: m.Value}}
	}
	if m.ReadOnly && m.Value != nil {
		freeze := true
		out.Freeze = &freeze
	}
	return out
}

// jobTable returns the instruction array of a jump table.
func jobTable(name string, t *bytecode.JumpTable) record.Map {
	out := record.Map{Name: name, Type: record.InsnArray, KeySize: 4, ValueSize: 16, MaxEntries: uint32(len(t.Targets))}
	for _, pc := range t.Targets {
		out.Targets = append(out.Targets, uint32(pc))
	}
	if t.Unfrozen {
		freeze := false
		out.Freeze = &freeze
	}
	return out
}

// relocKind names the relocation of a 64-bit load of a map or its value.
func relocKind(in bytecode.Insn, value bool) string {
	switch {
	case in.Src == bytecode.LdMapIdx:
		return "map_idx"
	case in.Src == bytecode.LdMapIdxValue:
		return "map_idx_value"
	case value:
		return "map_value"
	}
	return "map_fd"
}

// jobTypes adds the types that the program was loaded with.
func (l *loader) jobTypes(j *record.Job) {
	if len(l.btf) == 0 {
		return
	}
	j.BTF = &record.BTF{Data: l.btf}
	for _, f := range l.funcs {
		j.BTF.FuncInfo = append(j.BTF.FuncInfo, [2]uint32{f.Slot, f.Type})
	}
	for _, n := range l.sourceLines {
		j.BTF.LineInfo = append(j.BTF.LineInfo, [4]uint32{n.Slot, n.File, n.Text, n.Pos})
	}
}

// fileText returns the content of a file of the kernel, empty when it has none.
func fileText(path string) string {
	b, _ := os.ReadFile(path)
	return strings.TrimSpace(string(b))
}

// filesIn returns the names of the files in a directory.
func filesIn(dir string) []string {
	list, _ := os.ReadDir(dir)
	var out []string
	for _, e := range list {
		out = append(out, e.Name())
	}
	return out
}

// cpuOf fills in the first CPU of /proc/cpuinfo.
func cpuOf(e *record.Env, text string) {
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(line, ":")
		if !ok {
			return
		}
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(key) {
		case "model name":
			e.CPU = value
		case "vendor_id":
			e.CPUVendor = value
		case "flags":
			e.CPUFlags = strings.Fields(value)
		case "bugs":
			e.CPUBugs = strings.Fields(value)
		}
	}
}

// JobOf returns a program as the job of a record, without any kernel: addresses of
// kernel variables stay as the object has them.
func JobOf(s *Source) (*record.Job, error) {
	opt := s.options()
	opt.SourceLines = true
	l := &loader{p: s.Program, opt: opt, kernel: NewKernel()}
	if err := l.makeTypes(); err != nil {
		return nil, err
	}
	return l.job(s), nil
}
