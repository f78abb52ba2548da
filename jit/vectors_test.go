package jit_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit"
)

// Types of programs and maps in the vectors (include/uapi/linux/bpf.h).
const (
	progKprobe = 2
	mapArena   = 33
	helperTail = 12
	bpfThrow   = "bpf_throw"
)

// vectorProgram is the Program that a kernel compiled for a vector: what its
// dump shows, with what dumps hide put back.
type vectorProgram struct {
	t    testing.TB
	v    *vector
	prog *jit.Program
	// values of references, by slot.
	values map[bytecode.PC]uint64
	// thunked marks calls without accounting.
	thunked map[bytecode.PC]bool
}

// programOf rebuilds the program of a vector.
func programOf(t testing.TB, v *vector, callBase uint64) *vectorProgram {
	b := &vectorProgram{
		t: t, v: v, prog: &jit.Program{Insns: insnsOf(t, v.Xlated)},
		values: map[bytecode.PC]uint64{}, thunked: map[bytecode.PC]bool{},
	}
	b.cutFuncs()
	b.restoreInsns()
	b.addRefs(callBase)
	b.markTargets()
	b.describeFuncs()
	return b
}

// cutFuncs finds the functions: at 0, at callees, where a line record has the
// address of a function, and the hidden exception callback of two slots.
func (b *vectorProgram) cutFuncs() {
	insns := b.prog.Insns
	starts := []bytecode.PC{0}
	for pc, in := range insns {
		if in.IsSubprogramCall() {
			starts = append(starts, bytecode.PC(pc)+1+bytecode.PC(in.Off))
		}
	}
	for _, l := range b.v.Lines {
		for i, f := range b.v.Funcs {
			if i > 0 && f.Ksym == l.Addr {
				starts = append(starts, bytecode.PC(l.Xlated))
			}
		}
	}
	if b.v.Name == "throw" {
		starts = append(starts, bytecode.PC(len(insns)-2))
	}
	slices.Sort(starts)
	starts = slices.Compact(starts)
	for i, s := range starts {
		f := jit.Func{Name: fmt.Sprintf("f%d", i), Start: s, End: bytecode.PC(len(insns)), Hidden: i >= len(b.v.Funcs)}
		if i+1 < len(starts) {
			f.End = starts[i+1]
		}
		b.prog.Funcs = append(b.prog.Funcs, f)
	}
}

// restoreInsns undoes what the kernel's dump changes (bpf_insn_prepare_dump):
// tail calls, the kind of loads that may fault, map indices.
func (b *vectorProgram) restoreInsns() {
	insns := b.prog.Insns
	for pc := range insns {
		in := &insns[pc]
		switch {
		case in.IsHelperCall() && in.Imm == helperTail:
			b.restoreTailCall(pc)
		case strings.HasPrefix(b.v.Name, "probe_mem") && in.Code&0xe7 == 0x61 && in.Src == bytecode.R7:
			in.Code = in.Code&^0xe0 | 0x20
		case strings.HasPrefix(b.v.Name, "map_idx_value") && in.IsWide():
			in.Src = bytecode.LdMapIdxValue
		}
	}
}

// restoreTailCall recognises direct tail calls by the constant in r3.
func (b *vectorProgram) restoreTailCall(pc int) {
	insns := b.prog.Insns
	in := &insns[pc]
	in.Code, in.Imm = bytecode.CodeTailCall, 0
	set := insns[pc-1]
	if set.Code != 0xb7 || set.Dst != bytecode.R3 {
		return
	}
	in.Imm = set.Imm + 1
	call := jit.TailCall{PC: bytecode.PC(pc)}
	if fill := b.v.Maps[0].ProgFill; len(fill) > 0 && fill[0] == int(set.Imm) {
		call.Filled = true
		for _, r := range b.v.Funcs[0].Relocs {
			if r.Kind == "rel32" && r.Sym == "" {
				// The record's target is where the jump lands: after the
				// first 12 bytes, and a landing pad in kernels with those.
				call.Target = uint64(r.Target) - 12
				if !strings.HasPrefix(b.v.Kernel, "6.18") {
					call.Target -= 4
				}
			}
		}
	}
	b.prog.TailCalls = append(b.prog.TailCalls, call)
}

