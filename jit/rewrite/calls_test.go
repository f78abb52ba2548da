package rewrite

import (
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/cilium/ebpf/asm"
)

// mapCallProgram calls a helper with a map in R1, or R2 for a tail call.
func mapCallProgram(m bytecode.Map, reg bytecode.Reg, helper int32) *bytecode.Program {
	p := program(
		bytecode.Insn{Code: bytecode.CodeLdImm64, Dst: reg, Src: bytecode.LdMapFD}, bytecode.Insn{},
		movK(bytecode.R3, 2),
		helperCall(helper),
		exit())
	p.Maps = []bytecode.Map{m}
	p.Refs = []bytecode.Ref{{PC: 0, Kind: bytecode.RefMap}}
	return p
}

// Numbers of slots and what they end with are those of map_gen_lookup in
// kernel/bpf/arraymap.c and kernel/bpf/hashtab.c (Linux 7.3). Array and hash
// lookups are compared with kernels in TestVectors and TestRecords.
func TestLookups(t *testing.T) {
	jit64 := bytecode.Insn{Code: w64 | opMov | byReg, Off: -1}
	for _, c := range []struct {
		name   string
		m      bytecode.Map
		masked bool
		slots  int
		has    bytecode.Insn
	}{
		{"array", bytecode.Map{Type: mapArray, ValueSize: 8, MaxEntries: 4}, false, 7,
			bytecode.Insn{Code: w64 | opLsh, Imm: 3}},
		{"array of odd size", bytecode.Map{Type: mapArray, ValueSize: 20, MaxEntries: 4}, false, 7,
			bytecode.Insn{Code: w64 | opMul, Imm: 24}},
		{"masked array", bytecode.Map{Type: mapArray, ValueSize: 8, MaxEntries: 5}, true, 8,
			bytecode.Insn{Code: w32 | opAnd, Imm: 7}},
		{"per-CPU array", bytecode.Map{Type: mapPercpuArray, ValueSize: 100, MaxEntries: 4}, false, 9, jit64},
		{"masked per-CPU array", bytecode.Map{Type: mapPercpuArray, ValueSize: 100, MaxEntries: 4}, true, 10,
			bytecode.Insn{Code: w32 | opAnd, Imm: 3}},
		{"array of maps", bytecode.Map{Type: mapArrayOfMaps, ValueSize: 4, MaxEntries: 4}, false, 9,
			bytecode.Insn{Code: j64 | jeq, Off: 1}},
		{"masked array of maps", bytecode.Map{Type: mapArrayOfMaps, ValueSize: 4, MaxEntries: 1}, true, 10,
			bytecode.Insn{Code: w32 | opAnd, Imm: 0}},
		{"hash", bytecode.Map{Type: mapHash, KeySize: 5, ValueSize: 8}, false, 3,
			bytecode.Insn{Code: w64 | opAdd, Imm: 56}},
		{"LRU hash", bytecode.Map{Type: mapLruHash, KeySize: 8, ValueSize: 8}, false, 6,
			bytecode.Insn{Code: w64 | opAdd, Imm: 56}},
		{"per-CPU hash", bytecode.Map{Type: mapPercpuHash, KeySize: 9, ValueSize: 8}, false, 5, jit64},
		{"hash of maps", bytecode.Map{Type: mapHashOfMaps, KeySize: 4, ValueSize: 4}, false, 4,
			bytecode.Insn{Code: ldxD}},
		{"inner map", bytecode.Map{Type: mapArray, ValueSize: 8, MaxEntries: 4, Flags: innerMap}, false, 1,
			bytecode.Insn{Code: bytecode.CodeCall}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := mapCallProgram(c.m, bytecode.R1, int32(asm.FnMapLookupElem))
			res := predict(t, p, known(p, CallFact{PC: 3, Certain: true, Key: -1, Callback: -1}),
				Options{NoCapPerfmon: c.masked})
			got := res.Program.Insns[3 : len(res.Program.Insns)-1]
			if len(got) != c.slots {
				t.Errorf("%d slots, want %d: %v", len(got), c.slots, got)
			}
			// A plain call keeps the helper's number beside its reference.
			found := slices.ContainsFunc(got, func(in bytecode.Insn) bool {
				if in.Code == bytecode.CodeCall {
					in.Imm = 0
				}
				return in == c.has
			})
			if !found {
				t.Errorf("%v is not in %v", c.has, got)
			}
			for i, in := range got {
				if to := i + 1 + int(in.Off); isCondJump(in) && (to < i || to > len(got)) {
					t.Errorf("jump out of the patch: %v", in)
				}
			}
		})
	}
}

