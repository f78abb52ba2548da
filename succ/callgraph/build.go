package callgraph

import (
	"cmp"
	"slices"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/succ"
)

// builder is the state of Of.
type builder struct {
	g       *Graph
	in      *Input
	funcs   map[key]int    // nodes of functions
	maps    map[string]int // nodes of maps, by name
	outside map[string]int // other nodes, by name
	edges   map[edgeKey]int
	pads    []pad
	counted map[place]bool // landing pads
}

// place is an instruction of a function's node.
type place struct {
	node int
	at   bytecode.PC
}

// key names a function: From of an object's, else the program and its subprogram.
type key struct {
	from    int
	program *bytecode.Program
	sub     int
}

// keyOf returns the key of a subprogram.
func keyOf(p *bytecode.Program, sub int) key {
	if from := p.Subprogs[sub].From; from > 0 {
		return key{from: from}
	}
	return key{program: p, sub: sub}
}

// edgeKey identifies an edge: there is one for each.
type edgeKey struct {
	from, to int
	kind     Kind
	label    string
}

// pad is a call that unwinds to a landing pad when the callee throws.
type pad struct {
	from, to int // nodes: the caller, the callee
	at       bytecode.PC
}

// node appends a node and returns its index.
func (b *builder) node(n Node) int {
	b.g.Nodes = append(b.g.Nodes, n)
	return len(b.g.Nodes) - 1
}

// addFunctions makes the nodes of functions: programs first.
func (b *builder) addFunctions() {
	for i := range b.in.Parts {
		if part := &b.in.Parts[i]; !part.Uncalled {
			b.function(part.Program, 0, Program)
		}
	}
	for i, f := range b.in.Functions {
		k := key{from: i + 1}
		if _, ok := b.funcs[k]; !ok {
			b.funcs[k] = b.node(Node{Kind: Function, Name: f.Name, Section: f.Section, Insns: int(f.Len), Global: f.Global})
		}
	}
	for i := range b.in.Parts {
		part := &b.in.Parts[i]
		for sub := range part.Program.Subprogs {
			n := &b.g.Nodes[b.function(part.Program, sub, Function)]
			n.Called = n.Called || !part.Uncalled
		}
	}
}

// function returns the node of a subprogram.
func (b *builder) function(p *bytecode.Program, sub int, kind NodeKind) int {
	k := keyOf(p, sub)
	if i, ok := b.funcs[k]; ok {
		return i
	}
	s := &p.Subprogs[sub]
	n := Node{Kind: kind, Name: s.Name, Section: ".text", Insns: int(s.End - s.Start), Global: s.Global}
	if sub == 0 {
		n.Name, n.Section = cmp.Or(s.Name, p.Name), p.Section
	}
	if n.Name == "" {
		n.Name = s.Label()
	}
	b.funcs[k] = b.node(n)
	return b.funcs[k]
}

// edge adds an edge, or adds the place to an edge that exists.
func (b *builder) edge(from, to int, kind Kind, label string, at bytecode.PC, dead bool) {
	k := edgeKey{from, to, kind, label}
	i, ok := b.edges[k]
	if !ok {
		i = len(b.g.Edges)
		b.edges[k] = i
		b.g.Edges = append(b.g.Edges, Edge{From: from, To: to, Kind: kind, Label: label, Dead: dead})
	}
	e := &b.g.Edges[i]
	e.Dead = e.Dead && dead
	if at >= 0 {
		if j, found := slices.BinarySearch(e.At, at); !found {
			e.At = slices.Insert(e.At, j, at)
		}
	}
}

// named returns the node of something that is known by its name alone.
func (b *builder) named(kind NodeKind, name, note string) int {
	k := string(kind) + "\x00" + name
	i, ok := b.outside[k]
	if !ok {
		i = b.node(Node{Kind: kind, Name: name, Note: note})
		b.outside[k] = i
	}
	return i
}

// mapNode returns the node of a map.
func (b *builder) mapNode(m *bytecode.Map) int {
	i, ok := b.maps[m.Name]
	if !ok {
		i = b.node(Node{Kind: Map, Name: m.Name, Type: m.Type})
		b.maps[m.Name] = i
	}
	return i
}

// part is a program that is being added to the graph.
type part struct {
	*builder
	p *bytecode.Program
	r *succ.Result // nil when it could not be analysed
	// mentioned are the functions whose address a function takes, knownCalls those that it
	// is known to call otherwise, as pairs of nodes.
	mentioned  []mention
	knownCalls map[[2]int]bool
}

