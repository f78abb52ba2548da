package main

import (
	"fmt"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
	"github.com/bpfcfg/bpfcfg/succ/hazard"
)

// kernelVerdict returns what the rule set that was asked for says of the program,
// and what goes wrong with it on a kernel that accepts it. A kernel that computes
// values in another way than the default one is asked with facts of its own.
func kernelVerdict(v *view) (verdictDoc, []hazard.Hazard, error) {
	res := v.a.Succ
	if !v.rules.SameValues() {
		var err error
		if res, err = v.rules.Resolve(v.program); err != nil {
			return verdictDoc{}, nil, err
		}
	}
	d := verdictDoc{Rules: v.rules.Name, Verdict: "accept", Insn: -1}
	if r := v.rules.Check(v.program, res); !r.Accept {
		d.Verdict, d.Message, d.Insn = "reject", r.Message, int(r.PC)
		return d, nil, nil
	}
	x := v.a.Xlated
	if !v.rules.SameValues() || !strings.HasPrefix(v.a.Profile.Name, v.rules.Name) {
		x = nil
		prof, err := jit.LookupProfile(v.rules.Name)
		if err == nil && !v.program.Rewritten { // development trees have no profile
			x, _ = rewrite.Predict(v.program, pipeline.Facts(v.program, res), prof, v.options)
		}
	}
	return d, hazard.Find(v.program, res, x, v.rules), nil
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
			string(h.Kind), int(h.PC), int(h.Target), h.Table, ints(h.Entries), h.Selected, ints(h.Path), h.Text,
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
