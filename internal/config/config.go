// Package config sets the configuration of programs: the const volatile variables
// that a loader writes before it loads them, and how many entries it gives to maps.
//
//	s, err := config.Parse("CFG.flags[2]=1")        // or "limit=?" for any value
//	found, err := s.Apply(program, config.TypesOf(object))
//
// Names are those of C: members and elements go by the object's types (BTF), numbers may be names
// of an enumeration. The package changes values, or makes them unknown; the analysis finds the
// consequences.
package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/cilium/ebpf/btf"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Setting is a variable, or a part of one, and the value that it is given.
type Setting struct {
	Text string // as it was written

	path  []step // the first is the variable, or the function that it is in
	value string // "?" for unknown
}

// step is a member, or an element when name is empty.
type step struct {
	name  string
	index int64
}

// Errors that a setting may have; they are wrapped.
var (
	// ErrFolded: the variable is no configuration, the compiler has used its value.
	ErrFolded = errors.New("const without volatile: the compiler has inlined its value; " +
		"declare it const volatile")
	// ErrVariable: programs may change the variable.
	ErrVariable = errors.New("not a constant: programs may change it, so its initial value proves nothing")
)

// Parse reads NAME=VALUE. Blanks around the parts do not count.
func Parse(text string) (*Setting, error) {
	name, value, ok := strings.Cut(text, "=")
	if !ok {
		return nil, errors.New("write NAME=VALUE, or NAME=? for any value")
	}
	return New(name, value)
}

// New returns the setting of a variable, an element or a member: "CFG.flags[2]".
func New(name, value string) (*Setting, error) {
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	s := &Setting{Text: name + "=" + value, value: value}
	if value == "" {
		return nil, errors.New("write NAME=VALUE, or NAME=? for any value")
	}
	bad := fmt.Errorf("%q is not a name: write NAME, NAME.MEMBER or NAME[INDEX]", name)
	for rest := "." + name; rest != ""; {
		if inside, ok := strings.CutPrefix(rest, "["); ok {
			index, after, ok := strings.Cut(inside, "]")
			n, err := strconv.ParseInt(index, 0, 32)
			if !ok || err != nil || n < 0 || len(s.path) == 0 {
				return nil, bad
			}
			s.path, rest = append(s.path, step{index: n}), after
			continue
		}
		word, ok := strings.CutPrefix(rest, ".")
		if end := strings.IndexAny(word, ".["); end >= 0 {
			word = word[:end]
		}
		if !ok || word == "" {
			return nil, bad
		}
		s.path, rest = append(s.path, step{name: word}), rest[1+len(word):]
	}
	return s, nil
}

// in finds the variable in a map, and the steps from it to the part that is set. The symbol of a
// variable of a function is FUNCTION.NAME, so the longest name counts.
func (s *Setting) in(m *bytecode.Map) (d bytecode.DataSymbol, path []step, ok bool) {
	name := s.path[0].name
	for n := 1; ; n++ {
		i := slices.IndexFunc(m.Symbols, func(d bytecode.DataSymbol) bool { return d.Name == name })
		if i >= 0 {
			d, path, ok = m.Symbols[i], s.path[n:], true
		}
		if n == len(s.path) || s.path[n].name == "" {
			return d, path, ok
		}
		name += "." + s.path[n].name
	}
}

// Apply gives the variable its value in a program, and reports whether the program
// has it. The maps of the program are replaced by changed copies, never changed. The
// error says why the variable, or this part of it, cannot have the value.
func (s *Setting) Apply(p *bytecode.Program, t *Types) (found bool, err error) {
	if found, err := s.resize(p); found {
		return true, err
	}
	at := -1
	var d bytecode.DataSymbol
	var path []step
	for i := range p.Maps {
		m := &p.Maps[i]
		if m.Value == nil {
			continue
		}
		v, steps, ok := s.in(m)
		switch {
		case !ok:
		case !m.ReadOnly:
			err = fmt.Errorf("%s in %s is %w", v.Name, m.Name, ErrVariable)
		case at >= 0:
			return true, fmt.Errorf("%s is in both %s and %s, so the name is ambiguous", v.Name, p.Maps[at].Name, m.Name)
		default:
			at, d, path = i, v, steps
		}
	}
	if at < 0 {
		return false, err
	}
	m := p.Maps[at]
	part, err := t.resolve(m.Name, d, path, s)
	if err != nil {
		return true, err
	}
	if part.off < 0 || part.size <= 0 || part.off+part.size > int64(len(m.Value)) {
		return true, fmt.Errorf("%s lies outside its section", s.Text)
	}
	whole := bytecode.DataSymbol{Name: s.Target(), Off: part.off, Size: part.size, Config: true}
	if s.value == "?" {
		m.Unknown = forget(m.Unknown, whole)
	} else {
		value := slices.Clone(m.Value)
		if err := s.store(p, value[part.off:part.off+part.size], part); err != nil {
			return true, err
		}
		m.Value, m.Unknown = value, know(m.Unknown, part.off, part.size)
	}
	p.Maps = slices.Clone(p.Maps)
	p.Maps[at] = m
	return true, nil
}

