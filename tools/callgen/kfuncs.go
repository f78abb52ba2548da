package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cilium/ebpf/btf"
)

// kfuncRows returns the rows of kernel functions, by name.
func kfuncRows(src *source, spec *btf.Spec) ([]string, error) {
	var rows []string
	for typ, err := range spec.All() {
		if err != nil {
			return nil, err
		}
		fn, ok := typ.(*btf.Func)
		if !ok || !slices.Contains(fn.Tags, "bpf_kfunc") {
			continue
		}
		proto, ok := fn.Type.(*btf.FuncProto)
		if !ok {
			return nil, fmt.Errorf("function %s has no prototype", fn.Name)
		}
		rows = append(rows, rowOf(fn.Name, len(proto.Params), src.kfuncResult(fn.Name, proto.Return), kfuncArgs(proto)))
	}
	slices.Sort(rows)
	return slices.Compact(rows), nil
}

// rowOf returns a row of a table.
func rowOf(name string, params int, result string, args []string) string {
	for len(args) > 0 && args[len(args)-1] == "{}" {
		args = args[:len(args)-1]
	}
	return fmt.Sprintf("{%q, Proto{%d, %s, [5]Arg{%s}}}", name, params, result, strings.Join(args, ", "))
}

// special holds the results of functions that the verifier knows by name
// (kernel/bpf/verifier.c check_special_kfunc and check_kfunc_call, Linux 7.3).
var special = map[string]string{
	"bpf_obj_new":             "Trusted",
	"bpf_obj_new_impl":        "Trusted",
	"bpf_percpu_obj_new":      "Trusted",
	"bpf_percpu_obj_new_impl": "Trusted",
	"bpf_dynptr_slice":        "Memory",
	"bpf_dynptr_slice_rdwr":   "Memory",
	"bpf_cast_to_kern_ctx":    "Trusted",
	// Null or not by what it is given.
	"bpf_refcount_acquire":      "Anything",
	"bpf_refcount_acquire_impl": "Anything",
	// Untrusted: a comparison with 0 tells nothing.
	"bpf_rdonly_cast":    "Untrusted",
	"bpf_get_kmem_cache": "Untrusted",
}

// kfuncResult returns what a kernel function returns.
//
// Source: kernel/bpf/verifier.c check_kfunc_call, Linux 7.3.
func (s *source) kfuncResult(name string, t btf.Type) string {
	flags, known := s.kfuncs[name]
	has := func(flag string) bool { return strings.Contains(flags, "KF_"+flag+" ") }
	null := ""
	if has("RET_NULL") {
		null = " | OrNull"
	}
	if r, ok := special[name]; ok {
		if r == "Anything" || r == "Untrusted" {
			return r
		}
		return r + null
	}
	switch t := btf.UnderlyingType(t).(type) {
	case *btf.Void:
		return "Void"
	case *btf.Int, *btf.Enum:
		return "Number"
	case *btf.Pointer:
		switch target := btf.UnderlyingType(t.Target).(type) {
		case *btf.Void:
			return "Number"
		case *btf.Struct:
			switch {
			case known && target.Name == "file":
				return "File" + null
			case !known:
				return "Anything"
			case has("RCU_PROTECTED"), s.rcuIterator(name), s.node(name) && !has("ACQUIRE"):
				return "RCU" + null
			}
			return "Trusted" + null
		}
		if known {
			return "Memory" + null
		}
	}
	return "Anything"
}

// rcuIterator reports whether a function returns something that is protected by an iterator whose
// constructor has the flag for it.
func (s *source) rcuIterator(name string) bool {
	of, ok := strings.CutSuffix(name, "_next")
	return ok && strings.Contains(s.kfuncs[of+"_new"], "KF_RCU_PROTECTED ")
}

// node reports whether a function returns a node of a list or tree.
func (s *source) node(name string) bool {
	return strings.HasPrefix(name, "bpf_list_") || strings.HasPrefix(name, "bpf_rbtree_")
}

// kfuncArgs returns what a kernel function does through its arguments, by their
// types and the endings of their names (Documentation/bpf/kfuncs.rst).
func kfuncArgs(proto *btf.FuncProto) []string {
	var args []string
	for i, p := range proto.Params {
		if i == 5 {
			break
		}
		next := ""
		if i+1 < len(proto.Params) {
			next = proto.Params[i+1].Name
		}
		args = append(args, kfuncArg(p, next))
	}
	return args
}

// kfuncArg is kfuncArgs for one argument; next is the name of the one after it.
func kfuncArg(p btf.FuncParam, next string) string {
	ptr, ok := btf.UnderlyingType(p.Type).(*btf.Pointer)
	if !ok {
		return "{}"
	}
	for _, ending := range []string{"__ign", "__map", "__prog", "__alloc", "__refcounted_kptr"} {
		if strings.HasSuffix(p.Name, ending) {
			return "{}"
		}
	}
	use := "Write"
	if isConst(ptr.Target) || strings.HasSuffix(p.Name, "__str") {
		use = "Read"
	}
	switch target := btf.UnderlyingType(ptr.Target).(type) {
	case *btf.FuncProto:
		return "{Callback, 0}"
	case *btf.Void:
		if !strings.HasSuffix(next, "__sz") && !strings.HasSuffix(next, "__szk") {
			return fmt.Sprintf("{%s, Unknown}", use)
		}
	case *btf.Struct:
		if target.Name == "bpf_dynptr" { // of 16 bytes where programs have it
			return "{Write, 16}" // also where it is constant: bpf_dynptr_adjust
		}
	}
	if strings.HasSuffix(next, "__sz") || strings.HasSuffix(next, "__szk") {
		return fmt.Sprintf("{%s, Next}", use)
	}
	size, err := btf.Sizeof(ptr.Target)
	if err != nil || size == 0 || strings.HasSuffix(p.Name, "__str") {
		return fmt.Sprintf("{%s, Unknown}", use)
	}
	return fmt.Sprintf("{%s, %d}", use, size)
}

// isConst reports whether a type is qualified as constant.
func isConst(t btf.Type) bool {
	for {
		switch q := t.(type) {
		case *btf.Const:
			return true
		case *btf.Volatile:
			t = q.Type
		case *btf.Restrict:
			t = q.Type
		case *btf.TypeTag:
			t = q.Type
		default:
			return false
		}
	}
}