// mention is a function whose address is taken.
type mention struct {
	from, to int
	at       bytecode.PC
}

// addPart adds the edges of a program.
func (b *builder) addPart(in *Part) {
	p := &part{builder: b, p: in.Program, r: in.Result, knownCalls: map[[2]int]bool{}}
	if p.r == nil && !in.Uncalled {
		b.g.Unknown = append(b.g.Unknown, in.Program.Name)
	}
	for sub, s := range p.p.Subprogs {
		for pc := s.Start; pc < s.End; pc += p.p.Insns[pc].Slots() {
			p.code(sub, pc)
		}
	}
	p.countPads()
	if p.r != nil {
		p.followed()
		p.tailCalls()
	}
	for _, m := range p.mentioned {
		if !p.knownCalls[[2]int{m.from, m.to}] {
			b.edge(m.from, m.to, Address, "", m.at, false)
		}
	}
	if p.p.Type == "ext" && p.p.AttachTo != "" {
		to := b.named(Outside, p.p.AttachTo, "function of another program")
		b.edge(b.funcs[keyOf(p.p, 0)], to, Replaces, "", -1, false)
	}
}

// dead reports whether it is known that no execution reaches an instruction.
func (p *part) dead(pc bytecode.PC) bool { return p.r != nil && !p.r.Exact.Reached(pc) }

// code adds the edges of an instruction by itself.
func (p *part) code(sub int, pc bytecode.PC) {
	from, at := p.funcs[keyOf(p.p, sub)], pc-p.p.Subprogs[sub].Start
	f := p.p.Flow(pc)
	if f.Kind == bytecode.FlowCall {
		if to := p.p.SubprogAt(f.Callee); to >= 0 {
			callee := p.funcs[keyOf(p.p, to)]
			p.edge(from, callee, Call, "", at, p.dead(pc))
			p.pad(from, callee, pc, at)
		}
	}
	ref, ok := p.p.RefAt(pc)
	if !ok {
		return
	}
	switch ref.Kind {
	case bytecode.RefMap, bytecode.RefMapValue:
		p.edge(from, p.mapNode(&p.p.Maps[ref.Index]), Uses, "", at, p.dead(pc))
	case bytecode.RefFunc:
		if to := p.p.SubprogAt(bytecode.PC(ref.Index)); to >= 0 {
			p.mentioned = append(p.mentioned, mention{from, p.funcs[keyOf(p.p, to)], at})
		}
	case bytecode.RefUnknown:
		p.edge(from, p.named(Outside, ref.Name, "defined elsewhere"), Call, "", at, p.dead(pc))
	case bytecode.RefKfunc:
		if ref.Name == "bpf_throw" && !p.dead(pc) {
			p.g.Nodes[from].Throws = true
		}
	}
}

// followed adds the edges that the analysis found: callbacks, indirect calls and
// exceptions.
func (p *part) followed() {
	g := p.r.Graph
	for _, in := range p.r.Indirect {
		if in.Op == "callx" && in.Reached && in.Status == succ.Unresolved {
			sub := p.p.SubprogAt(in.PC)
			to := p.named(Outside, "any function", "of an indirect call with unknown targets")
			p.edge(p.funcs[keyOf(p.p, sub)], to, Callx, "", in.PC-p.p.Subprogs[sub].Start, false)
		}
	}
	for i, e := range g.Edges() {
		blk := g.Blocks[e.From]
		dead := !p.r.Exact.EdgeFeasible(i)
		var kind Kind
		switch {
		case e.Kind == cfg.Callback:
			kind = Callback
		case e.Kind == cfg.Call && p.p.Insns[blk.Last].IsCallx():
			kind = Callx
		case e.Kind == cfg.Exception: // no state is passed: the callback has its own arguments
			kind, dead = Exception, p.dead(blk.Last)
		default:
			continue
		}
		from, to := p.funcs[keyOf(p.p, blk.Sub)], p.funcs[keyOf(p.p, g.Blocks[e.To].Sub)]
		p.knownCalls[[2]int{from, to}] = true
		at := blk.Last - p.p.Subprogs[blk.Sub].Start
		p.edge(from, to, kind, "", at, dead)
		if kind == Callx {
			p.pad(from, to, blk.Last, at)
		}
	}
}
