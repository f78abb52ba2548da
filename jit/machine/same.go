package machine

import "slices"

// Same reports whether two programs without addresses are equal.
func (p *Program) Same(q *Program) bool {
	return p == q || slices.Equal(p.Insns, q.Insns) && slices.Equal(p.Funcs, q.Funcs) && slices.Equal(p.Refs, q.Refs) &&
		slices.Equal(p.IndirectTarget, q.IndirectTarget) && slices.EqualFunc(p.Tables, q.Tables, slices.Equal) &&
		p.ArenaStart == q.ArenaStart && p.UserStart == q.UserStart && p.ArenaUsed == q.ArenaUsed &&
		p.Classic == q.Classic && p.Unprivileged == q.Unprivileged && slices.Equal(p.TailCalls, q.TailCalls) &&
		slices.Equal(p.ArenaArgs, q.ArenaArgs)
}
