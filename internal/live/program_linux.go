//go:build linux && amd64

package live

import (
	"strconv"
	"strings"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/internal/replay"
)

// flagRdonlyProg is BPF_F_RDONLY_PROG (include/uapi/linux/bpf.h).
const flagRdonlyProg = 1 << 7

// program makes a Program of the dump.
func (r *reader) program() *bytecode.Program {
	p := &bytecode.Program{
		Name: r.names[0], Type: record.ProgTypeName(strconv.FormatUint(uint64(r.info.Type), 10)),
		Insns: append([]bytecode.Insn(nil), r.dump...), Rewritten: true,
	}
	if p.Name == "" {
		p.Name = "prog_" + strconv.FormatUint(uint64(r.info.ID), 10)
	}
	index := map[uint32]mapPlace{}
	for _, m := range r.maps {
		index[m.ID] = r.addMap(p, m)
	}
	r.addSubprograms(p)
	for pc := 0; pc < len(p.Insns); pc += int(p.Insns[pc].Slots()) {
		r.operand(p, bytecode.PC(pc), index)
	}
	r.addLines(p)
	p.Diags = append(p.Diags, r.losses()...)
	p.Diags = append(p.Diags, r.diags...)
	return p
}

// mapPlace is the place of a map, in Tables or in Maps.
type mapPlace struct {
	table bool
	index int
}

// addMap adds a map, an instruction array as a jump table. The targets are slots of the rewritten
// program; those of removed instructions, which no jump selects, are -1.
func (r *reader) addMap(p *bytecode.Program, m *mapOf) mapPlace {
	if m.entries != nil {
		t := bytecode.JumpTable{Name: m.name, Unfrozen: !m.Frozen, FDArray: true}
		for _, e := range m.entries {
			pc := bytecode.PC(e.Xlated)
			if e.Xlated == record.DeletedInsn {
				pc = -1
			}
			t.Targets = append(t.Targets, pc)
		}
		p.Tables = append(p.Tables, t)
		return mapPlace{true, len(p.Tables) - 1}
	}
	p.Maps = append(p.Maps, bytecode.Map{
		Name: m.name, Type: m.Type, KeySize: m.KeySize, ValueSize: m.ValueSize, MaxEntries: m.MaxEntries,
		Flags: m.Flags, Value: m.value, ReadOnly: m.Frozen && m.Flags&flagRdonlyProg != 0,
		NoKptrs: m.BTFValue == 0,
	})
	return mapPlace{false, len(p.Maps) - 1}
}

// addSubprograms adds the functions, and the exception callback that the
// verifier appended, which only the dump has.
func (r *reader) addSubprograms(p *bytecode.Program) {
	callback := ""
	for _, f := range r.info.Funcs {
		if fn := r.types.function(f.Type); fn != nil {
			for _, tag := range fn.Tags {
				if name, ok := strings.CutPrefix(tag, "exception_callback:"); ok {
					callback = name
				}
			}
		}
	}
	for i, start := range r.starts {
		if start < 0 {
			r.diag("the first slot of function %d is unknown", i)
			continue
		}
		if n := len(p.Subprogs); n > 0 {
			p.Subprogs[n-1].End = start
		}
		p.Subprogs = append(p.Subprogs, bytecode.Subprogram{
			Name: r.names[i], Start: start, End: p.Len(), Exception: callback != "" && r.names[i] == callback,
		})
	}
}

