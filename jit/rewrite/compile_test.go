package rewrite_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
	"github.com/cilium/ebpf/asm"
)

// compareCode compiles the predicted program and says how its machine code
// differs from the recorded one, addresses apart: "skip" when that says
// nothing. The code shows what a dump does not: stack depths, tail calls,
// private stacks, targets of indirect jumps.
func compareCode(rec *record.Record, p *bytecode.Program, f rewrite.Facts, prof jit.Profile) string {
	if to := targetsInLog(rec.Result.Load.Log, p); to != nil {
		f.IndirectTarget = to
	}
	for i, d := range depthsInCode(rec, p) {
		f.Stack[i] = rewrite.StackFact{Depth: d, Certain: true}
	}
	// A program array that is filled after the load changes the code of direct tail
	// calls.
	patched := slices.ContainsFunc(rec.Job.Maps, func(m record.Map) bool { return len(m.AfterLoad) > 0 })
	if patched || without(rec, "CAP_PERFMON") || blinded(rec) || len(rec.Result.Prog.Jited) == 0 {
		return "skip"
	}
	res, err := rewrite.Predict(p, f, prof, rewrite.Options{})
	if err != nil {
		return err.Error()
	}
	if len(res.Unpredicted) > 0 {
		return "skip"
	}
	img, err := jit.Compile(res.Program, prof)
	if err != nil {
		return err.Error()
	}
	return differentCode(img, rec.Result.Prog.Jited)
}

// depthsInCode returns the stack depths that the recorded prologues make room
// for, rounded up to 8, when the program passes stack memory to a helper: such
// a depth is not in the program's own accesses. It returns nil for others.
func depthsInCode(rec *record.Record, p *bytecode.Program) []int {
	funcs := rec.Result.Prog.Funcs
	helper := slices.ContainsFunc(p.Insns, func(in bytecode.Insn) bool {
		return in.IsHelperCall() && asm.BuiltinFunc(in.Imm) == asm.FnStrtol
	})
	if !helper || len(funcs) != len(p.Subprogs) {
		return nil
	}
	depths := make([]int, len(funcs))
	for i, f := range funcs {
		code := rec.Result.Prog.Jited[f.Off : f.Off+f.Len]
		if at := bytes.Index(code, []byte{0x48, 0x81, 0xec}); at >= 0 && at < 24 {
			depths[i] = int(binary.LittleEndian.Uint32(code[at+3:]))
		}
	}
	return depths
}

// differentCode compares code, relocation sites apart.
func differentCode(img *jit.Image, real []byte) string {
	if len(img.Code) != len(real) {
		return fmt.Sprintf("%d bytes, predicted %d", len(real), len(img.Code))
	}
	a, b := bytes.Clone(img.Code), bytes.Clone(real)
	for _, r := range img.Relocs {
		clear(a[r.Offset : r.Offset+r.Size])
		clear(b[r.Offset : r.Offset+r.Size])
	}
	for i := range a {
		if a[i] != b[i] {
			return fmt.Sprintf("byte %d is %02x, predicted %02x", i, b[i], a[i])
		}
	}
	return ""
}

// targetsInLog returns the instructions to which the verifier's log says a
// gotox was followed, or nil when the log is cut.
func targetsInLog(log string, p *bytecode.Program) []cfg.Truth {
	_, rest, ok := strings.Cut(log, "Live regs before insn:\n")
	if !ok || !strings.Contains(log, "\nprocessed ") {
		return nil
	}
	out := make([]cfg.Truth, len(p.Insns))
	last := -1
	for line := range strings.Lines(rest) {
		var from, to int
		switch {
		case strings.HasPrefix(line, "from ") && scan(line, "from %d to %d", &from, &to):
			last = -1
			if from < len(out) && to < len(out) && p.Insns[from].IsGotox() {
				out[to] = cfg.Yes
			}
		case line[0] >= '0' && line[0] <= '9' && (scan(line, "%d: safe", &to) || scan(line, "%d: (", &to)):
			if last >= 0 && last < len(out) && to < len(out) && p.Insns[last].IsGotox() {
				out[to] = cfg.Yes
			}
			last = to
		}
	}
	return out
}

func scan(line, format string, to ...any) bool {
	n, err := fmt.Sscanf(line, format, to...)
	return err == nil && n == len(to)
}
