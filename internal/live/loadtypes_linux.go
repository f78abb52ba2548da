//go:build linux && amd64

package live

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/cilium/ebpf/btf"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/sysbpf"
)

// addTypes passes the types of functions to the kernel.
func (l *loader) addTypes() error {
	if err := l.makeTypes(); err != nil {
		return err
	}
	var err error
	if l.types, err = sysbpf.LoadBTF(l.btf); err != nil {
		return explain("load types", err)
	}
	return nil
}

// makeTypes gives every function a type: that of the object, or a type without information. Without
// types the kernel shows no addresses of instructions, and refuses callbacks and tail calls in
// subprograms.
func (l *loader) makeTypes() error {
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
	if l.opt.SourceLines {
		data = l.addSourceLines(data)
	}
	l.btf = data
	return nil
}

// typeOf returns a type of its own for subprogram i.
func (l *loader) typeOf(i int) *btf.Func {
	s := l.p.Subprogs[i]
	if f := l.typed[i]; f != nil {
		c := *f
		return &c
	}
	if l.opt.Types != nil && s.Name != "" {
		found, err := l.opt.Types.AnyTypesByName(s.Name)
		for _, t := range found {
			if f, ok := t.(*btf.Func); ok && err == nil {
				return named(f)
			}
		}
	}
	name := s.Name
	if !isIdentifier(name) {
		name = fmt.Sprintf("func_%d", int(s.Start))
	}
	f := &btf.Func{Name: name}
	proto := &btf.FuncProto{Return: intType()}
	if s.Args == nil {
		proto.Params = []btf.FuncParam{{Name: "ctx", Type: &btf.Pointer{Target: (*btf.Void)(nil)}}}
	}
	for n, arg := range s.Args {
		typ, tags := argType(arg)
		proto.Params = append(proto.Params, btf.FuncParam{Name: fmt.Sprintf("arg%d", n+1), Type: typ})
		f.ParamTags = append(f.ParamTags, tags)
	}
	f.Type = proto
	return f
}

// named returns a copy of a function's type in which all parameters have names: the kernel refuses
// a type object with a function that has nameless ones, which compilers generate for naked
// functions (btf_func_check in kernel/bpf/btf.c).
func named(f *btf.Func) *btf.Func {
	c := *f
	proto, ok := f.Type.(*btf.FuncProto)
	if !ok {
		return &c
	}
	p := *proto
	p.Params = slices.Clone(proto.Params)
	for i := range p.Params {
		if variadic := p.Params[i].Type == nil; p.Params[i].Name == "" && !variadic {
			p.Params[i].Name = fmt.Sprintf("arg%d", i+1)
		}
	}
	c.Type = &p
	return &c
}

// intType returns a type of its own for int.
func intType() *btf.Int { return &btf.Int{Name: "int", Size: 4, Encoding: btf.Signed} }

// argType returns a type that makes the kernel treat a parameter as arg, which is in the words of
// bytecode.Subprogram.Args, and its declaration tags.
func argType(arg string) (btf.Type, []string) {
	kind, size, _ := strings.Cut(arg, ":")
	n, err := strconv.ParseUint(size, 10, 32)
	switch {
	case kind == "ctx":
		return &btf.Pointer{Target: (*btf.Void)(nil)}, []string{"arg:ctx"}
	case kind == "mem" && err == nil:
		return &btf.Pointer{Target: &btf.Struct{Name: "mem" + size, Size: uint32(n)}}, nil
	case kind == "nonnull" && err == nil:
		return &btf.Pointer{Target: &btf.Struct{Name: "mem" + size, Size: uint32(n)}}, []string{"arg:nonnull"}
	}
	return intType(), nil
}

// isIdentifier reports whether the kernel accepts the name for a function.
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
	if l.opt.SourceLines {
		return l.sourceLines
	}
	var out []sysbpf.LineInfo
	for pc := bytecode.PC(0); pc < l.p.Len(); pc += l.p.Insns[pc].Slots() {
		out = append(out, sysbpf.LineInfo{Slot: uint32(pc), Pos: uint32(pc) << 10})
	}
	return out
}

// addSourceLines makes records of the program's source lines, and appends their
// texts to the strings of a type object, which are its end (struct btf_header).
func (l *loader) addSourceLines(data []byte) []byte {
	size := binary.LittleEndian.Uint32(data[20:])
	seen := map[string]uint32{"": 0}
	place := func(s string) uint32 {
		off, ok := seen[s]
		if !ok {
			off = size
			seen[s] = off
			data = append(append(data, s...), 0)
			size += uint32(len(s)) + 1
		}
		return off
	}
	for _, line := range l.p.Lines {
		l.sourceLines = append(l.sourceLines, sysbpf.LineInfo{
			Slot: uint32(line.PC), File: place(line.File), Text: place(line.Text),
			Pos: uint32(line.Line)<<10 | uint32(line.Col)&0x3ff,
		})
	}
	binary.LittleEndian.PutUint32(data[20:], size)
	return data
}