func TestMapUnknown(t *testing.T) {
	p := mapCallProgram(bytecode.Map{Type: mapHash}, bytecode.R1, int32(asm.FnMapLookupElem))
	p.Insns[0], p.Insns[1] = movK(1, 0), movK(2, 0)
	p.Refs = nil
	// No fact names the map: the verifier may know it or not.
	if res := predict(t, p, known(p), Options{}); !slices.Equal(res.Unpredicted, []bytecode.PC{3}) {
		t.Errorf("unpredicted %v", res.Unpredicted)
	}
	// It is known that there is none: the helper is called.
	f := known(p, CallFact{PC: 3, Certain: true, Map: NoMap})
	res := predict(t, p, f, Options{})
	if len(res.Unpredicted) != 0 || res.Program.Refs[0].Name != "bpf_map_lookup_elem" {
		t.Errorf("unpredicted %v, references %+v", res.Unpredicted, res.Program.Refs)
	}
	// It is known which.
	f.Calls[0].Map = 0
	if res := predict(t, p, f, Options{}); res.Program.Refs[0].Name != "__htab_map_lookup_elem" {
		t.Errorf("references %+v", res.Program.Refs)
	}
}

// Direct and indirect tail calls: kernel/bpf/fixups.c bpf_do_misc_fixups.
func TestTailCalls(t *testing.T) {
	progs := bytecode.Map{Type: 3, MaxEntries: 3}
	fixed := mapCallProgram(progs, bytecode.R2, bytecode.HelperTailCall)
	beyond := mapCallProgram(bytecode.Map{Type: 3, MaxEntries: 2}, bytecode.R2, bytecode.HelperTailCall)
	unsized := mapCallProgram(bytecode.Map{Type: 3}, bytecode.R2, bytecode.HelperTailCall)
	unknown := mapCallProgram(progs, bytecode.R2, bytecode.HelperTailCall)
	unknown.Insns[2] = bytecode.Insn{Code: w64 | opMov | byReg, Dst: 3, Src: 1}
	key := func(p *bytecode.Program, k int64) Facts {
		return known(p, CallFact{PC: 3, Certain: true, Map: 0, Key: k})
	}
	direct := []bytecode.Insn{{Code: bytecode.CodeTailCall, Imm: 1}}
	indirect := []bytecode.Insn{{Code: bytecode.CodeTailCall}}
	for _, c := range []struct {
		name   string
		p      *bytecode.Program
		f      Facts
		opt    Options
		want   []bytecode.Insn
		unsure bool
	}{
		{"direct", fixed, key(fixed, 2), Options{}, direct, false},
		{"beyond the map", beyond, key(beyond, 2), Options{}, indirect, false},
		{"a map whose loader says its size", unsized, key(unsized, 2), Options{}, indirect, true},
		{"unknown index", unknown, known(unknown), Options{}, indirect, true},
		{"different indices", unknown, key(unknown, -1), Options{}, indirect, false},
		{"without CAP_PERFMON", fixed, key(fixed, 2), Options{NoCapPerfmon: true}, []bytecode.Insn{
			{Code: j64 | jge, Dst: 3, Off: 2, Imm: 3}, {Code: w32 | opAnd, Dst: 3, Imm: 3}, {Code: bytecode.CodeTailCall},
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			res := predict(t, c.p, c.f, c.opt)
			if got := res.Program.Insns[3 : len(res.Program.Insns)-1]; !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
			if got := len(res.Unpredicted) > 0; got != c.unsure {
				t.Errorf("unpredicted %v", res.Unpredicted)
			}
			if got := len(res.Program.TailCalls) == 1; got != (c.name == "direct") {
				t.Errorf("direct tail calls %+v", res.Program.TailCalls)
			}
			if !res.Program.Funcs[0].TailCallReachable {
				t.Error("function 0 does not reach its tail call")
			}
		})
	}
	res := predict(t, fixed, key(fixed, 2), Options{Blind: true})
	if i := slices.IndexFunc(res.Program.Insns,
		func(in bytecode.Insn) bool { return in.Code == bytecode.CodeTailCall }); i < 0 ||
		res.Program.Insns[i].Imm != 0 || len(res.Program.TailCalls) != 0 {
		t.Errorf("a blinded tail call is direct: %v", res.Program.Insns)
	}
}

