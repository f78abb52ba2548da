package rewrite

import (
	"encoding/binary"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/bpfcfg/bpfcfg/jit"
)

// FuzzPredict rewrites arbitrary slots with arbitrary facts. An error comes
// without a result; a result is one in which every slot and every entry has its
// place, and which the JIT either compiles or refuses.
func FuzzPredict(f *testing.F) {
	r, err := record.Open(testenv.Path(f, "records/suite.7.3.4.off.jsonl.gz"), record.Options{SkipLogs: true})
	if err != nil {
		f.Fatal(err)
	}
	defer r.Close()
	for rec, err := range r.Records() {
		if err != nil {
			f.Fatal(err)
		}
		var code []byte
		if rec.Job != nil {
			for _, s := range rec.Job.Insns {
				code = append(code, s...)
			}
			f.Add(code, []byte{0, 3, 1}, uint16(len(code)), uint8(rec.Index))
		}
	}
	f.Fuzz(func(t *testing.T, code, facts []byte, split uint16, how uint8) {
		p := fuzzProgram(code, facts, split)
		if p == nil {
			return
		}
		prof, err := jit.LookupProfile([]string{"linux-7.3", "linux-6.19", "linux-6.18"}[how%3])
		if err != nil {
			t.Fatal(err)
		}
		opt := Options{NoCapBPF: how&4 != 0, NoCapPerfmon: how&8 != 0, Blind: how&16 != 0}
		res, err := Predict(p, fuzzFacts(p, facts, how), prof, opt)
		if (res == nil) == (err == nil) {
			t.Fatalf("result %v, error %v", res, err)
		}
		if err != nil {
			return
		}
		checkResult(t, p, res)
		if img, err := jit.Compile(res.Program, prof); (img == nil) == (err == nil) {
			t.Fatalf("image %v, error %v", img, err)
		}
		_, _ = res.Dump(prof).Differs(res.Program.Insns)
	})
}

// fuzzProgram makes a program of two functions with a map and a table.
func fuzzProgram(code, facts []byte, split uint16) *bytecode.Program {
	insns, err := bytecode.Decode(code[:len(code)&^7], binary.LittleEndian)
	if err != nil || len(insns) == 0 || len(insns) > 1000 {
		return nil
	}
	p := program(insns...)
	if at := bytecode.PC(split) % p.Len(); at > 0 {
		p.Subprogs = []bytecode.Subprogram{{End: at}, {Start: at, End: p.Len()}}
	}
	p.Type = []string{"syscall", "xdp", "sched_cls", "tracing", "kprobe"}[int(split)%5]
	p.Maps = []bytecode.Map{{Type: uint32(split) % 36, KeySize: 4, ValueSize: 8, MaxEntries: 3}}
	var table bytecode.JumpTable
	for _, b := range facts {
		table.Targets = append(table.Targets, bytecode.PC(b))
	}
	p.Tables = []bytecode.JumpTable{table}
	for pc := bytecode.PC(0); pc < p.Len(); pc += insns[pc].Slots() {
		if !insns[pc].IsWide() || insns[pc].Src == 0 {
			continue
		}
		kind := []bytecode.RefKind{bytecode.RefMap, bytecode.RefMapValue, bytecode.RefTable, bytecode.RefFunc}[pc%4]
		p.Refs = append(p.Refs, bytecode.Ref{PC: pc, Kind: kind})
	}
	return p
}

// fuzzFacts makes facts that may contradict the program.
func fuzzFacts(p *bytecode.Program, facts []byte, how uint8) Facts {
	f := Facts{Throws: cfg.Truth(how >> 5 & 1), DirectWrite: cfg.Truth(how >> 6 & 1)}
	if len(facts) > 0 {
		f.Seen = make([]cfg.Truth, len(p.Insns))
		f.IndirectTarget = make([]cfg.Truth, len(p.Insns))
		for i := range f.Seen {
			b := facts[i%len(facts)]
			f.Seen[i] = cfg.Truth(b & 3 % 3)
			f.IndirectTarget[i] = cfg.Truth(b >> 2 & 3 % 3)
		}
		f.Seen[0] = max(f.Seen[0], cfg.Maybe)
	}
	if how&128 != 0 {
		f.Accesses = []AccessFact{{PC: 0, To: MemCtx}, {PC: p.Len() - 1, To: MemArena, Certain: true}}
	}
	return f
}

// checkResult checks that places and program fit together.
func checkResult(t *testing.T, p *bytecode.Program, res *Result) {
	t.Helper()
	n := bytecode.PC(len(res.Program.Insns))
	if len(res.Original) != int(n) || len(res.Xlated) != len(p.Insns) || len(res.Program.Tables) != len(p.Tables) {
		t.Fatalf("%d slots, %d originals, %d places", n, len(res.Original), len(res.Xlated))
	}
	for pc, to := range res.Xlated {
		switch {
		case to == jit.Deleted:
		case to < 0 || to >= n:
			t.Fatalf("slot %d is at %d of %d", pc, to, n)
		case res.Original[to] != bytecode.PC(pc) && res.Original[to] != none:
			t.Fatalf("slot %d is at %d, which comes from %d", pc, to, res.Original[to])
		}
	}
	for i, table := range res.Program.Tables {
		for e, to := range table {
			if want := res.Xlated[p.Tables[i].Targets[e]]; to != want {
				t.Fatalf("table %d, entry %d: %d, want %d", i, e, to, want)
			}
		}
	}
	next := bytecode.PC(0)
	for _, f := range res.Program.Funcs {
		if f.Start != next || f.End <= f.Start {
			t.Fatalf("functions %+v", res.Program.Funcs)
		}
		next = f.End
	}
	if next != n {
		t.Fatalf("functions end at %d of %d", next, n)
	}
}