// addRefs gives operands their values: callees from the instruction, addresses
// of maps from the record, which lists them in order of code.
func (b *vectorProgram) addRefs(callBase uint64) {
	insns := b.prog.Insns
	for i, f := range b.prog.Funcs {
		var addresses []vectorReloc
		if i < len(b.v.Funcs) {
			addresses = b.v.Funcs[i].addresses()
		}
		if len(b.v.Maps) > 0 && b.v.Maps[0].Type == mapArena {
			b.prog.ArenaUsed, b.prog.UserStart = true, b.v.Maps[0].Extra
			b.prog.ArenaStart = uint64(addresses[0].Target)
			addresses = addresses[1:]
		}
		for pc := f.Start; pc < f.End; pc += insns[pc].Slots() {
			in := insns[pc]
			ref := bytecode.Ref{PC: pc}
			switch {
			case in.IsSubprogramCall():
				ref.Kind, ref.Index = bytecode.RefFunc, int(pc)+1+int(in.Off)
			case in.Code == bytecode.CodeCall:
				ref.Kind, ref.Index = bytecode.RefHelper, 1
				b.values[pc] = callBase + uint64(int64(in.Imm))
			case in.IsWide() && in.Src != 0:
				ref.Kind = bytecode.RefMap
				b.values[pc] = uint64(addresses[0].Target)
				addresses = addresses[1:]
			default:
				continue
			}
			b.prog.Refs = append(b.prog.Refs, ref)
		}
	}
}

// addresses returns the relocations of a function that are operands of
// 64-bit loads, and the arena's base.
func (f *vectorFunc) addresses() []vectorReloc {
	var list []vectorReloc
	for _, r := range f.Relocs {
		if r.Kind == "abs64" || r.Kind == "abs32s" && r.Sym != "this_cpu_off" {
			list = append(list, r)
		}
	}
	return list
}

// markTargets fills in the table of a gotox. The programs reach all entries.
func (b *vectorProgram) markTargets() {
	if len(b.v.InsnArray) == 0 {
		return
	}
	b.prog.IndirectTarget = make([]bool, len(b.prog.Insns))
	var table []bytecode.PC
	for _, e := range b.v.InsnArray {
		table = append(table, bytecode.PC(e.Xlated))
		b.prog.IndirectTarget[e.Xlated] = true
	}
	b.prog.Tables = [][]bytecode.PC{table}
}

// describeFuncs fills in what the verifier knew of functions.
func (b *vectorProgram) describeFuncs() {
	funcs := b.prog.Funcs
	reach := false
	for i := len(funcs) - 1; i >= 0; i-- { // callees lie after callers
		f := &funcs[i]
		insns := b.prog.Insns[f.Start:f.End]
		f.StackDepth = stackDepth(insns)
		calls := slices.ContainsFunc(insns, bytecode.Insn.IsSubprogramCall)
		tail := slices.ContainsFunc(insns, func(in bytecode.Insn) bool { return in.Code == bytecode.CodeTailCall })
		f.TailCallReachable = tail || calls && reach
		reach = reach || tail
		for _, in := range insns {
			store := in.Class() == asm.StClass || in.Class() == asm.StXClass
			if store && in.Dst == bytecode.R11 && strings.HasPrefix(b.v.Name, "stack_args") {
				f.OutStackArgs = max(f.OutStackArgs, -int(in.Off)/8)
			}
		}
	}
	if strings.HasPrefix(b.v.Name, "throw") {
		funcs[0].ExceptionBoundary = true
		funcs[len(funcs)-1].ExceptionCallback = true
	}
	if b.v.ProgType == progKprobe && funcs[0].StackDepth >= 49 {
		funcs[0].PrivateStack = true
		depth := uint64(funcs[0].StackDepth+7) &^ 7
		funcs[0].PrivateStackPtr = uint64(b.v.Funcs[0].addresses()[0].Target) - 8 - depth
	}
}

