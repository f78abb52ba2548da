package target

import (
	_ "embed"
	"fmt"
	"strings"

	"github.com/cilium/ebpf/btf"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Attach types that decide what arguments are (enum bpf_attach_type).
const (
	attachRawTP     = 23
	attachFentry    = 24
	attachFexit     = 25
	attachModify    = 26
	attachLSM       = 27
	attachIter      = 28
	attachLSMCgroup = 43
	attachFsession  = 58
)

// Argument implements bytecode.Types (kernel/bpf/btf.c btf_ctx_access, Linux 7.3).
func (t *types) Argument(p *bytecode.Program, off int64, size int) bytecode.Pointer {
	proto, ops := t.prototype(p)
	if proto == nil || off < 0 || off%8 != 0 {
		return bytecode.Pointer{}
	}
	param, index, ok := argument(proto, p, off)
	switch {
	case !ok:
		return bytecode.Pointer{}
	case param.Type == nil, !isPointer(param.Type):
		return bytecode.Pointer{Kind: bytecode.PointerNumber}
	case size != 8:
		return bytecode.Pointer{}
	}
	if out, ok := iterArgument(p.AttachTo, param.Name); ok && p.AttachType == attachIter && p.Type == "tracing" {
		if out.Kind != bytecode.PointerBuffer {
			out.Type = t.number(structOf(param.Type))
		}
		return out
	}
	w := walk{size: 8}
	if !w.pointer("", btf.UnderlyingType(param.Type).(*btf.Pointer)) {
		return bytecode.Pointer{}
	}
	if w.plain {
		if members(w.to) == nil { // to bytes or to pointers: treated as a number
			return bytecode.Pointer{Kind: bytecode.PointerNumber}
		}
		return bytecode.Pointer{Kind: bytecode.PointerObject}
	}
	out := bytecode.Pointer{Kind: bytecode.PointerObject, Type: t.number(w.to)}
	if trustedArgs(p) {
		out.Kind = bytecode.PointerTrusted
	}
	out.Null = strings.HasSuffix(param.Name, "__nullable")
	switch {
	case p.Type == "struct_ops":
		t.structOpsArgument(&out, p, ops, index)
	case p.Type == "tracing" && p.AttachType == attachRawTP:
		rawArgument(&out, strings.TrimPrefix(p.AttachTo, "btf_trace_"), index)
	}
	return out
}

// prototype returns the prototype of the function whose arguments the context has and, for a
// struct_ops program, the function's name.
func (t *types) prototype(p *bytecode.Program) (*btf.FuncProto, string) {
	switch {
	case p.Type == "struct_ops":
		name, ok := strings.CutPrefix(p.AttachTo, "struct ")
		ops, found := findIn[*btf.Struct](t, name)
		if !ok || !found || int(p.AttachType) >= len(ops.Members) {
			return nil, ""
		}
		m := ops.Members[p.AttachType]
		return protoBehind(m.Type), m.Name
	case p.Type == "tracing" && p.AttachType == attachRawTP:
		def, ok := findIn[*btf.Typedef](t, p.AttachTo)
		if !ok {
			return nil, ""
		}
		proto := protoBehind(def.Type)
		if proto == nil || len(proto.Params) == 0 {
			return nil, ""
		}
		if fn, ok := findIn[*btf.Func](t, "__bpf_trace_"+strings.TrimPrefix(p.AttachTo, "btf_trace_")); ok {
			if named, ok := fn.Type.(*btf.FuncProto); ok && len(named.Params) == len(proto.Params) {
				proto = named // whose arguments have names
			}
		}
		args := *proto
		args.Params = proto.Params[1:] // the first one is the tracepoint's own
		return &args, ""
	case p.Type == "tracing" || p.Type == "lsm":
		fn, ok := findIn[*btf.Func](t, p.AttachTo)
		if !ok {
			return nil, ""
		}
		proto, _ := fn.Type.(*btf.FuncProto)
		return proto, ""
	}
	return nil, ""
}

// Result implements bytecode.Types.
func (t *types) Result(function string) int32 {
	fn, ok := findIn[*btf.Func](t, function)
	if !ok {
		return 0
	}
	proto, ok := fn.Type.(*btf.FuncProto)
	if !ok || !isPointer(proto.Return) {
		return 0
	}
	return t.number(structOf(proto.Return))
}

// protoBehind returns the prototype that a pointer points to.
func protoBehind(t btf.Type) *btf.FuncProto {
	ptr, ok := btf.UnderlyingType(t).(*btf.Pointer)
	if !ok {
		return nil
	}
	proto, _ := btf.UnderlyingType(ptr.Target).(*btf.FuncProto)
	return proto
}

// argument returns the parameter at an offset of the context and its number. For programs that
// run when the function returns, its result follows the parameters.
func argument(proto *btf.FuncProto, p *bytecode.Program, off int64) (btf.FuncParam, int, bool) {
	at := int64(0)
	for i, param := range proto.Params {
		n, err := btf.Sizeof(param.Type)
		if err != nil {
			return btf.FuncParam{}, 0, false
		}
		if at += (int64(n) + 7) &^ 7; off < at {
			return param, i, true
		}
	}
	switch {
	case off >= at+8:
	case p.Type == "lsm", p.AttachType == attachModify:
		return btf.FuncParam{}, 0, true // a number
	case p.AttachType == attachFexit, p.AttachType == attachFsession:
		return btf.FuncParam{Type: proto.Return}, len(proto.Params), true
	}
	return btf.FuncParam{}, 0, false
}

// isPointer reports whether a type is one of pointers.
func isPointer(t btf.Type) bool {
	_, ok := btf.UnderlyingType(t).(*btf.Pointer)
	return ok
}

// structOf returns the type that a pointer points to.
func structOf(t btf.Type) btf.Type {
	ptr, ok := btf.UnderlyingType(t).(*btf.Pointer)
	if !ok {
		return t
	}
	return btf.UnderlyingType(ptr.Target)
}

// trustedArgs reports whether pointer arguments to structures point to objects that exist
// (kernel/bpf/btf.c prog_args_trusted, and the set untrusted_lsm_hooks of kernel/bpf/bpf_lsm.c,
// Linux 7.3).
func trustedArgs(p *bytecode.Program) bool {
	switch p.Type {
	case "tracing":
		return p.AttachType == attachRawTP || p.AttachType == attachIter
	case "lsm":
		switch strings.TrimPrefix(p.AttachTo, "bpf_lsm_") {
		case "bpf_map_free", "bpf_prog_free", "file_alloc_security", "file_free_security", "sk_alloc_security",
			"sk_free_security", "task_free", "bdev_alloc_security", "bdev_free_security":
			return false
		}
		return true
	}
	return p.Type == "struct_ops"
}

// iterArgument returns an argument that an iterator declares by name, without its type
// (ctx_arg_info of struct bpf_iter_reg in the file of each iterator, Linux 7.3).
func iterArgument(function, name string) (bytecode.Pointer, bool) {
	or := func(k bytecode.PointerKind) (bytecode.Pointer, bool) {
		return bytecode.Pointer{Kind: k, Null: true}, true
	}
	switch strings.TrimPrefix(function, "bpf_iter_") + " " + name {
	case "cgroup cgroup", "kmem_cache s", "task task", "bpf_map map", "tcp sk_common", "udp udp_sk", "sockmap sk":
		return or(bytecode.PointerTrusted)
	case "bpf_prog prog", "task_file task", "task_file file", "task_vma task", "task_vma vma", "dmabuf dmabuf",
		"bpf_link link", "netlink sk", "ipv6_route rt", "ksym ksym", "unix unix_sk",
		"bpf_sk_storage_map sk":
		return or(bytecode.PointerObject)
	case "bpf_map_elem key", "bpf_map_elem value", "sockmap key", "bpf_sk_storage_map value":
		return or(bytecode.PointerBuffer)
	}
	return bytecode.Pointer{}, false
}

// structOpsArgument adds the properties that a kind of struct_ops gives an argument: by its name
// in the kernel's own function (kernel/bpf/bpf_struct_ops.c prepare_arg_info), and by
// tcp_congestion_ops itself (net/ipv4/bpf_tcp_ca.c).
func (t *types) structOpsArgument(out *bytecode.Pointer, p *bytecode.Program, member string, index int) {
	kind := strings.TrimPrefix(p.AttachTo, "struct ")
	if fn, ok := findIn[*btf.Func](t, kind+"__"+member); ok {
		proto, ok := fn.Type.(*btf.FuncProto)
		if ok && index < len(proto.Params) {
			out.Null = out.Null || strings.HasSuffix(proto.Params[index].Name, "__nullable")
		}
	}
	if kind == "tcp_congestion_ops" && out.Type == t.Struct("sock") {
		out.Type = t.Struct("tcp_sock")
	}
}

// rawNullsText lists tracepoints with arguments that may be null (kernel/bpf/btf.c
// raw_tp_null_args, Linux 7.3): a digit for each argument, 0, 1 for one that may be null, 2 for
// one that may be an error number; ? after the name if Linux 6.12 does not know that.
//
//go:embed rawnulls.txt
var rawNullsText string

// rawArgument adds the properties of a tracepoint's argument.
func rawArgument(out *bytecode.Pointer, name string, index int) {
	for line := range strings.Lines(rawNullsText) {
		var have, digits string
		if n, _ := fmt.Sscan(line, &have, &digits); n != 2 || strings.TrimSuffix(have, "?") != name {
			continue
		}
		if index >= len(digits) || digits[index] == '0' {
			return
		}
		if out.Vague = strings.HasSuffix(have, "?"); digits[index] == '1' {
			out.Null = true
			return
		}
		*out = bytecode.Pointer{Kind: bytecode.PointerNumber}
		return
	}
}
