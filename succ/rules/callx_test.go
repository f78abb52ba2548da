package rules_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
	"github.com/bpfcfg/bpfcfg/succ/rules"
)

// Opcodes and helpers of the programs below.
const (
	movImm, movReg, addImm, addReg = 0xb7, 0xbf, 0x07, 0x0f
	andImm, mulImm, subReg         = 0x57, 0x27, 0x1f
	jeqImm, jneImm, jneReg         = 0x15, 0x55, 0x5d
	load8, load1, store8, store4   = 0x79, 0x71, 0x7b, 0x63

	lookup, randomNumber, spinLock, spinUnlock = 1, 7, 93, 94
)

// callxAsm adds what the programs have in common to the assembler.
type callxAsm struct{ progen.Asm }

func (a *callxAsm) mov(r bytecode.Reg, v int32)          { a.Emit(movImm, r, 0, 0, v) }
func (a *callxAsm) copy(to, from bytecode.Reg)           { a.Emit(movReg, to, from, 0, 0) }
func (a *callxAsm) add(r bytecode.Reg, v int32)          { a.Emit(addImm, r, 0, 0, v) }
func (a *callxAsm) callx(r bytecode.Reg)                 { a.Emit(bytecode.CodeCallx, r, 0, 0, 0) }
func (a *callxAsm) exit()                                { a.Emit(bytecode.CodeExit, 0, 0, 0, 0) }
func (a *callxAsm) spill(off int16, from bytecode.Reg)   { a.Emit(store8, 10, from, off, 0) }
func (a *callxAsm) unspill(to bytecode.Reg, off int16)   { a.Emit(load8, to, 10, off, 0) }
func (a *callxAsm) static(name string, body func())      { a.Func(name, false); body(); a.exit() }
func (a *callxAsm) stack(off int16)                      { a.mov(0, 0); a.spill(off, 0) }
func (a *callxAsm) adder(name string, n int32)           { a.static(name, func() { a.copy(0, 1); a.add(0, n) }) }
func (a *callxAsm) frame(name string, depth int16)       { a.static(name, func() { a.stack(-depth) }) }
func (a *callxAsm) callOf(r bytecode.Reg, callee string) { a.FuncAddr(r, callee); a.callx(r) }

// locked is what a program does that looks an element up and holds its lock around a
// piece of code.
func (a *callxAsm) locked(body func()) {
	m := a.Map(bytecode.Map{
		Name: "map_lock", Type: bytecode.MapArray, KeySize: 4, ValueSize: 8, MaxEntries: 1,
	})
	a.mov(1, 0)
	a.Emit(store4, 10, 1, -4, 0)
	a.copy(2, 10)
	a.add(2, -4)
	a.MapAddr(1, m)
	a.Helper(lookup)
	a.If(jneImm, 0, 0, 0, "there")
	a.exit()
	a.Label("there")
	a.copy(6, 0)
	a.copy(1, 6)
	a.Helper(spinLock)
	body()
	a.copy(1, 6)
	a.Helper(spinUnlock)
}

// reader is a function that reads a byte of a map's value at the index that its
// argument points to.
func (a *callxAsm) reader(name string) {
	m := a.Map(bytecode.Map{Name: "map_array", Type: bytecode.MapArray, KeySize: 4, ValueSize: 8, MaxEntries: 1})
	a.static(name, func() {
		a.Emit(load8, 6, 1, 0, 0)
		a.mov(1, 0)
		a.Emit(store4, 10, 1, -4, 0)
		a.copy(2, 10)
		a.add(2, -4)
		a.MapAddr(1, m)
		a.Helper(lookup)
		a.If(jeqImm, 0, 0, 0, name+".none")
		a.Emit(addReg, 0, 6, 0, 0)
		a.Emit(load1, 0, 0, 0, 0)
		a.Label(name + ".none")
	})
}

// eitherIndex leaves one of two numbers on the stack.
func (a *callxAsm) eitherIndex(first, second int32) {
	a.Helper(randomNumber)
	a.mov(1, first)
	a.spill(-8, 1)
	a.If(jeqImm, 0, 0, 0, "chosen")
	a.mov(1, second)
	a.spill(-8, 1)
	a.Label("chosen")
}

// beyond begins the messages of rules that are not modelled, on calls under a lock: of
// such a program nothing is said.
const beyond = "not modelled: "

// callxTest is a program by what it is made of: main, with its exit, and the other
// functions after it.
type callxTest struct {
	name string
	want string // the start of Linux's message, "" for none
	main func(a *callxAsm)
	rest func(a *callxAsm)
}