// A function gets a private stack from 49 bytes on (kernel/bpf/verifier.c
// check_max_stack_depth_subprog), in a program without tail calls.
func TestPrivateStack(t *testing.T) {
	for _, c := range []struct {
		progType string
		depth    int
		helper   int32
		want     bool
	}{
		{"kprobe", 48, 5, false},
		{"kprobe", 49, 5, true},
		{"kprobe", 49, bytecode.HelperTailCall, false},
		{"syscall", 512, 5, false},
		{"struct_ops", 512, 5, false},
	} {
		p := mapCallProgram(bytecode.Map{Type: 3, MaxEntries: 3}, bytecode.R2, c.helper)
		p.Type = c.progType
		f := known(p, CallFact{PC: 3, Certain: true, Map: 0, Key: 0})
		f.Stack[0].Depth = c.depth
		res := predict(t, p, f, Options{})
		if got := res.Program.Funcs[0].PrivateStack; got != c.want {
			t.Errorf("%+v: private stack %v", c, got)
		}
	}
}

// The address of a private stack is loaded by 7 bytes, 49 c7 c1 and a number, or by
// 10, 49 b9 and one: 7.3.4 in QEMU has used both, for programs loaded one after the
// other. Only the profile determines which, and before 6.10 there was one form.
func TestPrivateStackForm(t *testing.T) {
	p := mapCallProgram(bytecode.Map{Type: 3, MaxEntries: 3}, bytecode.R2, 5)
	p.Type = "kprobe"
	f := known(p, CallFact{PC: 3, Certain: true, Map: 0, Key: 0})
	f.Stack[0] = StackFact{Depth: 64, Certain: true}
	for profile, want := range map[string]string{
		"linux-7.3+nearstack": "49c7c1", "linux-7.3+farstack": "49b9", "linux-7.3": "", "linux-7.3+farstack-farstack": "",
	} {
		prof, err := jit.LookupProfile(profile)
		if err != nil {
			t.Fatal(err)
		}
		res, err := Predict(p, f, prof, Options{})
		if err != nil {
			t.Fatal(err)
		}
		marked := len(res.Unpredicted) > 0 && res.Unpredicted[0] == 0
		if marked != (want == "") {
			t.Errorf("%s: unpredicted %v", profile, res.Unpredicted)
		}
		img, err := jit.Compile(res.Program, prof)
		if err != nil {
			t.Fatal(err)
		}
		if code := hex.EncodeToString(img.Code[:40]); !strings.Contains(code, want) {
			t.Errorf("%s: %s without %s", profile, code, want)
		}
	}
}