// operand restores the operand of one instruction, and adds its reference.
func (r *reader) operand(p *bytecode.Program, pc bytecode.PC, index map[uint32]mapPlace) {
	in := &p.Insns[pc]
	ref := bytecode.Ref{PC: pc}
	switch {
	case in.IsWide() && pc+1 < p.Len() && (in.Src == bytecode.LdMapFD || in.Src == bytecode.LdMapValue):
		at, ok := index[uint32(in.Imm)]
		value := in.Src == bytecode.LdMapValue
		ref.Kind = bytecode.MapRef(at.table, value)
		if !ok {
			ref.Kind, ref.Name = bytecode.RefUnknown, "map "+strconv.Itoa(int(uint32(in.Imm)))
		}
		ref.Index, in.Imm = at.index, 0
		if value {
			ref.Off = int64(uint32(p.Insns[pc+1].Imm))
		}
	case in.IsWide() && pc+1 < p.Len() && in.Src == bytecode.LdFunc:
		ref.Kind, ref.Index = bytecode.RefFunc, int(pc)+1+int(in.Imm)
		p.Insns[pc+1].Imm = 0
	case in.IsWide() && pc+1 < p.Len() && len(p.Tables) > 0:
		if !r.tableLoad(p, pc, &ref) {
			return
		}
	case in.IsSubprogramCall():
		r.localCall(p, pc)
		return
	case in.IsHelperCall() && in.Imm != bytecode.HelperTailCall, in.IsKfuncCall():
		r.kernelCall(in, &ref)
	default:
		return
	}
	p.Refs = append(p.Refs, ref)
}

// localCall restores the distance of a call. A dump holds the number of the
// callee, and the distance only where it fits 16 bits.
func (r *reader) localCall(p *bytecode.Program, pc bytecode.PC) {
	in := &p.Insns[pc]
	if n := int(in.Imm); n >= 0 && n < len(r.starts) && r.starts[n] >= 0 {
		in.Imm = int32(r.starts[n] - pc - 1)
	} else {
		in.Imm = int32(in.Off)
	}
	in.Off = 0
}

// kernelCall names the kernel function that a call leads to. After rewriting,
// helpers and kernel functions are the same: an address. One that is a helper
// gets its number back, all others are kernel functions.
func (r *reader) kernelCall(in *bytecode.Insn, ref *bytecode.Ref) {
	name := ""
	if base, ok := r.kernel.Address("__bpf_call_base"); ok && in.Imm != 0 {
		name, _ = r.kernel.Name(base + uint64(int64(in.Imm)))
	}
	if n, ok := helperNumber(name); ok && in.Src == bytecode.CallHelper {
		in.Imm = n
		ref.Kind, ref.Index, ref.Name = bytecode.RefHelper, int(n), name
		return
	}
	in.Src, in.Imm = bytecode.CallKfunc, 0
	ref.Kind, ref.Name = bytecode.RefKfunc, name
}

// helperNumber returns the number of a helper by the name of its function.
func helperNumber(name string) (int32, bool) {
	want, ok := strings.CutPrefix(name, "bpf_")
	if !ok {
		return 0, false
	}
	want = "Fn" + strings.ReplaceAll(want, "_", "")
	for n := int32(1); n < 256; n++ {
		if strings.EqualFold(asm.BuiltinFunc(n).String(), want) {
			return n, true
		}
	}
	return 0, false
}

// tableLoad finds the jump table whose address a 64-bit immediate load holds. A dump shows the
// address itself, and user space cannot learn where a table lies. With a single table there is no
// doubt; with several, such a load stays unknown.
func (r *reader) tableLoad(p *bytecode.Program, pc bytecode.PC, ref *bytecode.Ref) bool {
	v := uint64(uint32(p.Insns[pc].Imm)) | uint64(uint32(p.Insns[pc+1].Imm))<<32
	if v>>56 != 0xff { // no kernel address: with 5-level paging they begin at 0xff00000000000000
		return false
	}
	if len(p.Tables) > 1 {
		ref.Kind, ref.Name = bytecode.RefUnknown, "kernel address, of which jump table is not shown"
		return true
	}
	ref.Kind = bytecode.RefTable
	r.diag("slot %d: a kernel address, assumed to be that of the only jump table", pc)
	return true
}