// callxTests has a program of ours for each test of indirect calls in trees after
// Linux 7.3, under the name of that test, and the message that the test expects
// (tools/testing/selftests/bpf/progs/verifier_callx.c).
func callxTests() []callxTest {
	add1 := func(a *callxAsm) { a.adder("add1", 1) }
	add2 := func(a *callxAsm) { a.adder("add2", 2) }
	both := func(a *callxAsm) { add1(a); add2(a) }
	apply := func(a *callxAsm) {
		a.static("apply", func() { a.copy(3, 1); a.copy(1, 2); a.callx(3) })
	}
	basic := func(a *callxAsm) { a.mov(1, 5); a.callOf(2, "add1"); a.exit() }
	reserved := func(src bytecode.Reg, off int16, imm int32) func(a *callxAsm) {
		return func(a *callxAsm) {
			a.mov(1, 5)
			a.FuncAddr(2, "add1")
			a.Emit(bytecode.CodeCallx, 2, src, off, imm)
			a.exit()
		}
	}
	deep := func(a *callxAsm) {
		a.frame("use_stack_480_0", 480)
		for i := range 3 {
			a.static(fmt.Sprintf("use_stack_480_%d", i+1), func() {
				a.stack(-480)
				a.Call(fmt.Sprintf("use_stack_480_%d", i))
			})
		}
	}
	readsOf := func(first int32, after bool) func(a *callxAsm) {
		return func(a *callxAsm) {
			a.eitherIndex(first, 0)
			a.copy(1, 10)
			a.add(1, -8)
			a.callOf(2, "read_idx")
			if after {
				a.mov(0, 0)
			}
			a.exit()
		}
	}
	reader := func(a *callxAsm) { a.reader("read_idx") }
	compareAddresses := func(called, other string) func(a *callxAsm) {
		return func(a *callxAsm) {
			a.FuncAddr(6, called)
			a.FuncAddr(7, other)
			a.mov(1, 5)
			a.callx(6)
			a.If(jneReg, 7, 6, 0, "differ")
			a.mov(0, 0)
			a.Label("differ")
			a.exit()
		}
	}
	table := func(a *callxAsm) int {
		return a.Map(bytecode.Map{Name: "vals", Type: bytecode.MapArray, KeySize: 4, ValueSize: 32, MaxEntries: 1})
	}
	return []callxTest{
		{"callx_basic", "", basic, add1},
		{"callx_disasm", "", basic, add1},
		{"callx_two_callees", "", func(a *callxAsm) {
			a.Helper(randomNumber)
			a.copy(6, 0)
			a.Emit(andImm, 6, 0, 0, 1)
			a.FuncAddr(2, "add1")
			a.If(jeqImm, 6, 0, 0, "first")
			a.FuncAddr(2, "add2")
			a.Label("first")
			a.mov(1, 10)
			a.callx(2)
			a.Emit(subReg, 0, 6, 0, 0)
			a.exit()
		}, both},
		{"callx_fn_as_arg", "", func(a *callxAsm) {
			a.FuncAddr(1, "add2")
			a.mov(2, 40)
			a.Call("apply")
			a.copy(6, 0)
			a.FuncAddr(1, "add1")
			a.mov(2, 2)
			a.Call("apply")
			a.Emit(addReg, 0, 6, 0, 0)
			a.exit()
		}, func(a *callxAsm) { both(a); apply(a) }},
		{"callx_r0", "", func(a *callxAsm) {
			a.Call("get_add1")
			a.mov(1, 1)
			a.callx(0)
			a.exit()
		}, func(a *callxAsm) { add1(a); a.static("get_add1", func() { a.FuncAddr(0, "add1") }) }},
		{"callx_spill_fill", "", func(a *callxAsm) {
			a.FuncAddr(2, "add2")
			a.spill(-8, 2)
			a.Helper(randomNumber)
			a.mov(1, 7)
			a.unspill(9, -8)
			a.callx(9)
			a.exit()
		}, add2},
		{"callx_callee_saved_regs", "", func(a *callxAsm) {
			for r := bytecode.R6; r <= bytecode.R9; r++ {
				a.mov(r, int32(r))
			}
			a.mov(1, 1)
			a.callOf(2, "clobber_callee_saved")
			for r := bytecode.R6; r <= bytecode.R9; r++ {
				a.Emit(addReg, 0, r, 0, 0)
			}
			a.exit()
		}, func(a *callxAsm) {
			a.static("clobber_callee_saved", func() {
				for r := bytecode.R6; r <= bytecode.R9; r++ {
					a.mov(r, 100)
				}
				a.copy(0, 1)
			})
		}},
		{"callx_scratches_args", "R1 !read_ok", func(a *callxAsm) {
			a.mov(1, 5)
			a.callOf(2, "add1")
			a.copy(0, 1)
			a.exit()
		}, add1},
		{"callx_retval_is_tracked", "", basic, add1},
		{"callx_callee_writes_caller_stack", "", func(a *callxAsm) {
			a.mov(1, 0)
			a.spill(-8, 1)
			a.copy(1, 10)
			a.add(1, -8)
			a.callOf(2, "write42")
			a.unspill(0, -8)
			a.exit()
		}, func(a *callxAsm) {
			a.static("write42", func() { a.mov(2, 42); a.Emit(store8, 1, 2, 0, 0); a.mov(0, 0) })
		}},
		{"callx_scalar", "R1 has type scalar, expected func", func(a *callxAsm) {
			a.mov(1, 0)
			a.callx(1)
			a.exit()
		}, nil},
		{"callx_uninit_reg", "R2 !read_ok", func(a *callxAsm) { a.callx(2); a.exit() }, nil},
		{"callx_fp", "R10 has type fp, expected func", func(a *callxAsm) { a.callx(10); a.exit() }, nil},
		{"callx_map_value", "R1 has type map_value, expected func", func(a *callxAsm) {
			m := a.Map(bytecode.Map{Name: "map_array", Type: bytecode.MapArray, KeySize: 4, ValueSize: 8, MaxEntries: 1})
			a.MapAddr(1, m)
			a.copy(2, 10)
			a.add(2, -4)
			a.mov(3, 0)
			a.Emit(store4, 2, 3, 0, 0)
			a.Helper(lookup)
			a.If(jeqImm, 0, 0, 0, "none")
			a.copy(1, 0)
			a.callx(1)
			a.Label("none")
			a.mov(0, 0)
			a.exit()
		}, nil},
		{"callx_modified_ptr", "dereference of modified func ptr R2 off=8 disallowed", func(a *callxAsm) {
			a.mov(1, 5)
			a.FuncAddr(2, "add1")
			a.add(2, 8)
			a.callx(2)
			a.exit()
		}, add1},
		{"callx_variable_ptr", "variable func access var_off=", func(a *callxAsm) {
			a.Helper(randomNumber)
			a.Emit(andImm, 0, 0, 0, 8)
			a.FuncAddr(2, "add1")
			a.Emit(addReg, 2, 0, 0, 0)
			a.mov(1, 5)
			a.callx(2)
			a.exit()
		}, add1},
		{"callx_global_func", "callback function not static", func(a *callxAsm) {
			a.mov(1, 5)
			a.callOf(2, "global_add3")
			a.exit()
		}, func(a *callxAsm) { a.Func("global_add3", true); a.copy(0, 1); a.add(0, 3); a.exit() }},
		{"callx_reserved_field_src_reg", "BPF_CALL|BPF_X uses reserved fields", reserved(1, 0, 0), add1},
		{"callx_reserved_field_off", "BPF_CALL|BPF_X uses reserved fields", reserved(0, 1, 0), add1},
		{"callx_reserved_field_imm", "BPF_CALL|BPF_X uses reserved fields", reserved(0, 0, 1), add1},
		{"callx_jmp32", "unknown opcode 8e", func(a *callxAsm) {
			a.mov(1, 5)
			a.FuncAddr(2, "add1")
			a.Emit(0x8e, 2, 0, 0, 0)
			a.exit()
		}, add1},
		{"callx_under_lock", "", func(a *callxAsm) {
			a.locked(func() { a.mov(1, 1); a.callOf(2, "add2"); a.copy(7, 0) })
			a.copy(0, 7)
			a.exit()
		}, add2},
		{"callx_helper_under_lock", beyond + "function calls are not allowed while holding a lock", func(a *callxAsm) {
			a.locked(func() { a.callOf(2, "call_helper") })
			a.mov(0, 0)
			a.exit()
		}, func(a *callxAsm) { a.static("call_helper", func() { a.Helper(randomNumber) }) }},
		{"callx_unbounded_recursion", "the call stack of 17 frames is too deep", func(a *callxAsm) {
			a.FuncAddr(1, "self")
			a.Call("self")
			a.exit()
		}, func(a *callxAsm) { a.static("self", func() { a.callx(1) }) }},
		{"callx_bounded_recursion", "recursive call from countdown() to countdown()", func(a *callxAsm) {
			a.FuncAddr(1, "countdown")
			a.mov(2, 2)
			a.Call("countdown")
			a.exit()
		}, func(a *callxAsm) {
			a.static("countdown", func() {
				a.mov(0, 0)
				a.If(jeqImm, 2, 0, 0, "done")
				a.add(2, -1)
				a.callx(1)
				a.Label("done")
			})
		}},
		{"callx_mutual_recursion", "recursive call from", func(a *callxAsm) {
			a.FuncAddr(1, "ping")
			a.FuncAddr(2, "pong")
			a.mov(3, 3)
			a.Call("ping")
			a.exit()
		}, func(a *callxAsm) {
			for _, name := range []string{"ping", "pong"} {
				a.static(name, func() {
					a.mov(0, 0)
					a.If(jeqImm, 3, 0, 0, name+".done")
					a.add(3, -1)
					a.copy(4, 1)
					a.copy(1, 2)
					a.copy(2, 4)
					a.callx(1)
					a.Label(name + ".done")
				})
			}
		}},
		{"callx_stack_depth", "combined stack size of ", func(a *callxAsm) {
			a.stack(-480)
			a.callOf(2, "use_stack_480_3")
			a.exit()
		}, deep},
		{"callx_stack_depth_nested", "combined stack size of ", func(a *callxAsm) {
			a.FuncAddr(1, "use_stack_480_3")
			a.Call("apply_stack_304")
			a.exit()
		}, func(a *callxAsm) {
			deep(a)
			a.static("apply_stack_304", func() { a.stack(-304); a.callx(1) })
		}},
		{"callx_stack_depth_ok", "", func(a *callxAsm) {
			a.stack(-200)
			a.callOf(2, "use_stack_304")
			a.exit()
		}, func(a *callxAsm) { a.frame("use_stack_304", 304) }},
		{"callx_tail_call_in_callee", "tail_calls are not allowed in functions called via callx", func(a *callxAsm) {
			a.callOf(2, "do_tail_call")
			a.exit()
		}, func(a *callxAsm) { a.static("do_tail_call", func() { a.tailCall() }) }},
		{"callx_tail_call_in_caller", "", func(a *callxAsm) {
			a.copy(6, 1)
			a.mov(1, 2)
			a.callOf(2, "add1")
			a.copy(7, 0)
			a.copy(1, 6)
			a.tailCall()
			a.copy(0, 7)
			a.exit()
		}, add1},
		{"callx_callee_reads_caller_stack", "invalid access to map value, value_size=8 off=1000 size=1",
			readsOf(1000, true), reader},
		{"callx_callee_reads_caller_stack_ok", "", readsOf(7, false), reader},
		{"callx_callee_reads_caller_stack_nested", "invalid access to map value, value_size=8 off=1000 size=1",
			func(a *callxAsm) {
				a.eitherIndex(1000, 0)
				a.FuncAddr(1, "read_idx")
				a.copy(2, 10)
				a.add(2, -8)
				a.Call("apply")
				a.mov(0, 0)
				a.exit()
			}, func(a *callxAsm) { reader(a); apply(a) }},
		{"callx_clobbers_const_regs", "", func(a *callxAsm) {
			a.mov(0, 0)
			a.mov(1, 0)
			a.callOf(2, "add1")
			a.If(jeqImm, 0, 0, 0, "zero")
			a.mov(0, 1)
			a.exit()
			a.Label("zero")
			a.mov(0, 2)
			a.exit()
		}, add1},
		{"callx_precision", "", func(a *callxAsm) {
			a.FuncAddr(2, "identity")
			a.mov(6, 3)
			a.copy(1, 6)
			a.callx(2)
			a.Emit(mulImm, 0, 0, 0, 8)
			a.MapValue(1, table(a), 0)
			a.Emit(addReg, 1, 0, 0, 0)
			a.Emit(load8, 0, 1, 0, 0)
			a.exit()
		}, func(a *callxAsm) { a.static("identity", func() { a.copy(0, 1) }) }},
		{"callx_addr_of_dead_func", "", compareAddresses("add1", "add2"), both},
		{"callx_addr_of_dead_func_first", "", compareAddresses("add2", "add1"), both},
		{"call_addr_of_dead_func", "", func(a *callxAsm) {
			a.mov(1, 5)
			a.Call("add1")
			a.FuncAddr(7, "add2")
			a.exit()
		}, both},
	}
}

