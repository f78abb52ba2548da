package config

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/cilium/ebpf/btf"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Types are the types of an object's variables. The zero value, and nil, is an object
// without types: variables have their size only.
type Types struct {
	spec *btf.Spec
	err  error
}

// TypesOf reads the types of an ELF object. If it has none, the error is reported when a
// setting needs them.
func TypesOf(object []byte) *Types {
	spec, err := btf.LoadSpecFromReader(bytes.NewReader(object))
	return &Types{spec, err}
}

// part is the place that a setting changes.
type part struct {
	off, size   int64    // bytes in the section
	shift, bits uint64   // of a bit field, in its storage; 0 bits for none
	typ         btf.Type // nil when unknown
}

// resolve finds the bytes of a setting in a variable of a section.
func (t *Types) resolve(section string, d bytecode.DataSymbol, path []step, s *Setting) (part, error) {
	whole := part{off: d.Off, size: d.Size}
	var v *btf.Var
	if t != nil && t.err == nil && t.spec != nil {
		v = t.variable(section, d.Name)
	}
	if v == nil {
		if len(path) == 0 {
			return whole, nil
		}
		why := "the types do not have the variable"
		if t != nil && t.err != nil {
			why = btfErr(t.err)
		}
		return part{}, fmt.Errorf("%s: %s, so members and elements cannot be named", s.Target(), why)
	}
	w := walker{part: whole, s: s, said: d.Name}
	w.part.typ = v.Type
	for _, st := range path {
		if err := w.step(st); err != nil {
			return part{}, err
		}
	}
	w.plain()
	if !w.volatile && !d.Config {
		return part{}, fmt.Errorf("%s is %w", d.Name, ErrFolded)
	}
	if s.value != "?" {
		switch typ := w.part.typ.(type) {
		case *btf.Struct, *btf.Union:
			return part{}, fmt.Errorf("%s is a structure: name a member, or give ?", w.said)
		case *btf.Array:
			return part{}, fmt.Errorf("%s is an array of %d: name an element, or give ?", w.said, typ.Nelems)
		}
	}
	return w.part, nil
}

// variable finds the type of a variable of a section, nil for none. A section may have
// a prefix, as loaders name it.
func (t *Types) variable(section, name string) *btf.Var {
	for typ, err := range t.spec.All() {
		if err != nil {
			return nil
		}
		sec, ok := typ.(*btf.Datasec)
		if !ok || !strings.HasSuffix(section, sec.Name) {
			continue
		}
		for _, info := range sec.Vars {
			if v, ok := info.Type.(*btf.Var); ok && v.Name == name {
				return v
			}
		}
	}
	return nil
}

// walker goes down into a type.
type walker struct {
	part     part
	s        *Setting
	said     string // the path so far, in C syntax
	volatile bool
}

// maxQualifiers bounds typedefs and qualifiers of one type.
const maxQualifiers = 64

// plain removes typedefs and qualifiers from the type, and records a volatile.
func (w *walker) plain() {
	for range maxQualifiers {
		switch t := w.part.typ.(type) {
		case *btf.Volatile:
			w.volatile, w.part.typ = true, t.Type
		case *btf.Const:
			w.part.typ = t.Type
		case *btf.Restrict:
			w.part.typ = t.Type
		case *btf.Typedef:
			w.part.typ = t.Type
		case *btf.TypeTag:
			w.part.typ = t.Type
		default:
			return
		}
	}
}

// step goes to a member or an element.
func (w *walker) step(st step) error {
	w.plain()
	if st.name == "" {
		a, ok := w.part.typ.(*btf.Array)
		if !ok {
			return fmt.Errorf("%s: %s is not an array", w.s.Target(), w.said)
		}
		if st.index >= int64(a.Nelems) {
			return fmt.Errorf("%s: %s has %d elements", w.s.Target(), w.said, a.Nelems)
		}
		size, err := btf.Sizeof(a.Type)
		if err != nil {
			return fmt.Errorf("%s: %w", w.s.Target(), err)
		}
		w.part = part{off: w.part.off + st.index*int64(size), size: int64(size), typ: a.Type}
		w.said += fmt.Sprintf("[%d]", st.index)
		return nil
	}
	m, off, err := member(w.part.typ, st.name)
	if err != nil {
		return fmt.Errorf("%s: %s %w", w.s.Target(), w.said, err)
	}
	size, err := btf.Sizeof(m.Type)
	if err != nil {
		return fmt.Errorf("%s: %w", w.s.Target(), err)
	}
	at := part{off: w.part.off + int64(off/8), size: int64(size), typ: m.Type}
	if m.BitfieldSize > 0 { // its storage begins at a multiple of its size
		unit := btf.Bits(8 * size)
		at.off = w.part.off + int64(off/unit)*int64(size)
		at.shift, at.bits = uint64(off%unit), uint64(m.BitfieldSize)
	}
	w.part = at
	w.said += "." + st.name
	return nil
}

// members returns those of a structure or union.
func members(t btf.Type) ([]btf.Member, bool) {
	switch t := btf.UnderlyingType(t).(type) {
	case *btf.Struct:
		return t.Members, true
	case *btf.Union:
		return t.Members, true
	}
	return nil, false
}

// member finds a member by its name, also in anonymous structures and unions, and
// returns its offset in the outermost one.
func member(t btf.Type, name string) (btf.Member, btf.Bits, error) {
	type level struct {
		t   btf.Type
		off btf.Bits
	}
	if _, ok := members(t); !ok {
		return btf.Member{}, 0, errors.New("is not a structure")
	}
	const most = 10_000 // types refer to each other: a damaged object must end, too
	queue := []level{{t, 0}}
	for n := 0; n < len(queue) && n < most; n++ {
		list, _ := members(queue[n].t)
		for _, m := range list {
			off := queue[n].off + m.Offset
			switch m.Name {
			case name:
				return m, off, nil
			case "":
				queue = append(queue, level{m.Type, off})
			}
		}
	}
	return btf.Member{}, 0, fmt.Errorf("has no member %s", name)
}

// enumerator returns the value of a name of the part's enumeration.
func (p part) enumerator(name string) (uint64, bool) {
	if e, ok := p.typ.(*btf.Enum); ok {
		for _, v := range e.Values {
			if v.Name == name {
				return v.Value & (1<<(8*p.size-1)<<1 - 1), true
			}
		}
	}
	return 0, false
}

// enumerators lists the names of the part's enumeration for a message.
func (p part) enumerators() string {
	e, ok := p.typ.(*btf.Enum)
	if !ok {
		return ""
	}
	const most = 8
	var names []string
	for _, v := range e.Values[:min(len(e.Values), most)] {
		names = append(names, v.Name)
	}
	if len(e.Values) > most {
		names = append(names, "…")
	}
	return " and none of " + strings.Join(names, ", ")
}
