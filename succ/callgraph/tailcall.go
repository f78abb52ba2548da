package callgraph

import (
	"fmt"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// tailCalls adds the edges of bpf_tail_call whose map is known.
func (p *part) tailCalls() {
	for _, c := range p.r.Exact.HelperCalls() {
		if p.p.Insns[c.PC].Imm != bytecode.HelperTailCall || !p.p.Insns[c.PC].IsHelperCall() {
			continue
		}
		sub := p.p.SubprogAt(c.PC)
		from, at := p.funcs[keyOf(p.p, sub)], c.PC-p.p.Subprogs[sub].Start
		if c.Map < 0 {
			p.edge(from, p.named(Outside, "any program", "of an unknown map"), TailCall, "", at, false)
			continue
		}
		m := &p.p.Maps[c.Map]
		if c.Inner {
			p.edge(from, p.mapNode(m), TailCall, m.Name+"[…]"+index(c.Key), at, false)
			continue
		}
		p.select1(from, at, m, c.Key)
	}
}

// select1 adds the edges of a tail call through a map: to the programs that the loader puts into
// the elements, and to the map for elements that user space fills.
func (p *part) select1(from int, at bytecode.PC, m *bytecode.Map, key int64) {
	found := false
	for _, el := range m.Elements {
		if key >= 0 && int64(el.Index) != key {
			continue
		}
		to, ok := p.entry(el.Name)
		if !ok {
			continue
		}
		p.edge(from, to, TailCall, m.Name+index(int64(el.Index)), at, false)
		found = true
	}
	if !found || key < 0 {
		p.edge(from, p.mapNode(m), TailCall, m.Name+index(key), at, false)
	}
}

// index returns an index as text: "[3]", or "[?]" if it is not constant.
func index(key int64) string {
	if key < 0 {
		return "[?]"
	}
	return fmt.Sprintf("[%d]", key)
}

// entry returns the node of the program called name.
func (b *builder) entry(name string) (int, bool) {
	for i := range b.g.Nodes {
		if n := &b.g.Nodes[i]; n.Kind == Program && n.Name == name {
			return i, true
		}
	}
	return 0, false
}
