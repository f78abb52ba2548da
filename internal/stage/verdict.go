package stage

import (
	"fmt"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/succ/hazard"
)

// kernelVerdict returns the verdict of the rules of the profile's kernel, and the hazards on a
// kernel that accepts the program.
func kernelVerdict(a *pipeline.Analysis) (verdictDoc, []hazard.Hazard) {
	d := verdictDoc{Rules: a.Rules.Name, Verdict: "accept", Insn: -1}
	r := a.Verdict()
	switch {
	case !r.Accept:
		d.Verdict, d.Message, d.Insn = "reject", r.Text(), int(r.PC)
		return d, nil
	case a.Rules.Undecided(a.Program):
		d.Verdict, d.Message, d.Insn = "unknown", r.May.Text(), int(r.May.PC)
		return d, nil
	}
	return d, hazard.Find(a.Program, a.Succ, a.Rewrite, a.Rules)
}

// text is the verdict as text. It never says "accepted": only a kernel can accept a program.
func (d *verdictDoc) text() string {
	if d.Message == "" {
		return "not refused"
	}
	s := "refused: " + visible.Text(d.Message)
	if d.Verdict == "unknown" {
		s = "unknown: " + visible.Text(d.Message)
	}
	if d.Insn >= 0 {
		s += fmt.Sprintf(" (insn %d)", d.Insn)
	}
	return s
}

// hazardDoc is a hazard in the JSON of show --stage succ.
type hazardDoc struct {
	Kind     string `json:"kind"`
	Insn     int    `json:"insn"`
	Target   int    `json:"target"`
	Table    string `json:"table"`
	Entries  []int  `json:"entries"`
	Selected bool   `json:"selected"`
	Path     []int  `json:"path"`
	Message  string `json:"message"`
}

func hazardDocs(found []hazard.Hazard) []hazardDoc {
	out := []hazardDoc{}
	for _, h := range found {
		out = append(out, hazardDoc{
			string(h.Kind), int(h.PC), int(h.Target), h.Table, Ints(h.Entries), h.Selected, Ints(h.Path), h.Text,
		})
	}
	return out
}

// pathText lists slots: "0 → 8 → 9".
func pathText(pcs []bytecode.PC) string {
	if len(pcs) == 0 {
		return "unknown"
	}
	var b strings.Builder
	for i, pc := range pcs {
		if i > 0 {
			b.WriteString(" → ")
		}
		fmt.Fprint(&b, pc)
	}
	return b.String()
}