// tailCall is a tail call whose array may have no program.
func (a *callxAsm) tailCall() {
	m := a.Map(bytecode.Map{Name: "map_prog", Type: bytecode.MapProgArray, KeySize: 4, ValueSize: 4, MaxEntries: 1})
	a.MapAddr(2, m)
	a.mov(3, 0)
	a.Helper(bytecode.HelperTailCall)
	a.mov(0, 0)
}

// program assembles the test's program.
func (c *callxTest) program() *bytecode.Program {
	a := &callxAsm{}
	a.Func(c.name, false)
	c.main(a)
	if c.rest != nil {
		c.rest(a)
	}
	p := a.Program(c.name)
	p.Type = "socket_filter"
	return p
}

// TestCallxSuite judges each program of callxTests under linux-next, and under Linux
// 7.3, which knows no indirect calls.
func TestCallxSuite(t *testing.T) {
	next, err := rules.Lookup("linux-next")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range callxTests() {
		t.Run(c.name, func(t *testing.T) {
			p := c.program()
			v, err := next.Judge(p)
			if err != nil {
				t.Fatal(err)
			}
			want := c.want
			if strings.HasPrefix(want, beyond) {
				want = ""
			}
			if v.Accept != (want == "") || !strings.HasPrefix(v.Message, want) && !strings.HasPrefix(v.Lead, want) {
				t.Errorf("%+v, want %q", v, c.want)
			}
			today, err := mustLookup(t, "linux-7.3").Judge(p)
			if strings.HasPrefix(c.name, "callx") && (err != nil || !strings.HasPrefix(today.Message, "unknown opcode 8")) {
				t.Errorf("Linux 7.3 says %+v, %v", today, err)
			}
		})
	}
}

