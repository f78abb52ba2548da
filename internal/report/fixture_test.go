package report

import (
	"strings"

	"github.com/bpfcfg/bpfcfg/internal/check"
)

// fixture is a report with one of everything that formats treat differently:
// places with and without a C line, a path, related places, the kernel's words,
// a finding that the baseline accepts, failures, and names made to do harm.
func fixture() *Report {
	r := &Report{Profile: "linux-7.3", FailOn: check.Error, Shard: Shard{Part: 1, Parts: 1}}
	line := func(insn, line, col int, text string) Place {
		return Place{Insn: insn, File: "src/prog.c", Line: line, Col: col, Text: text}
	}
	r.Add(Input{Name: "z/evil\x1b[31m.o", Object: "z/evil\x1b[31m.o", Programs: []Program{{
		Name: "a|b\n::error::c", Section: "xdp<x>", Insns: 9,
		Findings: []Finding{{
			ID: check.WideTable, Level: check.Warning, Function: "f\u202e", Block: 2,
			Place:   Place{Insn: 4, File: "dir with space/ü,1:2.c", Line: 7, Text: "</failure>]]>\x00"},
			Message: "100% \"wrong\" & <more>\r\nthan a line", Fingerprint: "00000000000000f3",
		}},
	}}})
	r.Add(Input{Name: "b.o", Object: "b.o", Findings: []Finding{{ID: check.LoaderRefuses, Level: check.Warning, Block: -1,
		Place: Place{Insn: -1}, Message: "libbpf refuses it", Fingerprint: "00000000000000f5"}}, Programs: []Program{
		{Name: "clean", Section: "xdp", Insns: 3, Findings: []Finding{}},
		{Name: "filter", Section: "xdp", Insns: 40, Findings: []Finding{
			{
				ID: check.Unreachable, Level: check.Error, Function: "filter", Block: 3, Place: line(17, 42, 3, "return 0;"),
				Message: "no control flow reaches insn 17 to 20", Kernel: "unreachable insn 17",
				Fix: check.Unreachable.Info().Fix, Fingerprint: "00000000000000f1",
			},
			{
				ID: check.DeadBranch, Level: check.Note, Function: "parse", Block: 5, Place: line(23, 50, 0, ""),
				Message: "the branch is never taken", Fix: "remove the test", Fingerprint: "00000000000000f2",
				Related: []Related{{line(30, 60, 2, ""), "dead: first of 2 blocks"}, {Place{Insn: 31}, "no line"}},
				Path: []Step{
					{line(3, 40, 1, ""), 0, "if r1 == 0 goto pc+4", 0},
					{line(9, 45, 1, ""), 2, "goto pc+1", 90},
					{line(23, 50, 0, ""), 5, "if r2 > 3 goto pc+9", 0},
				},
			},
			{
				ID: check.MaxInsns, Level: check.Error, Function: "filter", Block: -1, Place: Place{Insn: -1},
				Message: "the program has 40 instruction slots, more than 30", Fingerprint: "00000000000000f4", Accepted: true,
			},
		}},
		{Name: "broken", Section: "tc", Insns: 2, Error: "slot 1: no such thing", Findings: []Finding{}},
	}}, Input{Name: "a.o", Object: "a.o", Error: "a.o: not an ELF object", Programs: []Program{}})
	r.Removable = []Accepted{{"b.o", "clean", check.DeadBranch, "clean", "00000000000000aa", "it was dead"}}
	return r
}

// controls returns the characters in s that drive a terminal or a reader.
func controls(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' || r == 0x7f || r >= 0x202a && r <= 0x202e {
			return r
		}
		return -1
	}, s)
}
