package load

// volatileVars returns the names of the variables of a data section that are volatile
// in C. A constant that is volatile is configuration: the compiler may not assume its
// value, because a loader may set it before it loads the program.
func (o *object) volatileVars(section string) map[string]bool {
	out := map[string]bool{}
	if o.types == nil {
		return out
	}
	id, ok := o.types.find(kindDatasec, section)
	if !ok {
		return out
	}
	t := o.types.at(id)
	for i := range t.vlen {
		v := o.types.variable(t, i)
		if o.types.isVolatile(o.types.at(v.typ).size) {
			out[v.name] = true
		}
	}
	return out
}

// isVolatile reports whether a type is volatile below typedefs, const, and arrays of
// it.
func (b *btfTypes) isVolatile(id uint32) bool {
	for range btfMaxDepth {
		t := b.at(id)
		switch t.kind {
		case kindVolatile:
			return true
		case kindTypedef, kindConst, kindRestrict, kindTypeTag:
			id = t.size
		case kindArray:
			id = b.word(t, 0)
		default:
			return false
		}
	}
	return false
}
