package abstract

import (
	"strings"

	"github.com/bpfcfg/bpfcfg/abstract/calls"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// dynptrSize is the size of a bpf_dynptr in programs.
const dynptrSize = 16

// declared returns the possible effects of a kernel function that is in no table, such as one of
// a module, by its prototype: it accesses only memory that its pointer arguments point to. Its
// flags are not known, so a pointer that it returns may or may not be null.
//
// Source: kernel/bpf/verifier.c get_kfunc_arg_type and check_kfunc_args, Linux 7.3;
// Documentation/bpf/kfuncs.rst on the endings of names.
func declared(k *bytecode.Kfunc) callee {
	c := callee{Proto: calls.Proto{Params: len(k.Params)}, known: true}
	switch k.Result {
	case bytecode.ParamVoid:
		c.Result = calls.Void
	case bytecode.ParamNumber:
		c.Result = calls.Number
	}
	for i, p := range k.Params {
		if p.Kind == bytecode.ParamFunction {
			c.calls = true
		}
		if i >= len(c.Args) {
			break
		}
		next := ""
		if i+1 < len(k.Params) {
			next = k.Params[i+1].Name
		}
		c.Args[i] = declaredArg(p, next)
	}
	return c
}

// declaredArg returns the effect on a parameter; next is the name of the parameter after it.
func declaredArg(p bytecode.Param, next string) calls.Arg {
	arg := calls.Arg{Use: calls.Write, Size: calls.Size(min(p.Size, stackSize))}
	if p.Const {
		arg.Use = calls.Read
	}
	for _, ending := range []string{"__ign", "__map", "__prog", "__alloc", "__refcounted_kptr"} {
		if strings.HasSuffix(p.Name, ending) {
			return calls.Arg{}
		}
	}
	switch {
	case p.Kind == bytecode.ParamFunction:
		return calls.Arg{Use: calls.Callback}
	case p.Kind != bytecode.ParamPointer:
		return calls.Arg{}
	case p.Of == "bpf_dynptr":
		return calls.Arg{Use: calls.Write, Size: dynptrSize}
	case strings.HasSuffix(p.Name, "__str"):
		return calls.Arg{Use: calls.Read, Size: calls.Unknown}
	case strings.HasSuffix(next, "__sz"), strings.HasSuffix(next, "__szk"):
		arg.Size = calls.Next
	}
	return arg
}

// checkParams reports a kernel function that has a structure itself as a parameter.
//
// Source: kernel/bpf/verifier.c get_kfunc_arg_type, Linux 7.3.
func (r *run) checkParams(pc bytecode.PC) {
	ref, ok := r.a.p.RefAt(pc)
	if !ok || ref.Kind != bytecode.RefKfunc {
		return
	}
	k := r.a.p.Kfunc(ref.Name)
	if k == nil {
		return
	}
	for i, p := range k.Params {
		if p.Kind == bytecode.ParamStruct || p.Kind == bytecode.ParamUnion {
			r.fault(&anything.Alt, Fault{PC: pc, Kind: StructArgument, Value: int64(i + 1), Max: p.Kind == bytecode.ParamUnion})
			return
		}
	}
}
