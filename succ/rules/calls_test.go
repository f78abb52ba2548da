package rules

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
)

// TestCompiledCalls holds the rules against what Linux 7.3.4 said of compiled
// programs: see testdata/calls/README.md.
func TestCompiledCalls(t *testing.T) {
	const trap = "unexpected __bpf_trap() due to uninitialized variable?"
	refused := map[string]string{
		"hole": trap, "noret": trap, "insub": trap, "falls": trap,
		"masked": "R1 bitwise operator &= on pointer prohibited",
		"up":     "dereference of modified func ptr R2 off=8 disallowed", "down": "negative offset func ptr R2 off=-8 disallowed",
		"anywhere": "variable func access var_off=(0x0; 0x8) disallowed",
	}
	paths := testenv.Glob(t, "calls/*.o")
	if len(paths) < 7 {
		t.Fatalf("%d objects", len(paths))
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		o, err := load.ELF(filepath.Base(path), data)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range o.Programs {
			v, err := Linux73().Judge(p)
			if err != nil || v.Message != refused[p.Name] || v.Accept != (v.Message == "") {
				t.Errorf("%s: %s: %+v %v, want %q", filepath.Base(path), p.Name, v, err, refused[p.Name])
			}
			if v.Message == trap && v.Errno != "EFAULT" {
				t.Errorf("%s: %s", p.Name, v.Errno)
			}
		}
	}
}

// chainOf returns a program in which n functions call one after the other.
func chainOf(n int) *bytecode.Program {
	var a progen.Asm
	for i := range n {
		a.Func(string(rune('a'+i)), false)
		a.Emit(0xb7, 0, 0, 0, 1)
		if i < n-1 {
			a.Call(string(rune('a' + i + 1)))
		}
		a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
	}
	return a.Program("p")
}

// TestFrames calls through as many functions as kernels allow, and one more.
// Linux 6.19.14, 7.0.13 and 7.1.13 refused a chain of 9 functions, and 7.3.4 one
// of 17, with these words.
func TestFrames(t *testing.T) {
	for _, c := range []struct {
		kernel  string
		n       int
		message string
	}{
		{"linux-6.19", 8, ""},
		{"linux-6.19", 9, "the call stack of 9 frames is too deep"},
		{"linux-7.0", 9, "the call stack of 9 frames is too deep"},
		{"linux-7.3", 16, ""},
		{"linux-7.3", 17, "the call stack of 17 frames is too deep"},
	} {
		s, err := Lookup(c.kernel)
		if err != nil {
			t.Fatal(err)
		}
		v, err := s.Judge(chainOf(c.n))
		if err != nil || v.Message != c.message || v.Message != "" && v.Errno != "E2BIG" {
			t.Errorf("%s: %d functions: %+v %v, want %q", c.kernel, c.n, v, err, c.message)
		}
	}
}

// TestUnset reads registers that nothing has written, without naming them: Linux
// 7.3.4 refused each with these words.
func TestUnset(t *testing.T) {
	const movX, mov, jeq, atomic = 0xbf, 0xb7, 0x15, 0xdb
	for _, c := range []struct {
		name    string
		make    func(a *progen.Asm)
		message string
		pc      bytecode.PC
	}{
		{"exit", func(*progen.Asm) {}, "R0 !read_ok", 0},
		{"exit on one path", func(a *progen.Asm) {
			a.If(jeq, 1, 0, 0, "out")
			a.Emit(mov, 0, 0, 0, 0)
			a.Label("out")
		}, "R0 !read_ok", 2},
		{"packet load", func(a *progen.Asm) { a.Emit(0x20, 0, 0, 0, 0) }, "R6 !read_ok", 0},
		{"packet load at a register", func(a *progen.Asm) {
			a.Emit(movX, 6, 1, 0, 0)
			a.Emit(0x40, 0, 3, 0, 0)
		}, "R3 !read_ok", 1},
		{"cmpxchg", func(a *progen.Asm) {
			a.Emit(mov, 2, 0, 0, 0)
			a.Emit(0x7b, 10, 2, -8, 0)
			a.Emit(atomic, 10, 2, -8, 0xf1)
		}, "R0 !read_ok", 2},
		{"atomic add", func(a *progen.Asm) {
			a.Emit(0x7a, 10, 0, -8, 0)
			a.Emit(atomic, 10, 3, -8, 0)
			a.Emit(mov, 0, 0, 0, 0)
		}, "R3 !read_ok", 1},
	} {
		var a progen.Asm
		c.make(&a)
		a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
		p := a.Program("p")
		p.Type = "socket_filter"
		v, err := Linux73().Judge(p)
		if err != nil || v.Message != c.message || v.PC != c.pc || v.Errno != "EACCES" {
			t.Errorf("%s: %+v %v, want %q at %d", c.name, v, err, c.message, c.pc)
		}
	}
}

