package picture

import (
	"fmt"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/explain"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
)

// maxDeadReasons bounds the blocks that get a reason.
const maxDeadReasons = 500

// deadReasons says why blocks are dead.
type deadReasons struct {
	x *explain.Explainer
	n int
}

// of returns why no execution reaches a block: first the value that decides, "r2 in [0,9]", then
// the place.
func (d *deadReasons) of(a *pipeline.Analysis, b cfg.BlockID) string {
	const plain = "no execution reaches this block"
	if d.n++; d.n > maxDeadReasons {
		return plain
	}
	why := d.x.Dead(b)
	if len(why) == 0 {
		return plain
	}
	r := why[0]
	text := r.Text
	switch {
	case r.Kind == "table":
		if where, known, ok := strings.Cut(text, ": "); ok {
			text = known + "; " + where
		}
	case r.Kind == "edge" && r.Insn >= 0:
		if v := valuesAt(a.Program, bytecode.PC(r.Insn), r.Facts); v != "" {
			text = v + ": " + text
		}
	}
	if r.Source != nil && r.Source.Line > 0 {
		text += fmt.Sprintf(" (line %d)", r.Source.Line)
	}
	return text
}

// valuesAt returns the facts before a branch about its registers, if there is only one state:
// "R2=9".
func valuesAt(p *bytecode.Program, pc bytecode.PC, facts []string) string {
	if len(facts) != 1 {
		return ""
	}
	in := p.Insns[pc]
	var out []string
	for _, word := range strings.Fields(facts[0]) {
		name, value, ok := strings.Cut(word, "=")
		mine := strings.EqualFold(name, in.Dst.String()) || in.Source() != 0 && strings.EqualFold(name, in.Src.String())
		if ok && mine && value != "" {
			out = append(out, strings.ToLower(name)+" = "+value)
		}
	}
	return strings.Join(out, ", ")
}