// What kernels make of a helper differs: the first slots of its place as the dumps of
// 6.12.117, 6.19.14 and 7.3.4 have them, empty where no kernel at hand tells.
func TestHelperByKernel(t *testing.T) {
	const getFuncArg, getCPU = 183, 8
	and := bytecode.Insn{Code: w64 | opAnd, Imm: 255}
	bound := bytecode.Insn{Code: j32 | jge | byReg, Dst: 2, Off: 6}
	perCPU := bytecode.Insn{Code: w64 | opMov | byReg, Off: -1}
	for _, c := range []struct {
		helper  int32
		profile string
		want    []bytecode.Insn
	}{
		{getFuncArg, "linux-6.19", []bytecode.Insn{{Code: ldxD, Src: 1, Off: -8}, bound}},
		{getFuncArg, "linux-7.3", []bytecode.Insn{{Code: ldxD, Src: 1, Off: -8}, and, bound}},
		{getFuncArg, "linux-7.1", nil},
		{getCPU, "linux-6.12", []bytecode.Insn{{Code: w32 | opMov}, perCPU}},
		{getCPU, "linux-6.19", []bytecode.Insn{{Code: w64 | opMov}, perCPU}},
		{getCPU, "linux-7.3", []bytecode.Insn{{Code: w64 | opMov}, perCPU}},
	} {
		prof, err := jit.LookupProfile(c.profile)
		if err != nil {
			t.Fatal(err)
		}
		p := program(movK(bytecode.R2, 0), movK(bytecode.R3, 0), helperCall(c.helper), exit())
		p.Type, p.AttachType = "tracing", traceFexit
		f := known(p)
		f.Stack[0] = StackFact{Certain: true}
		res, err := Predict(p, f, prof, Options{})
		if err != nil {
			t.Fatal(err)
		}
		switch got := res.Program.Insns[2:]; {
		case c.want == nil && !slices.Contains(res.Unpredicted, 2):
			t.Errorf("helper %d on %s is not marked: %v", c.helper, c.profile, got)
		case c.want != nil && (len(res.Unpredicted) > 0 || !slices.Equal(got[:len(c.want)], c.want)):
			t.Errorf("helper %d on %s: %v, want %v; unpredicted %v", c.helper, c.profile, got, c.want, res.Unpredicted)
		}
	}
}

// Without CAP_BPF, dead code becomes jumps to itself (sanitize_dead_code), and
// nothing is removed.
func TestUnprivileged(t *testing.T) {
	p := program(
		bytecode.Insn{Code: bytecode.CodeGoto},
		bytecode.Insn{Code: j64 | jeq, Off: 2},
		bytecode.Insn{Code: bytecode.CodeLdImm64, Dst: 1}, bytecode.Insn{},
		exit())
	f := known(p)
	f.Seen = truths(true, true, false, false, true)
	res := predict(t, p, f, Options{NoCapBPF: true})
	trap := bytecode.Insn{Code: bytecode.CodeGoto, Off: -1}
	want := []bytecode.Insn{p.Insns[0], p.Insns[1], trap, trap, exit()}
	if !slices.Equal(res.Program.Insns, want) {
		t.Errorf("got %v, want %v", res.Program.Insns, want)
	}
}

