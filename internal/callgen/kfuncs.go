package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cilium/ebpf/btf"
)

// kfuncRows returns the rows of kernel functions, by name.
func kfuncRows(spec *btf.Spec) ([]string, error) {
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
		rows = append(rows, rowOf(fn.Name, len(proto.Params), result(proto.Return), kfuncArgs(proto)))
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

// result returns what a function returns.
func result(t btf.Type) string {
	switch btf.UnderlyingType(t).(type) {
	case *btf.Void:
		return "Void"
	case *btf.Int, *btf.Enum:
		return "Number"
	}
	return "Anything"
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

// kfuncArg is kfuncArgs for one argument; next is the name of the one behind it.
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
