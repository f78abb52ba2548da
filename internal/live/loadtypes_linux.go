//go:build linux && amd64

package live

import (
	"encoding/binary"
	"fmt"

	"github.com/cilium/ebpf/btf"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/sysbpf"
)

// addTypes gives every function a type: that of the object where it has one,
// else one that says nothing. Without types the kernel shows no addresses of
// instructions, and refuses callbacks and tail calls in subprograms.
func (l *loader) addTypes() error {
	b := btf.Builder{}
	for i, s := range l.p.Subprogs {
		f := l.typeOf(i)
		f.Linkage = btf.StaticFunc
		if s.Global || i == 0 {
			f.Linkage = btf.GlobalFunc
		}
		id, err := b.Add(f)
		if err != nil {
			return fmt.Errorf("type of function %q: %w", s.Name, err)
		}
		l.funcs = append(l.funcs, sysbpf.FuncInfo{Slot: uint32(s.Start), Type: uint32(id)})
	}
	data, err := b.Marshal(nil, &btf.MarshalOptions{Order: binary.LittleEndian})
	if err != nil {
		return fmt.Errorf("types: %w", err)
	}
	if l.types, err = sysbpf.LoadBTF(data); err != nil {
		return explain("load types", err)
	}
	return nil
}

// typeOf returns a type of its own for subprogram i.
func (l *loader) typeOf(i int) *btf.Func {
	s := l.p.Subprogs[i]
	if l.opt.Types != nil && s.Name != "" {
		found, err := l.opt.Types.AnyTypesByName(s.Name)
		for _, t := range found {
			if f, ok := t.(*btf.Func); ok && err == nil {
				c := *f
				return &c
			}
		}
	}
	name := s.Name
	if !isIdentifier(name) {
		name = fmt.Sprintf("func_%d", int(s.Start))
	}
	number := &btf.Int{Name: "int", Size: 4, Encoding: btf.Signed}
	return &btf.Func{Name: name, Type: &btf.FuncProto{
		Return: number,
		Params: []btf.FuncParam{{Name: "ctx", Type: &btf.Pointer{Target: &btf.Void{}}}},
	}}
}

// isIdentifier reports whether the kernel takes the name for a function.
func isIdentifier(s string) bool {
	for i, c := range s {
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// lines returns a record for each instruction, with its slot for a line number.
// The kernel keeps the record with the instruction through all its rewrites.
func (l *loader) lines() []sysbpf.LineInfo {
	var out []sysbpf.LineInfo
	for pc := bytecode.PC(0); pc < l.p.Len(); pc += l.p.Insns[pc].Slots() {
		out = append(out, sysbpf.LineInfo{Slot: uint32(pc), Pos: uint32(pc) << 10})
	}
	return out
}