// resolve gives the program the addresses of the kernel that ran it.
func (b *vectorProgram) resolve(k vectorKernel) {
	a := &b.prog.Addresses
	for _, f := range b.v.Funcs {
		a.Funcs = append(a.Funcs, uint64(f.Ksym))
	}
	a.Symbol = func(name string) (uint64, bool) {
		if name == "this_cpu_off" && k.Profile.ThisCPUOff != 0 {
			return uint64(k.Profile.ThisCPUOff), true
		}
		v, ok := k.Symbols[name]
		return uint64(v), ok
	}
	a.Value = func(ref bytecode.Ref) (uint64, bool) {
		v, ok := b.values[ref.PC]
		return v, ok
	}
	a.Thunked = func(ref bytecode.Ref) bool { return b.isThunked(b.values[ref.PC]) }
}

// isThunked reports whether no call of the address in the record is preceded
// by the accounting template: the one bit of a kernel function that the record
// alone tells.
func (b *vectorProgram) isThunked(target uint64) bool {
	for _, f := range b.v.Funcs {
		for i, r := range f.Relocs {
			if uint64(r.Target) != target || r.Kind != "rel32" {
				continue
			}
			return i == 0 || f.Relocs[i-1].Kind != "rel32(call depth)" || f.Relocs[i-1].Off != r.Off-6
		}
	}
	return false
}

// TestVectors compares the code of 740 programs with what kernels of seven
// set-ups made of them, to the byte, addresses included; then the relocations
// of the same programs without addresses.
func TestVectors(t *testing.T) {
	var file vectorFile
	readGzipJSON(t, "records/jit-vectors.json.gz", &file)
	if len(file.Vectors) != 740 {
		t.Fatalf("%d vectors, want 740", len(file.Vectors))
	}
	matched, total := map[string]int{}, map[string]int{}
	for i := range file.Vectors {
		v := &file.Vectors[i]
		k := file.Kernels[v.Kernel]
		prof := profileOf(t, v.Kernel, k)
		total[v.Kernel+" "+prof.Name]++
		callBase := uint64(k.Symbols["__bpf_call_base"])
		if err := checkVector(t, v, k, prof, callBase); err != nil {
			t.Errorf("%s %s (%s): %v", v.Kernel, v.Name, v.Text, err)
			continue
		}
		matched[v.Kernel+" "+prof.Name]++
	}
	for _, id := range sortedKeys(total) {
		t.Logf("%-45s %3d of %3d", id, matched[id], total[id])
	}
}

// checkVector compares one vector with and without addresses.
func checkVector(t testing.TB, v *vector, k vectorKernel, prof jit.Profile, callBase uint64) error {
	b := programOf(t, v, callBase)
	b.resolve(k)
	img, err := jit.Compile(b.prog, prof)
	if err != nil {
		return err
	}
	if err := sameCode(t, v, img, true); err != nil {
		return err
	}
	if err := sameOffsets(t, v, b.prog, img); err != nil {
		return err
	}
	// Again with only the values that decide lengths, which is all of the
	// 7-byte loads and the private stack.
	b = programOf(t, v, callBase)
	for pc, value := range b.values {
		if value < 0xffffffff80000000 {
			delete(b.values, pc)
		}
	}
	b.prog.Addresses.Value = func(ref bytecode.Ref) (uint64, bool) { a, ok := b.values[ref.PC]; return a, ok }
	b.prog.Addresses.Thunked = func(ref bytecode.Ref) bool {
		return b.isThunked(callBase + uint64(int64(b.prog.Insns[ref.PC].Imm)))
	}
	if img, err = jit.Compile(b.prog, prof); err != nil {
		return err
	}
	return sameCode(t, v, img, false)
}

