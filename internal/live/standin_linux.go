//go:build linux && amd64

package live

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf/btf"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/sysbpf"
)

// addOriginal loads, for an extension, a program that has a function for it to replace: a kernel
// loads an extension only for a function of a certain program, and that program is not available.
// The function has the extension's own prototype, and is called once.
func (l *loader) addOriginal() error {
	if l.p.Type != "ext" {
		return nil
	}
	name := l.p.AttachTo
	if !isIdentifier(name) {
		name = "replaced"
	}
	p := original(name, l.p.Subprogs[0].Args)
	p.Type = l.originalType()
	fn := *l.typeOf(0)
	fn.Name = name
	in := &loader{p: p, opt: LoadOptions{License: l.opt.License}, kernel: l.kernel, typed: map[int]*btf.Func{1: &fn}}
	err := errors.Join(in.patch(), in.addTypes())
	if err == nil {
		in.prog, _, err = in.load()
	}
	if err != nil {
		in.close()
		if no := (*Refusal)(nil); errors.As(err, &no) {
			err = errors.New(no.Line)
		}
		return fmt.Errorf("function %q: a program for the extension to replace it in: %w", name, err)
	}
	l.original, l.replaces = []sysbpf.FD{in.prog, in.types}, in.funcs[1].Type
	return nil
}

// original returns a program that calls a global function of this name with arguments
// that its prototype allows.
func original(name string, args []string) *bytecode.Program {
	const movReg, movImm, addImm, storeImm = 0xbf, 0xb7, 0x07, 0x7a
	const r1, r6, fp = 1, 6, 10
	emit := func(code uint8, dst, src bytecode.Reg, off int16, imm int32) bytecode.Insn {
		return bytecode.Insn{Code: code, Dst: dst, Src: src, Off: off, Imm: imm}
	}
	const room = 512
	insns := []bytecode.Insn{emit(movReg, r6, r1, 0, 0)}
	for off := -room; off < 0; off += 8 {
		insns = append(insns, emit(storeImm, fp, 0, int16(off), 0))
	}
	for i, a := range args[:min(len(args), maxRegArgs)] {
		r := bytecode.Reg(i + 1)
		switch a {
		case "scalar":
			insns = append(insns, emit(movImm, r, 0, 0, 0))
		case "ctx":
			insns = append(insns, emit(movReg, r, r6, 0, 0))
		default:
			insns = append(insns, emit(movReg, r, fp, 0, 0), emit(addImm, r, 0, 0, -room))
		}
	}
	if args == nil {
		insns = append(insns, emit(movReg, r1, r6, 0, 0))
	}
	out := []bytecode.Insn{emit(movImm, 0, 0, 0, 0), emit(bytecode.CodeExit, 0, 0, 0, 0)}
	call := emit(bytecode.CodeCall, 0, bytecode.CallSubprogram, 0, int32(len(out)))
	start := bytecode.PC(len(insns) + 1 + len(out))
	insns = append(append(append(insns, call), out...), out...)
	return &bytecode.Program{Name: "original", Insns: insns, Subprogs: []bytecode.Subprogram{
		{Name: "original", End: start},
		{Name: name, Start: start, End: bytecode.PC(len(insns)), Global: true, Args: args},
	}}
}

// maxRegArgs is the number of arguments that registers pass.
const maxRegArgs = 5

// originalType returns the type of the program that the extension is for: that of the
// context which it gets, or one that has none of its own.
func (l *loader) originalType() string {
	proto, ok := l.typeOf(0).Type.(*btf.FuncProto)
	if !ok {
		return anyType
	}
	for _, param := range proto.Params {
		ptr, ok := btf.UnderlyingType(param.Type).(*btf.Pointer)
		if !ok {
			continue
		}
		if s, ok := btf.UnderlyingType(ptr.Target).(*btf.Struct); ok {
			if t := contextType(s.Name); t != "" {
				return t
			}
		}
	}
	return anyType
}

// anyType is the type of a stand-in whose context is not known.
const anyType = "sched_cls"

// contextType returns the type of programs that get a structure as context, empty when
// it is no context (include/linux/bpf_types.h, Linux 7.3).
func contextType(name string) string {
	switch name {
	case "__sk_buff":
		return "sched_cls"
	case "xdp_md":
		return "xdp"
	case "bpf_sock_ops":
		return "sock_ops"
	case "bpf_sock_addr":
		return "cgroup_sock_addr"
	case "bpf_sock":
		return "cgroup_sock"
	case "sk_msg_md":
		return "sk_msg"
	}
	return ""
}