// TestCallxTableDepth is callx_stack_depth with the callee in a constant table: a
// reference to the table counts as a call of its functions.
func TestCallxTableDepth(t *testing.T) {
	for _, c := range []struct {
		depth int16
		want  string
	}{{304, ""}, {480, "combined stack size of 2 calls is 960. Too large"}} {
		a := &callxAsm{}
		a.Func("main", false)
		m := a.Map(bytecode.Map{
			Name: ".rodata", Type: bytecode.MapArray, KeySize: 4, ValueSize: 8, MaxEntries: 1, ReadOnly: true, Value: make([]byte, 8),
		})
		a.stack(-c.depth + 104)
		if c.want != "" {
			a.stack(-c.depth)
		}
		a.MapValue(2, m, 0)
		a.Emit(load8, 2, 2, 0, 0)
		a.callx(2)
		a.exit()
		a.frame("callee", c.depth)
		p := a.Program("main")
		p.Maps[m].Code = []bytecode.CodePointer{{Target: p.Subprogs[1].Start, Func: true}}
		v, err := mustLookup(t, "linux-next").Judge(p)
		if err != nil || v.Message != c.want {
			t.Errorf("%d bytes: %+v, %v; want %q", c.depth, v, err, c.want)
		}
	}
}

// TestFunctionAddress states what kernels say of arithmetic on the address of a
// function: they allow it until the address is used as one (kernel/bpf/verifier.c
// adjust_ptr_min_max_vals and __check_ptr_off_reg, Linux 7.3).
func TestFunctionAddress(t *testing.T) {
	const loop = 181 // bpf_loop
	for _, c := range []struct {
		name, want string
		code       uint8
		imm        int32
		use        bool
	}{
		{"never used", "", addImm, 8, false},
		{"moved", "dereference of modified func ptr R2 off=8 disallowed", addImm, 8, true},
		{"moved down", "negative offset func ptr R2 off=-8 disallowed", addImm, -8, true},
		{"as it was", "", addImm, 0, true},
		{"and", "R2 bitwise operator &= on pointer prohibited", andImm, 8, true},
	} {
		a := &callxAsm{}
		a.Func("main", false)
		a.mov(1, 3)
		a.FuncAddr(2, "callee")
		a.Emit(c.code, 2, 0, 0, c.imm)
		a.mov(3, 0)
		a.mov(4, 0)
		if c.use {
			a.Helper(loop)
		}
		a.mov(0, 0)
		a.exit()
		a.static("callee", func() { a.mov(0, 0) })
		p := a.Program("main")
		for _, kernel := range []string{"linux-6.12", "linux-7.3", "linux-next"} {
			v, err := mustLookup(t, kernel).Judge(p)
			if err != nil || v.Message != c.want {
				t.Errorf("%s: %s: %+v, %v; want %q", c.name, kernel, v, err, c.want)
			}
		}
	}
}

// mustLookup returns the rules of a kernel.
func mustLookup(t *testing.T, name string) rules.Set {
	t.Helper()
	s, err := rules.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