// TestGlobalArguments calls a global function with arguments of other types than it has, or with none.
// Linux 6.12.117, 6.18.15, 7.1.13 and 7.3.4 refused and accepted these as it says, and 6.1.176 (user-mode, without
// types of its own) but for null in place of the context: of what must be the context nothing is said there.
func TestGlobalArguments(t *testing.T) {
	const movX, mov = 0xbf, 0xb7
	const unset = "variable ? access var_off=(0x0; 0xffffffffffffffff) disallowed"
	five := func(a *progen.Asm) { a.Emit(mov, 1, 0, 0, 5) }
	null := func(a *progen.Asm) { a.Emit(mov, 1, 0, 0, 0) }
	stack := func(a *progen.Asm) {
		a.Emit(0x7a, 10, 0, -8, 0)
		a.Emit(movX, 1, 10, 0, 0)
		a.Emit(0x07, 1, 0, 0, -8)
	}
	clobber := func(a *progen.Asm) { a.Helper(5) }
	context := func(*progen.Asm) {}
	for _, c := range []struct {
		name   string
		args   []string
		before func(a *progen.Asm)
		lead   string // empty if the call is accepted
		errno  string
	}{
		{"a number", []string{"scalar"}, five, "", ""},
		{"no number", []string{"scalar"}, clobber, "R1 is not a scalar", "EINVAL"},
		{"the stack for a number", []string{"scalar"}, stack, "R1 is not a scalar", "EINVAL"},
		{"the context for a number", []string{"scalar"}, context, "R1 is not a scalar", "EINVAL"},
		{"no second number", []string{"scalar", "scalar"}, five, "R2 is not a scalar", "EINVAL"},
		{"the context", []string{"ctx"}, context, "", ""},
		{"null for the context", []string{"ctx"}, null, "R1 expects pointer to ctx", "EINVAL"},
		{"the stack for the context", []string{"ctx"}, stack, "R1 expects pointer to ctx", "EINVAL"},
		{"no context", []string{"ctx"}, clobber, unset, "EACCES"},
		{"memory", []string{"mem:8"}, stack, "", ""},
		{"null for memory", []string{"mem:8"}, null, "", ""},
		{"a number for memory", []string{"mem:8"}, five, "R1 type=scalar expected=fp", "EINVAL"},
		{"the context for memory", []string{"mem:8"}, context, "R1 type=ctx expected=fp", "EINVAL"},
		{"no memory", []string{"mem:8"}, clobber, unset, "EACCES"},
		{"on one path", []string{"scalar", "scalar"}, func(a *progen.Asm) {
			a.Emit(0x61, 1, 1, 0, 0)
			a.If(0x15, 1, 0, 0, "call")
			a.Emit(mov, 2, 0, 0, 0)
			a.Label("call")
		}, "R2 is not a scalar", "EINVAL"},
	} {
		var a progen.Asm
		a.Func("main", false)
		c.before(&a)
		a.Call("g")
		a.Emit(mov, 0, 0, 0, 0)
		a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
		a.Func("g", true, c.args...)
		a.Emit(mov, 0, 0, 0, 0)
		a.Emit(bytecode.CodeExit, 0, 0, 0, 0)
		p := a.Program("p")
		p.Type = "socket_filter"
		p.Subprogs[1].Params = len(c.args)
		for _, version := range []kernel.Version{6001, 6012, 7003} {
			want := ""
			switch {
			case c.lead == "":
			case version < 6008:
				want = "Caller passes invalid args into func#1"
			default:
				want = "Caller passes invalid args into func#1 ('g')"
			}
			lead, errno := c.lead, c.errno
			if version < 6008 && strings.Contains(lead, "pointer to ctx") {
				want, lead, errno = "", "", ""
			}
			if version < 7003 {
				lead = strings.Replace(lead, "R1 expects", "arg#0 expects", 1)
			}
			v, err := Of(kernel.Of(version)).Judge(p)
			if err != nil || v.Message != want || v.Lead != lead || v.Errno != errno || v.Accept != (want == "") {
				t.Errorf("%s, %d: %+v %v, want %q, %q, %s", c.name, version, v, err, lead, want, errno)
			}
		}
	}
}

// TestExceptionTags has the words of a selftest that kernels refuse (exceptions_fail.c,
// reject_multiple_exception_cb), of kernels that have exceptions.
func TestExceptionTags(t *testing.T) {
	const words = "multiple exception callback tags for main subprog"
	for n, accept := range []bool{true, true, false} {
		p := chainOf(1)
		p.ExceptionTags = n
		if v := Linux73().Static(p); v.Accept != accept || !accept && (v.Message != words || v.Errno != "EEXIST") {
			t.Errorf("%d tags: %+v", n, v)
		}
		if old, err := Lookup("linux-6.6"); err != nil || !old.Static(p).Accept {
			t.Errorf("%d tags: linux-6.6 has no exceptions: %v", n, err)
		}
	}
}
