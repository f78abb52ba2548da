package calls

import (
	"slices"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// TestHelpers checks that each helper has a row, under the name that the rest of
// the program has for it.
func TestHelpers(t *testing.T) {
	const last = 211 // cgrp_storage_delete, the last one of include/uapi/linux/bpf.h, Linux 7.3
	if MaxHelper() != last {
		t.Errorf("the last helper is %d", MaxHelper())
	}
	for n := int32(1); n <= MaxHelper(); n++ {
		if _, ok := Helper(n); !ok {
			t.Errorf("helper %d (%s) has no row", n, bytecode.HelperName(n))
		} else if want := bytecode.HelperName(n); want != "bpf_"+helpers[n].name && want != helpers[n].name {
			t.Errorf("helper %d is %s, and %s elsewhere", n, helpers[n].name, want)
		}
	}
	for _, n := range []int32{-1, 0, MaxHelper() + 1} {
		if _, ok := Helper(n); ok {
			t.Errorf("helper %d has a row", n)
		}
	}
}

// TestKfuncs checks the order that the search relies on.
func TestKfuncs(t *testing.T) {
	if !slices.IsSortedFunc(kfuncs[:], func(a, b row) int { return strings.Compare(a.name, b.name) }) {
		t.Error("kernel functions are not in order")
	}
	for _, k := range kfuncs {
		if p, ok := Kfunc(k.name); !ok || p != k.proto {
			t.Errorf("%s is not found", k.name)
		}
	}
	if _, ok := Kfunc("bpf_no_such_function"); ok {
		t.Error("a function that there is not is found")
	}
}

// TestPrototypes checks rows of each kind against the documentation of helpers
// (include/uapi/linux/bpf.h) and of kernel functions (Documentation/bpf).
func TestPrototypes(t *testing.T) {
	for n, want := range map[int32]Proto{
		1:   {2, Value | OrNull, [5]Arg{{}, {Read, MapKey}}},
		5:   {0, Number, [5]Arg{}},
		26:  {4, Number, [5]Arg{{}, {}, {Write, Next}}},
		88:  {2, Number, [5]Arg{{}, {Write, MapValue}}},
		93:  {1, Void, [5]Arg{}},
		105: {4, Number, [5]Arg{{Read, Next}, {}, {}, {Write, 8}}},
		113: {3, Number, [5]Arg{{Write, Next}}},
		81:  {2, Value, [5]Arg{}},
		84:  {5, Socket | OrNull, [5]Arg{{}, {Read, Next}}},
		96:  {1, TCPSocket | OrNull, [5]Arg{}},
		154: {1, Object, [5]Arg{}},
		158: {0, Trusted, [5]Arg{}},
		194: {2, Trusted | OrNull, [5]Arg{}},
		181: {4, Number, [5]Arg{{}, {Callback, 0}}},
	} {
		if got, _ := Helper(n); got != want {
			t.Errorf("helper %d: %+v, want %+v", n, got, want)
		}
	}
	for name, want := range map[string]Proto{
		"bpf_iter_num_new":      {3, Number, [5]Arg{{Write, 8}}},
		"bpf_dynptr_slice_rdwr": {4, Memory | OrNull, [5]Arg{{Write, 16}, {}, {Write, Next}}},
		"bpf_iter_num_next":     {1, Memory | OrNull, [5]Arg{{Write, 8}}},
		"bpf_iter_task_next":    {1, RCU | OrNull, [5]Arg{{Write, 24}}},
		"bpf_cpumask_acquire":   {1, Trusted, [5]Arg{{Write, 1032}}},
		"bpf_cpumask_create":    {0, Trusted | OrNull, [5]Arg{}},
		"bpf_rcu_read_lock":     {0, Void, [5]Arg{}},
	} {
		if got, _ := Kfunc(name); got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
}