// resize gives a map of the program its number of entries, and reports whether the setting has the
// form MAP.max_entries=N. Loaders set it before they create maps.
func (s *Setting) resize(p *bytecode.Program) (found bool, err error) {
	if len(s.path) != 2 || s.path[1].name != "max_entries" {
		return false, nil
	}
	i := slices.IndexFunc(p.Maps, func(m bytecode.Map) bool { return m.Name == s.path[0].name && m.Symbols == nil })
	if i < 0 {
		return false, nil
	}
	var n uint64
	if s.value != "?" {
		n, err = strconv.ParseUint(s.value, 0, 32)
		if err != nil || n == 0 {
			return true, fmt.Errorf("%s: %q is not a number of entries (1 to 2^32-1)", s.Target(), s.value)
		}
	}
	p.Maps = slices.Clone(p.Maps)
	p.Maps[i].MaxEntries = uint32(n)
	return true, nil
}

// Forget makes all configuration of a program unknown.
func Forget(p *bytecode.Program) {
	q, _ := p.Unconfigured()
	p.Maps = q.Maps
}

// forget adds a range to a list of unknown ones, which do not overlap.
func forget(list []bytecode.DataSymbol, d bytecode.DataSymbol) []bytecode.DataSymbol {
	out := append(know(list, d.Off, d.Size), d)
	slices.SortFunc(out, func(a, b bytecode.DataSymbol) int { return int(a.Off - b.Off) })
	return out
}

// know removes a range from a list of unknown ones.
func know(list []bytecode.DataSymbol, off, size int64) []bytecode.DataSymbol {
	var out []bytecode.DataSymbol
	for _, u := range list {
		if u.Off+u.Size <= off || u.Off >= off+size {
			out = append(out, u)
			continue
		}
		if front := u; front.Off < off {
			front.Size = off - front.Off
			out = append(out, front)
		}
		if back := u; back.Off+back.Size > off+size {
			back.Size -= off + size - back.Off
			back.Off = off + size
			out = append(out, back)
		}
	}
	return out
}

// store writes the value of a number, or of an enumeration's name.
func (s *Setting) store(p *bytecode.Program, bytes []byte, part part) error {
	if part.size != 1 && part.size != 2 && part.size != 4 && part.size != 8 {
		return fmt.Errorf("%s has %d bytes: only numbers of 1, 2, 4 or 8 bytes can be set", s.Target(), part.size)
	}
	if part.shift+part.bits > uint64(8*part.size) {
		return fmt.Errorf("%s is a bit field of a packed structure: those cannot be set", s.Target())
	}
	v, negative, ok := number(s.value)
	if !ok {
		if v, ok = part.enumerator(s.value); !ok {
			return fmt.Errorf("%s: %q is not a number%s", s.Target(), s.value, part.enumerators())
		}
	}
	bits := uint(8 * part.size)
	if part.bits > 0 {
		bits = uint(part.bits)
	}
	fits := bits == 64 || v>>bits == 0
	if negative {
		fits = int64(v)>>(bits-1) == -1
	}
	if !fits {
		return fmt.Errorf("%s: the value does not fit in %d bits", s.Target(), bits)
	}
	if part.bits > 0 {
		if p.BigEndian {
			return fmt.Errorf("%s is a bit field of an object for big-endian machines: those cannot be set", s.Target())
		}
		mask := uint64(1)<<bits - 1
		v = p.Number(bytes)&^(mask<<part.shift) | v&mask<<part.shift
	}
	for i := range part.size {
		at := i
		if p.BigEndian {
			at = part.size - 1 - i
		}
		bytes[at] = byte(v >> (8 * i))
	}
	return nil
}

// Number reports whether the value is a number, or ? for any: not the name of one.
func (s *Setting) Number() bool {
	_, _, ok := number(s.value)
	return ok || s.value == "?"
}

// Target returns the name that is set, without the value.
func (s *Setting) Target() string { return strings.TrimSuffix(s.Text, "="+s.value) }

// number reads a decimal, hexadecimal, octal or binary number, or true or false.
func number(text string) (v uint64, negative, ok bool) {
	switch text {
	case "true":
		return 1, false, true
	case "false":
		return 0, false, true
	}
	if v, err := strconv.ParseUint(text, 0, 64); err == nil {
		return v, false, true
	}
	n, err := strconv.ParseInt(text, 0, 64)
	return uint64(n), err == nil, err == nil
}

// btfErr describes why an object has no types.
func btfErr(err error) string {
	if errors.Is(err, btf.ErrNotFound) {
		return "the object has no types (BTF)"
	}
	return "the object's types (BTF) cannot be read"
}