// sameCode compares code and relocations of each function with the record. The
// bytes must be equal; unless resolved is set, those of unresolved relocations
// may be zero. Every relocation must be in the record with the same size and
// kind, and with the same symbol where the record names one.
func sameCode(t testing.TB, v *vector, img *jit.Image, resolved bool) error {
	for i, f := range v.Funcs {
		want := unhex(t, f.Code)
		fi := img.Funcs[i]
		got := slices.Clone(img.Code[fi.Offset : fi.Offset+fi.Len])
		if len(got) != len(want) {
			return fmt.Errorf("function %d: %d bytes, want %d\n got %x\nwant %x", i, len(got), len(want), got, want)
		}
		for _, r := range img.Relocs {
			if r.Offset < fi.Offset || r.Offset >= fi.Offset+fi.Len {
				continue
			}
			at := r.Offset - fi.Offset
			if err := knownReloc(f.Relocs, r, at); err != nil {
				return err
			}
			if resolved && !r.Resolved {
				return fmt.Errorf("relocation at %d of %s is not resolved", at, r.Target)
			}
			if !r.Resolved {
				if !bytes.Equal(got[at:at+r.Size], make([]byte, r.Size)) {
					return fmt.Errorf("relocation at %d of %s holds %x", at, r.Target, got[at:at+r.Size])
				}
				copy(got[at:at+r.Size], want[at:])
			}
		}
		if !bytes.Equal(got, want) {
			return fmt.Errorf("function %d:\n got %x\nwant %x", i, got, want)
		}
	}
	return nil
}

// knownReloc looks up the relocation at an offset of its function in the
// record.
func knownReloc(list []vectorReloc, r jit.Reloc, at int) error {
	kinds := map[jit.RelocKind]string{
		jit.RelRel32: "rel32", jit.RelAbs64: "abs64", jit.RelAbs32S: "abs32s", jit.RelCallDepth: "rel32(call depth)",
	}
	for _, w := range list {
		if w.Off != at {
			continue
		}
		if w.Size != r.Size || w.Kind != kinds[r.Kind] {
			return fmt.Errorf("relocation at %d: %d bytes, %s; want %d, %s", at, r.Size, r.Kind, w.Size, w.Kind)
		}
		// A kernel may have two names for a thunk.
		sym := strings.TrimPrefix(w.Sym, "__pi_")
		if strings.HasPrefix(sym, "__x86_") || strings.HasSuffix(sym, "_return_thunk") {
			if sym != r.Target {
				return fmt.Errorf("relocation at %d: target %q, want %q", at, r.Target, sym)
			}
		}
		return nil
	}
	if strings.HasPrefix(r.Target, "upper half of the arena") {
		return nil // decided by the loader, so that the record takes it as code
	}
	return fmt.Errorf("relocation at %d of %s is not in the record", at, r.Target)
}

// sameOffsets compares the offsets of slots with line records, the table, and
// the instruction that the vector is about.
func sameOffsets(t testing.TB, v *vector, p *jit.Program, img *jit.Image) error {
	for _, l := range v.Lines {
		for i, f := range p.Funcs {
			pc := bytecode.PC(l.Xlated)
			if i >= len(v.Funcs) || pc < f.Start || pc >= f.End {
				continue
			}
			want := int(l.Addr) - int(v.Funcs[i].Ksym)
			if want < 0 || want >= v.Funcs[i].Len {
				// A hidden exception callback overwrites the first line records.
				continue
			}
			got := int(img.Offsets[pc])
			if pc == f.Start {
				got = img.Funcs[i].Entry
			}
			if got != want {
				return fmt.Errorf("slot %d at %d, want %d", pc, got, want)
			}
		}
	}
	for i, e := range v.InsnArray {
		if got := int(img.Tables[0][i]); got != e.Jitted {
			return fmt.Errorf("table entry %d is %d, want %d", i, got, e.Jitted)
		}
	}
	if v.Insn != nil && img.Offsets[v.Insn.Xlated] != int32(v.Insn.Offset) {
		return fmt.Errorf("slot %d at %d, want %d", v.Insn.Xlated, img.Offsets[v.Insn.Xlated], v.Insn.Offset)
	}
	if v.Insn != nil {
		code := unhex(t, v.Insn.Code)
		if got := img.Code[v.Insn.Offset:][:len(code)]; !bytes.Equal(got, code) {
			return fmt.Errorf("slot %d: %x, want %x", v.Insn.Xlated, got, code)
		}
	}
	return nil
}