// Blinding with known numbers (kernel/bpf/core.c bpf_jit_blind_insn).
func TestBlind(t *testing.T) {
	p := program(
		movK(0, 0),
		bytecode.Insn{Code: w32 | opAdd, Imm: 3},
		bytecode.Insn{Code: w64 | opLsh, Imm: 3},
		bytecode.Insn{Code: bytecode.CodeLdImm64, Dst: 1, Imm: 1}, bytecode.Insn{Imm: 2},
		bytecode.Insn{Code: j32 | jeq, Off: -6, Imm: 7},
		bytecode.Insn{Code: stD, Dst: 10, Off: -8, Imm: 9},
		exit())
	random := uint32(0)
	opt := Options{Blind: true, Random: func() uint32 { random += 0x100; return random }}
	ax := bytecode.Reg(12)
	pair := func(class uint8, imm, rnd int32) []bytecode.Insn {
		return []bytecode.Insn{{Code: class | opMov, Dst: ax, Imm: imm ^ rnd}, {Code: class | opXor, Dst: ax, Imm: rnd}}
	}
	want := slices.Concat(
		[]bytecode.Insn{{Code: w64 | opXor | byReg}},
		pair(w32, 3, 0x200), []bytecode.Insn{{Code: w32 | opAdd | byReg, Src: ax}},
		[]bytecode.Insn{{Code: w64 | opLsh, Imm: 3}},
		pair(w64, 2, 0x400), []bytecode.Insn{{Code: w64 | opLsh, Dst: ax, Imm: 32}, {Code: w64 | opMov | byReg, Dst: 1,
			Src: ax}},
		pair(w32, 1, 0x500), []bytecode.Insn{{Code: w64 | opOr | byReg, Dst: 1, Src: ax}},
		pair(w32, 7, 0x600), []bytecode.Insn{{Code: j32 | jeq | byReg, Src: ax, Off: -15}},
		pair(w64, 9, 0x700), []bytecode.Insn{{Code: stxD, Dst: 10, Src: ax, Off: -8}},
		[]bytecode.Insn{exit()})
	res := predict(t, p, known(p), opt)
	if !slices.Equal(res.Program.Insns, want) {
		t.Errorf("got  %v\nwant %v", res.Program.Insns, want)
	}
	if len(res.Unpredicted) != 0 {
		t.Errorf("unpredicted %v", res.Unpredicted)
	}
	if res := predict(t, p, known(p), Options{Blind: true}); len(res.Unpredicted) != 10 {
		t.Errorf("unpredicted without numbers: %v", res.Unpredicted)
	}
}

func TestRefused(t *testing.T) {
	ok := program(movK(0, 0), exit())
	table := program(movK(0, 0), exit())
	table.Tables = []bytecode.JumpTable{{Targets: []bytecode.PC{2}}}
	far := program(slices.Concat(
		[]bytecode.Insn{{Code: j64 | jeq, Off: 32000}},
		slices.Repeat([]bytecode.Insn{{Code: w64 | opDiv | byReg, Src: 1}}, 32000),
		[]bytecode.Insn{exit()})...)
	for _, c := range []struct {
		name string
		p    *bytecode.Program
		f    Facts
		ver  string
		want string
	}{
		{"old kernel", ok, Facts{}, "5.19", `Linux "5.19" has no rewrites that are known`},
		{"no version", ok, Facts{}, "seven", "has no rewrites that are known"},
		{"empty", program(), Facts{}, "7.3", "program has 0 slots"},
		{"half a load", program(bytecode.Insn{Code: bytecode.CodeLdImm64}), Facts{}, "7.3", "without its second slot"},
		{"wild jump", program(bytecode.Insn{Code: bytecode.CodeGoto, Off: 5}), Facts{}, "7.3", "target 6 is outside"},
		{"into a load", program(bytecode.Insn{Code: bytecode.CodeLdImm64}, bytecode.Insn{},
			bytecode.Insn{Code: bytecode.CodeGoto, Off: -2}), Facts{}, "7.3", "inside a 64-bit immediate load"},
		{"static key", program(bytecode.Insn{Code: bytecode.CodeGoto, Src: 1}), Facts{}, "7.3", "static keys"},
		{"unwind_goto", program(bytecode.Insn{Code: bytecode.CodeMayGoto, Src: 1, Off: -1}), Facts{}, "7.3",
			"no kernel is known that compiles exceptions with landing pads: unwind_goto pc-1"},
		{"callx", program(bytecode.Insn{Code: bytecode.CodeCallx, Dst: 1}), Facts{}, "7.3", "no kernel up to Linux 7.3 takes indirect calls"},
		{"wild entry", table, Facts{}, "7.3", "table 0, entry 0: no instruction starts at slot 2"},
		{"few facts", ok, Facts{Seen: truths(true)}, "7.3", "facts about 1 and 0 slots"},
		{"unseen start", ok, Facts{Seen: truths(false, true)}, "7.3", "slot 0 cannot be unseen"},
		{"deep stack", ok, Facts{Stack: []StackFact{{Depth: 513}}}, "7.3", "stack depth of 513 bytes"},
		{"wild access", ok, Facts{Accesses: []AccessFact{{PC: 2, To: MemCtx}}}, "7.3", "access at slot 2"},
		{"wild map", ok, Facts{Calls: []CallFact{{Map: 0}}}, "7.3", "fact about map 0 of 0"},
		{"long jump", far, Facts{}, "7.3", "cannot be patched due to 16-bit range"},
	} {
		t.Run(c.name, func(t *testing.T) {
			prof, err := jit.LookupProfile("linux-7.3")
			if err != nil {
				t.Fatal(err)
			}
			prof.Version = c.ver
			res, err := Predict(c.p, c.f, prof, Options{})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			if res != nil {
				t.Error("result beside an error")
			}
		})
	}
}

