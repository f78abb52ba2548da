package bytecode

// KeySite is an object's note that a static key controls an instruction.
type KeySite struct {
	PC   PC
	Name string // of the key, a map of the object
}

// Key is a static key within one program: a set of jumps that are switched together at run time
// between jumping and doing nothing.
type Key struct {
	Name  string // empty for a jump that no key of the object names
	Jumps []KeyJump
}

// KeyJump is a jump that a static key controls.
type KeyJump struct {
	PC     PC
	Next   PC   // where control continues when the jump is a nop
	Target PC   // where it jumps to
	Taken  bool // whether it jumps initially
}

// Keys returns the static keys of a program in the order of their first jumps, and the jumps of
// each by slot. A jump that belongs to no key of the object is a key of its own without a name. A
// site that is not such a jump is left out.
//
// A key of an object may have jumps in several programs. Keys with the same name are one key, and
// in the kernel each program has its own copy of it.
//
// Source: the RFC series "BPF static keys" (2023 to 2025), which no kernel has yet.
func Keys(p *Program) []Key {
	name := make(map[PC]string, len(p.KeySites))
	for _, s := range p.KeySites {
		name[s.PC] = s.Name
	}
	var keys []Key
	index := map[string]int{}
	for pc := PC(0); pc < p.Len(); pc += p.Insns[pc].Slots() {
		f := p.Flow(pc)
		if f.Kind != FlowKey {
			continue
		}
		j := KeyJump{PC: pc, Next: f.Next, Target: f.Target, Taken: f.Jumps}
		n := name[pc]
		if i, ok := index[n]; ok && n != "" {
			keys[i].Jumps = append(keys[i].Jumps, j)
			continue
		}
		index[n] = len(keys)
		keys = append(keys, Key{Name: n, Jumps: []KeyJump{j}})
	}
	return keys
}
