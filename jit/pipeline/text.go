package pipeline

import "github.com/bpfcfg/bpfcfg/cfg/bytecode"

// XlatedProgram returns the rewritten program in the form of a Program, so that its instructions
// print with the names of their references. It is nil without a rewritten program.
func (a *Analysis) XlatedProgram() *bytecode.Program {
	if a.Rewrite == nil {
		return nil
	}
	x := a.Rewrite.Program
	p := &bytecode.Program{
		Name: a.Program.Name, Section: a.Program.Section, Insns: x.Insns, Refs: x.Refs, Maps: a.Program.Maps,
		Tables: a.Program.Tables, Rewritten: true,
	}
	for _, f := range x.Funcs {
		p.Subprogs = append(p.Subprogs, bytecode.Subprogram{Name: f.Name, Start: f.Start, End: f.End})
	}
	return p
}