// addLines adds the source lines.
func (r *reader) addLines(p *bytecode.Program) {
	for _, l := range r.info.Lines {
		if int(l.Slot) >= len(p.Insns) || len(p.Lines) > 0 && p.Lines[len(p.Lines)-1].PC >= bytecode.PC(l.Slot) {
			continue
		}
		p.Lines = append(p.Lines, bytecode.Line{
			PC: bytecode.PC(l.Slot), File: r.types.text(l.File), Text: r.types.text(l.Text),
			Line: int(l.Pos >> 10), Col: int(l.Pos & 0x3ff),
		})
	}
}

// losses lists what the dump of this program hides.
func (r *reader) losses() []string {
	out := []string{"the kernel shows the program after the verifier's rewrites, so slots count in the rewritten program"}
	tail, calls := false, false
	for pc := 0; pc < len(r.dump); pc += int(r.dump[pc].Slots()) {
		in := r.dump[pc]
		tail = tail || in.IsHelperCall() && in.Imm == bytecode.HelperTailCall
		calls = calls || in.IsHelperCall() && in.Imm == 0
	}
	if tail {
		out = append(out, "the dump does not show whether a tail call is direct")
	}
	if calls {
		out = append(out, "the kernel hides which functions are called: see kernel.kptr_restrict")
	}
	if _, ok := r.kernel.Address("__bpf_call_base"); !ok {
		out = append(out, "names of called functions are unknown: /proc/kallsyms shows no addresses")
	}
	if why := r.noCode(); why != "" {
		out = append(out, why)
	}
	if len(r.info.Lines) == 0 {
		out = append(out, "the program was loaded without source lines")
	}
	return out
}

// noCode says why there is no machine code; empty if there is some.
func (r *reader) noCode() string {
	switch {
	case r.info.CodeLen == 0 && !r.kernel.jitOn():
		return "the program has no machine code: the JIT is off (net.core.bpf_jit_enable)"
	case len(r.info.Code) == 0 || len(r.info.Ksyms) == 0 || len(r.info.FuncLens) == 0:
		return "the kernel hides machine code and addresses from this user: run as root or with CAP_SYSLOG " +
			"(see kernel.kptr_restrict and kernel.perf_event_paranoid)"
	}
	return ""
}

// capture returns the program in the form for comparison with our compiler's code, and for each of
// its line records the line's number.
func (r *reader) capture(name string) (*replay.Capture, []int) {
	c := &replay.Capture{
		Name: name, Kernel: r.kernel.Release(), Dump: r.dump, NoCode: r.noCode(), Symbols: r.kernel.jitSymbols(),
	}
	if c.NoCode == "" {
		c.Code = r.info.Code
	}
	off := 0
	for i, n := range r.info.FuncLens {
		f := replay.CapturedFunc{Name: r.names[i], Start: r.starts[i], Off: off, Len: int(n)}
		if i < len(r.info.Ksyms) {
			f.Addr = r.info.Ksyms[i]
		}
		c.Funcs = append(c.Funcs, f)
		off += int(n)
	}
	for _, m := range r.maps {
		if m.entries != nil {
			c.Tables = append(c.Tables, replay.CapturedTable{Name: m.name, Entries: m.entries})
		}
		if m.Type == record.MapArena {
			c.Arena, c.UserVM = true, m.Extra
		}
	}
	var numbers []int
	if len(r.info.JitedLines) != len(r.info.Lines) { // there is no code
		for _, l := range r.info.Lines {
			c.Lines = append(c.Lines, replay.CapturedLine{Insn: -1, Slot: bytecode.PC(l.Slot), Func: -1})
			numbers = append(numbers, int(l.Pos>>10))
		}
		return c, numbers
	}
	for i, l := range r.info.Lines {
		for f, fn := range c.Funcs {
			if at := r.info.JitedLines[i] - fn.Addr; fn.Addr != 0 && at < uint64(fn.Len) {
				c.Lines = append(c.Lines, replay.CapturedLine{Insn: -1, Slot: bytecode.PC(l.Slot), Func: f, Off: int(at)})
				numbers = append(numbers, int(l.Pos>>10))
			}
		}
	}
	return c, numbers
}
