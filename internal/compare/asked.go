package compare

import (
	"errors"
	"fmt"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/internal/replay"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
	"github.com/bpfcfg/bpfcfg/succ/rules"
)

// Asked is pipeline.Run for a program whose result in a kernel is known: the graph is that of the
// source, the rewritten program and the machine code are the kernel's, and the line records give
// the new place of each instruction. res compares the kernel's code with ours; as for Compiled, the
// image is known if ours is the same, or at least as long.
func Asked(p *bytecode.Program, told *record.Result, res *replay.Result) (*pipeline.Analysis, error) {
	if res.Program == nil || res.Image == nil {
		return withoutImage(p, told, res)
	}
	a, err := Without(p, res.Machine, nil)
	if err != nil {
		return nil, err
	}
	if a.Rewrite, a.RewriteErr = related(p, told, res.Program); a.RewriteErr != nil {
		a.ImageErr = a.RewriteErr
		return a, nil
	}
	if a.Image, a.ImageErr = WithBytes(res, told.Prog.Jited); a.ImageErr != nil {
		a.ImageErr = fmt.Errorf("%w: %s", a.ImageErr, res.Reason)
	}
	return a, nil
}

// withoutImage is Asked for a kernel that has shown no machine code.
func withoutImage(p *bytecode.Program, told *record.Result, res *replay.Result) (*pipeline.Analysis, error) {
	why := errors.New(res.Reason)
	a, err := Without(p, res.Machine, why)
	if err != nil || told == nil || told.Prog == nil {
		return a, err
	}
	insns, err := record.Decode(told.Prog.Xlated)
	if err != nil {
		return nil, err
	}
	x := &jit.Program{Insns: insns, Funcs: []jit.Func{{Name: p.Name, End: bytecode.PC(len(insns))}}}
	for range p.Tables {
		x.Tables = append(x.Tables, nil)
	}
	a.Rewrite, a.RewriteErr = related(p, told, x)
	return a, nil
}

// Without returns the analysis of a program up to its targets; nothing after them is known, for the
// given reason.
func Without(p *bytecode.Program, prof jit.Profile, why error) (*pipeline.Analysis, error) {
	set := rules.Of(prof.Kernel())
	r, err := set.Resolve(p)
	if err != nil {
		return nil, err
	}
	return &pipeline.Analysis{Program: p, Profile: prof, Rules: set, Succ: r, Graph: r.Graph, RewriteErr: why,
		ImageErr: why}, nil
}

// related returns the kernel's rewritten program with the places of instructions, from line
// records: an instruction without a record was removed, and the slots between two records
// belong to the first.
func related(p *bytecode.Program, told *record.Result, x *jit.Program) (*rewrite.Result, error) {
	if len(told.Prog.Lines) == 0 || told.Prog.LinesWrong {
		return nil, errors.New("the kernel does not report the new positions of the program's instructions")
	}
	out := &rewrite.Result{Program: x, Original: make([]bytecode.PC, len(x.Insns)), Xlated: make([]bytecode.PC, p.Len())}
	for i := range out.Original {
		out.Original[i] = -1
	}
	for i := range out.Xlated {
		out.Xlated[i] = jit.Deleted
	}
	for _, l := range told.Prog.Lines {
		if int(l.Insn) >= len(out.Xlated) || int(l.Xlated) >= len(out.Original) {
			return nil, fmt.Errorf("the kernel says that slot %d went to slot %d, which does not exist", l.Insn, l.Xlated)
		}
		out.Xlated[l.Insn], out.Original[l.Xlated] = bytecode.PC(l.Xlated), bytecode.PC(l.Insn)
	}
	for pc := range p.Len() - 1 {
		if p.Insns[pc].IsWide() && out.Xlated[pc] != jit.Deleted {
			out.Xlated[pc+1] = out.Xlated[pc] + 1
		}
	}
	for i := 1; i < len(out.Original); i++ {
		if out.Original[i] < 0 {
			out.Original[i] = out.Original[i-1]
		}
	}
	return out, nil
}
