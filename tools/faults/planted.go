package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// planted are faults in the analysis of memory, calls and joins that no test found at first, or
// that are as easily made. The programs of package soundness alone must find each.
var planted = []struct{ what, file, was, now string }{
	{"a 4-byte load of a 2-byte spill has the value", "abstract/stackmem.go", "acc.size < 8 && acc.size <= n && sl",
		"acc.size < 8 && sl"},
	{"of a buffer at a variable offset only its lowest place is forgotten", "abstract/helpercall.go",
		"f.fill(lo, hi+size, kind)", "f.fill(lo, min(lo, hi)+size, kind)"},
	{"links with different deltas stay at a join", "abstract/state.go", " || a.delta != b.delta {", " {"},
	{"links of 32 bits with different deltas stay at a join", "abstract/state.go",
		"a.add != b.add || a.delta != b.delta {",
		"a.add != b.add || a.delta != b.delta && a.add != 32 {"},
	{"a weak store of 0 changes nothing", "abstract/stack.go",
		"if zero && k == byteZero {", "if k == byteZero {"},
	{"links of stack slots survive a callback", "abstract/helpercall.go", "\t\ts.unlinkFrames(r.a.opt.Rules)\n", ""},
	{"fetch does not overwrite its register", "abstract/mem.go", "\t\ts.set(in.Src, old)\n", ""},
	{"a helper's last argument is not live", "abstract/live.go", "min(calleeAt(p, pc).Params, 5)+1)",
		"min(calleeAt(p, pc).Params, 5))"},
	{"LD_ABS never leaves the subprogram", "abstract/exec.go", "\tr.exit(failed, zeroNumber)\n", ""},
	{"a pointer joined with a number is dropped", "abstract/stack.go",
		"return v.has(func(a *Alt) bool { return a.Kind != Number || a.flags&(maybePtr|maybeLocal) != 0 })", "return false"},
	{"a pointer lost beside known bytes goes unnoticed", "abstract/stack.go",
		"} else if !notes.note(s.val) {", "} else if false {"},
	{"a pointer lost where nothing is known goes unnoticed", "abstract/stack.go",
		"return notes.note(s.val)", "return true"},
	{"a global function writes nothing behind an argument of unknown kind", "abstract/call.go",
		"\t}\n\treturn stackSize\n}", "\t}\n\treturn 0\n}"},
	{"a global function writes nothing behind an argument of known size", "abstract/call.go",
		"size >= 0 && size < stackSize {\n\t\t\t\treturn size", "size >= 0 && size < stackSize {\n\t\t\t\treturn 0"},
	{"a register that one of two ways initialises is none", "abstract/state.go", "\t\t\tout.put(r, anything)\n", "\n"},
	{"a pointer loaded at a joined offset is a number", "abstract/stackmem.go",
		"with := f.pointersIn(lo, hi, v)", "with := v"},
	{"a callback is followed once", "abstract/helpercall.go", "ends := framesLeq(grown, s.frames)",
		"ends := true || framesLeq(grown, s.frames)"},
	{"a scrubbed pointer is not lost", "abstract/stack.go", "f.localPointer = f.localPointer || s.val.has(isLocal)", ""},
	{"an atomic operation stores nothing", "abstract/mem.go", "\tr.storeTo(acc, nil, s)\n", ""},
	{"a store through one of two pointers is sure", "abstract/mem.go", "r.storeStack(acc, a, val, s, false)",
		"r.storeStack(acc, a, val, s, true)"},
	{"a callee's change of the caller's frame is dropped", "abstract/call.go", "out.frames = shiftFrames(x.frames, -1)",
		"_ = shiftFrames"},
}

// plantAll plants each of these faults and asks package soundness alone. It returns how
// many are not found.
func plantAll(out io.Writer, root string, numbers []int) (survivors int, err error) {
	root, err = filepath.Abs(root)
	if err != nil {
		return 0, err
	}
	dir, err := os.MkdirTemp("", "faults")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	for i, p := range planted {
		if len(numbers) > 0 && !slices.Contains(numbers, i+1) {
			continue
		}
		src, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(p.file)))
		if err != nil {
			return 0, err
		}
		if n := strings.Count(string(src), p.was); n != 1 {
			return 0, fmt.Errorf("%s: %q is there %d times, want once", p.file, p.was, n)
		}
		from := strings.Index(string(src), p.was)
		f := fault{file: p.file, from: from, to: from + len(p.was), now: p.now}
		overlay, err := f.overlay(root, dir)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", p.what, err)
		}
		what := "does not compile"
		if vet(root, overlay, f) == nil {
			what = firstFailure(root, overlay, []string{"./internal/testing/soundness"},
				"-run", "TestMixed|TestStack|TestRandom",
				"-soundness.steps=8000000")
		}
		if what == "" {
			what = "SURVIVES"
			survivors++
		}
		fmt.Fprintf(out, "%3d  %s: %s\n", i+1, p.what, what)
	}
	return survivors, nil
}
