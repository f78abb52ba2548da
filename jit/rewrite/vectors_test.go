package rewrite_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

// TestVectors predicts the programs of the JIT vectors, each of which holds one
// form of instruction, and compares them with what the kernel showed.
func TestVectors(t *testing.T) {
	r, err := record.Open(testenv.Path(t, "records/jit-vectors.json.gz"), record.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	all, err := r.Vectors()
	if err != nil {
		t.Fatal(err)
	}
	sums := map[string]*tally{}
	for _, v := range all.Vectors {
		kernel, _, _ := strings.Cut(v.Kernel, "-")
		sum := sums[kernel]
		if sum == nil {
			sum = &tally{}
			sums[kernel] = sum
		}
		if why := compareVector(t, sum, &v, kernel[:4]); why != "" {
			t.Errorf("%s on %s: %s", v.Name, v.Kernel, why)
		}
	}
	for k, sum := range sums {
		t.Logf("%s: %s; %d with the same code", k, sum, sum.code)
	}
}

// compareVector predicts a vector's program and says how it differs.
func compareVector(tb testing.TB, sum *tally, v *record.Vector, kernel string) string {
	prof, err := jit.LookupProfile("linux-" + strings.TrimSuffix(kernel, "."))
	if err != nil {
		return err.Error()
	}
	p, err := vectorProgram(v)
	if err != nil {
		return err.Error()
	}
	real, err := bytecode.Decode(v.Xlated, binary.LittleEndian)
	if err != nil {
		return err.Error()
	}
	res, err := rewrite.Predict(p, vectorFacts(tb, v, p, prof), prof, rewrite.Options{})
	if err != nil {
		sum.refused++
		return err.Error()
	}
	if why := sum.count(res, res.Dump(prof), real, nil); why != "" || len(res.Unpredicted) > 0 {
		return why
	}
	return vectorCode(sum, v, res, prof)
}

// vectorCode compiles a vector's predicted program and says how the code
// differs. It judges programs of the machines that built-in profiles describe.
func vectorCode(sum *tally, v *record.Vector, res *rewrite.Result, prof jit.Profile) string {
	switch {
	case strings.Contains(v.Kernel, "-"),
		v.Name == "tail_call_direct_set",                               // patched after compilation
		v.Name == "percpu_array_direct", v.Name == "priv_stack_kprobe": // length depends on an address
		return ""
	}
	img, err := jit.Compile(res.Program, prof)
	if err != nil {
		return err.Error()
	}
	for i, f := range res.Program.Funcs {
		if f.Hidden { // not shown
			img.Code = img.Code[:img.Funcs[i].Offset]
			img.Relocs = slices.DeleteFunc(img.Relocs, func(r jit.Reloc) bool { return r.Offset >= len(img.Code) })
		}
	}
	var code []byte
	for _, f := range v.Funcs {
		code = append(code, f.Code...)
	}
	if why := differentCode(img, code); why != "" {
		return "code: " + why
	}
	sum.code++
	return ""
}

// vectorFacts returns what is known of a vector's program by its name and by
// the way in which the vectors were written: each reads its context through R1
// before it does anything else, kernel objects through R6 and R7.
func vectorFacts(tb testing.TB, v *record.Vector, p *bytecode.Program, prof jit.Profile) rewrite.Facts {
	f := derived(tb, p, prof)
	f.Seen, f.Accesses = nil, nil
	to := map[bytecode.PC]rewrite.Memory{}
	reads := func(from bytecode.PC, m rewrite.Memory, modes ...asm.Mode) {
		for pc := from; pc < p.Len(); pc++ {
			c := p.Insns[pc].Class()
			if (c == asm.LdXClass || c == asm.StXClass) && slices.Contains(modes, p.Insns[pc].Mode()) {
				to[pc] = m
			}
		}
	}
	switch name, _, _ := strings.Cut(v.Name, "_"); name {
	case "nospec":
		f.BarrierAfter = []bytecode.PC{2, 4}
	case "throw":
		f.Throws = cfg.Yes
		f.Seen = make([]cfg.Truth, len(p.Insns))
		for pc := range f.Seen {
			f.Seen[pc] = cfg.TruthOf(pc < 2 || pc >= 4)
		}
	case "arena":
		reads(5, rewrite.MemArena, asm.MemMode, asm.MemSXMode, asm.AtomicMode)
	case "probe":
		reads(2, rewrite.MemObject, asm.MemMode, asm.MemSXMode)
	}
	for _, s := range p.Subprogs {
		for pc := s.Start; pc < s.Start+2 && pc < s.End; pc++ {
			if in := p.Insns[pc]; in.Class() == asm.LdXClass && in.Src == bytecode.R1 {
				to[pc] = rewrite.MemCtx
			}
		}
	}
	for pc := range p.Len() {
		m := to[pc]
		if m == rewrite.MemUnknown {
			m = rewrite.MemPlain
		}
		f.Accesses = append(f.Accesses, rewrite.AccessFact{PC: pc, To: m, Certain: true})
	}
	return f
}

// vectorProgram makes the program of a vector.
func vectorProgram(v *record.Vector) (*bytecode.Program, error) {
	insns, err := bytecode.Decode(v.Source, binary.LittleEndian)
	if err != nil {
		return nil, err
	}
	p := &bytecode.Program{Name: v.Name, Type: record.ProgTypeName(fmt.Sprint(v.ProgType)), Insns: insns}
	for _, m := range v.Maps {
		if ebpf.MapType(m.Type) == 34 {
			var to []bytecode.PC
			for _, c := range v.Table {
				to = append(to, bytecode.PC(c.Orig))
			}
			p.Tables = append(p.Tables, bytecode.JumpTable{Targets: to})
			continue
		}
		p.Maps = append(p.Maps, bytecode.Map{
			Type: m.Type, KeySize: m.Key, ValueSize: m.Value, MaxEntries: m.Max, Flags: m.Flags,
		})
	}
	starts := []bytecode.PC{0}
	for pc := bytecode.PC(0); pc < p.Len(); pc += p.Insns[pc].Slots() {
		in := p.Insns[pc]
		if flow := p.Flow(pc); flow.Kind == bytecode.FlowCall || flow.Kind == bytecode.FlowFuncAddr {
			starts = append(starts, flow.Callee)
			continue
		}
		if !in.IsWide() || in.Src == bytecode.LdImm64 || in.Src == bytecode.LdBTFID {
			continue
		}
		ref := bytecode.Ref{PC: pc, Kind: bytecode.RefMap}
		if in.Src == bytecode.LdMapValue || in.Src == bytecode.LdMapIdxValue {
			ref.Kind, ref.Off = bytecode.RefMapValue, int64(p.Insns[pc+1].Imm)
		}
		if len(p.Tables) > 0 {
			ref.Kind = bytecode.RefTable
		}
		p.Refs = append(p.Refs, ref)
	}
	if v.Name == "throw_cb" {
		starts = append(starts, 4)
	}
	slices.Sort(starts)
	starts = slices.Compact(starts)
	for i, s := range starts {
		end := p.Len()
		if i+1 < len(starts) {
			end = starts[i+1]
		}
		p.Subprogs = append(p.Subprogs, bytecode.Subprogram{
			Start: s, End: end, Exception: v.Name == "throw_cb" && i > 0,
		})
	}
	return p, nil
}
