package check

import (
	"fmt"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/succ/hazard"
)

// hazardous reports what package hazard finds for the profile's kernel, which has one entry per
// jump and target: here jumps into another function count once per jump and function, targets that
// rewriting breaks once per target.
func (c *context) hazardous() {
	seen := map[string]int{} // by what counts once, to its place in found
	for _, h := range hazard.Find(c.p, c.a.Succ, c.a.Rewrite, c.a.Rules) {
		id, pc, key, text := c.hazard(h)
		at, told := seen[string(id)+key]
		if !told {
			f := c.add(id, pc, text)
			other := Related{c.location(h.PC), h.PC, "jump"}
			if pc == h.PC {
				f.key = key
				other = Related{c.location(h.Target), h.Target, "target"}
			}
			f.Related = []Related{other}
			at = c.place(f)
			seen[string(id)+key] = at
		}
		if h.Kind == hazard.Deleted && h.Selected {
			if at < 0 {
				c.left.raise(id, Error)
				continue
			}
			c.found[at].Level = Error
		}
	}
}

// hazard returns the finding for a hazard: its kind, the place where it is reported, a key
// that distinguishes it from others of the kind, and its message.
func (c *context) hazard(h hazard.Hazard) (id ID, pc bytecode.PC, key, text string) {
	switch h.Kind {
	case hazard.Foreign:
		from, to := functionName(c.p, c.p.SubprogAt(h.PC)), functionName(c.p, c.p.SubprogAt(h.Target))
		return ForeignTarget, h.PC, to, fmt.Sprintf("this jump can go to insn %d of %s, in the stack frame of %s", h.Target,
			to, from)
	case hazard.Unverified:
		return UnverifiedTarget, h.PC, h.PC.String(), fmt.Sprintf("this jump can go to insn %d, but the verifier has "+
			"followed only other targets", h.Target)
	case hazard.Deleted:
		return NopTarget, h.Target, h.Target.String(), fmt.Sprintf("Linux deletes \"%s\", and the jump at insn %d then goes "+
			"to address 0", c.p.Text(h.Target), h.PC)
	case hazard.Moved:
		return EntryTarget, h.Target, h.Target.String(), fmt.Sprintf("the jump at insn %d can come here, but Linux "+
			"inserts code before this instruction", h.PC)
	}
	panic("bug: unknown hazard " + string(h.Kind))
}