// TestAllocations hands kernel functions what the verifier knows of types: sizes, and a
// description where there is something special (kernel/bpf/verifier.c
// bpf_fixup_kfunc_call and __fixup_collection_insert_kfunc, Linux 7.3).
func TestAllocations(t *testing.T) {
	locals := []bytecode.LocalType{{ID: 3, Size: 24}, {ID: 5, Size: 40, Special: true, Held: true}}
	for _, c := range []struct {
		name   string
		key    int64
		sure   bool
		marked bool
		first  bytecode.Insn // before the call
		zero   bool          // no description
	}{
		{"bpf_obj_new", 3, true, false, bytecode.Insn{Code: w64 | opMov, Dst: 1, Imm: 24}, true},
		{"bpf_obj_new_impl", 5, true, false, bytecode.Insn{Code: w64 | opMov, Dst: 1, Imm: 40}, false},
		{"bpf_obj_new", 4, true, true, bytecode.Insn{Code: w64 | opMov, Dst: 1}, false},
		{"bpf_obj_new", 3, false, true, bytecode.Insn{Code: w64 | opMov, Dst: 1}, false},
		{"bpf_percpu_obj_new", 3, true, false, bytecode.Insn{Code: w64 | opMov, Dst: 1, Imm: 24}, true},
		{"bpf_obj_drop", -1, false, false, bytecode.Insn{Code: bytecode.CodeLdImm64, Dst: 2}, false},
		{"bpf_rbtree_add", 16, true, false, bytecode.Insn{Code: bytecode.CodeLdImm64, Dst: 4}, false},
		{"bpf_rbtree_add", -1, true, true, bytecode.Insn{Code: bytecode.CodeLdImm64, Dst: 4}, false},
	} {
		p := program(bytecode.Insn{Code: bytecode.CodeCall, Src: bytecode.CallKfunc}, movK(bytecode.R0, 0), exit())
		p.Refs = []bytecode.Ref{{PC: 0, Kind: bytecode.RefKfunc, Name: c.name}}
		p.Locals = locals
		facts := Facts{
			Stack: []StackFact{{Certain: true}},
			Calls: []CallFact{{PC: 0, Certain: c.sure, Map: NoMap, Key: c.key, Callback: -1}},
		}
		prof, err := jit.LookupProfile("linux-7.3")
		if err != nil {
			t.Fatal(err)
		}
		r, err := Predict(p, facts, prof, Options{})
		if err != nil {
			t.Fatal(err)
		}
		described := false
		for _, ref := range r.Program.Refs {
			described = described || ref.Kind == bytecode.RefUnknown
		}
		if got := r.Program.Insns[0]; got != c.first || described == c.zero || len(r.Unpredicted) > 0 != c.marked {
			t.Errorf("%s, key %d: %+v, description %v, unpredicted %v", c.name, c.key, got, described, r.Unpredicted)
		}
	}
}
