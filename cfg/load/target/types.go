package target

import (
	"strings"

	"github.com/cilium/ebpf/btf"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// types implements bytecode.Types with the types of the kernel itself.
type types struct {
	spec *btf.Spec
}

// Types returns the kernel's types of pointers, for Program.Kernel.
func (k *Kernel) Types() bytecode.Types { return &types{k.types} }

// Struct returns the number of a structure.
func (t *types) Struct(name string) int32 {
	var s *btf.Struct
	if t.spec.TypeByName(name, &s) != nil {
		return 0
	}
	return t.number(s)
}

// number returns the number of a type.
func (t *types) number(typ btf.Type) int32 {
	id, err := t.spec.TypeID(typ)
	if err != nil || id >= 1<<23 {
		return 0
	}
	return int32(id)
}

// find returns the first type of a kind and name of the kernel itself.
func findIn[T btf.Type](t *types, name string) (T, bool) {
	list, _ := t.spec.AnyTypesByName(name)
	for _, typ := range list {
		if found, ok := typ.(T); ok {
			return found, true
		}
	}
	var none T
	return none, false
}

// Member implements bytecode.Types (kernel/bpf/verifier.c check_ptr_to_btf_access,
// Linux 7.3).
func (t *types) Member(p *bytecode.Program, base bytecode.Pointer, off int64, size int) bytecode.Pointer {
	unknown := bytecode.Pointer{}
	typ, err := t.spec.TypeByID(btf.TypeID(base.Type))
	if base.Type == 0 || err != nil {
		return unknown
	}
	if members(btf.UnderlyingType(typ)) == nil { // to an unknown number of bytes
		return bytecode.Pointer{Kind: bytecode.PointerNumber}
	}
	w := walk{off: off, size: int64(size), outer: btf.UnderlyingType(typ).TypeName()}
	if !w.object(typ) {
		return unknown
	}
	if w.number {
		return bytecode.Pointer{Kind: bytecode.PointerNumber}
	}
	out := bytecode.Pointer{Kind: bytecode.PointerObject, Type: t.number(w.to)}
	if base.Kind != bytecode.PointerTrusted && base.Kind != bytecode.PointerRCU || w.plain {
		return out
	}
	inside := insideRCU(p)
	switch {
	case t.listed(&w, "__safe_trusted"):
		out.Kind = bytecode.PointerTrusted
	case t.listed(&w, "__safe_trusted_or_null"):
		out.Kind, out.Null = bytecode.PointerTrusted, true
	case inside == no:
	case t.listed(&w, "__safe_rcu"):
		out.Kind = bytecode.PointerRCU
	case w.tag == "rcu", t.listed(&w, "__safe_rcu_or_null"):
		out.Kind, out.Null = bytecode.PointerRCU, true
	}
	if w.union && !t.listed(&w, "__safe_rcu_or_null") {
		out.Kind = bytecode.PointerObject
	}
	if inside == maybe && out.Kind != bytecode.PointerTrusted && (out.Kind != bytecode.PointerObject || out.Null) {
		return unknown
	}
	return out
}

// listed reports whether the kernel lists the member that was found as trusted, in a structure
// for that purpose (kernel/bpf/btf.c btf_nested_type_is_trusted).
func (t *types) listed(w *walk, suffix string) bool {
	list, ok := findIn[*btf.Struct](t, w.outer+suffix)
	if !ok {
		return false
	}
	for _, m := range list.Members {
		ptr, ok := m.Type.(*btf.Pointer)
		if ok && m.Name == w.member && btf.UnderlyingType(ptr.Target) == w.to {
			return true
		}
	}
	return false
}

// answer3 is an answer of three values.
type answer3 uint8

const (
	no answer3 = iota
	maybe
	yes
)

// insideRCU reports whether every instruction of the program is in an RCU read-side section. That
// holds for a program that cannot sleep; one that may sleep opens sections itself
// (kernel/bpf/verifier.c in_rcu_cs, Linux 7.3). Before Linux 7.3 pointers loaded in a section are
// given up at its end.
func insideRCU(p *bytecode.Program) answer3 {
	sleepable := p.Flags&bytecode.SleepableFlag != 0
	locks := false
	for _, ref := range p.Refs {
		if ref.Kind != bytecode.RefKfunc {
			continue
		}
		for _, part := range []string{"bpf_rcu_read_", "bpf_preempt_", "bpf_res_spin_", "bpf_local_irq_"} {
			locks = locks || strings.HasPrefix(ref.Name, part)
		}
	}
	for _, in := range p.Insns {
		locks = locks || in.IsHelperCall() && in.Imm == helperSpinLock
	}
	switch {
	case locks:
		return maybe
	case sleepable:
		return no
	}
	return yes
}

// helperSpinLock is the number of bpf_spin_lock.
const helperSpinLock = 93

// walk finds the member at an offset of a structure (kernel/bpf/btf.c btf_struct_walk, Linux
// 7.3).
type walk struct {
	off, size int64

	number bool     // not a pointer to a structure
	to     btf.Type // the structure pointed to
	tag    string   // of the pointer: rcu, percpu, user
	member string
	outer  string // name of the outermost structure
	union  bool   // a union contains the member, so it is not to be trusted
	plain  bool   // memory of other CPUs or of the user, or bytes
}

// object walks a structure, and reports whether it found the member.
func (w *walk) object(t btf.Type) bool {
	for range maxPath {
		t = btf.UnderlyingType(t)
		if u, ok := t.(*btf.Union); ok && len(u.Members) != 1 {
			w.union = true
		}
		m, found := w.at(members(t))
		if !found {
			if t = w.flexible(t); t == nil {
				return w.number
			}
			continue
		}
		if m.BitfieldSize != 0 {
			w.number = true
			return true
		}
		w.off -= int64(m.Offset.Bytes())
		next := w.element(m.Type)
		switch typ := next.(type) {
		case *btf.Struct, *btf.Union:
			t = typ
		case *btf.Pointer:
			return w.pointer(m.Name, typ)
		default:
			w.number = true
			return true
		}
	}
	return false
}

// at returns the member that contains the requested bytes.
func (w *walk) at(list []btf.Member) (btf.Member, bool) {
	for _, m := range list {
		from := int64(m.Offset.Bytes())
		if m.BitfieldSize != 0 {
			end := (int64(m.Offset) + int64(m.BitfieldSize) + 7) / 8
			if w.off <= from && end <= w.off+w.size {
				return m, true
			}
			continue
		}
		n, err := btf.Sizeof(m.Type)
		if err == nil && w.off >= from && w.off < from+int64(n) {
			return m, true
		}
	}
	return btf.Member{}, false
}

// element returns the type of the requested element of an array, and makes the offset relative to
// its start.
func (w *walk) element(t btf.Type) btf.Type {
	t = btf.UnderlyingType(t)
	for range maxPath {
		a, ok := t.(*btf.Array)
		if !ok {
			return t
		}
		t = btf.UnderlyingType(a.Type)
		if n, err := btf.Sizeof(t); err == nil && n > 0 {
			w.off %= int64(n)
		}
	}
	return t
}

// pointer records the pointer that was found.
func (w *walk) pointer(member string, ptr *btf.Pointer) bool {
	if w.off != 0 || w.size != 8 {
		return false
	}
	w.member = member
	t := ptr.Target
	for range maxPath {
		switch q := t.(type) {
		case *btf.TypeTag:
			w.tag, t = q.Value, q.Type
			continue
		case *btf.Const:
			t = q.Type
			continue
		case *btf.Volatile:
			t = q.Type
			continue
		case *btf.Restrict:
			t = q.Type
			continue
		case *btf.Typedef:
			t = q.Type
			continue
		}
		break
	}
	switch t.(type) {
	case *btf.Struct, *btf.Union:
		w.to, w.plain = t, w.tag == "percpu" || w.tag == "user"
		return true
	case *btf.Fwd:
		return false
	}
	w.to, w.plain = t, true // to an unknown number of bytes
	return true
}

// flexible looks in the flexible array at the end of a structure. It returns the type of the
// array's elements, nil if the requested bytes are a number or nothing.
func (w *walk) flexible(t btf.Type) btf.Type {
	list := members(t)
	if len(list) == 0 {
		return nil
	}
	last := list[len(list)-1]
	a, ok := btf.UnderlyingType(last.Type).(*btf.Array)
	if !ok || a.Nelems != 0 || w.off < int64(last.Offset.Bytes()) {
		return nil
	}
	if _, ok := btf.UnderlyingType(a.Type).(*btf.Int); ok {
		w.number = true
		return nil
	}
	n, err := btf.Sizeof(a.Type)
	if err != nil || n == 0 {
		return nil
	}
	w.off = (w.off - int64(last.Offset.Bytes())) % int64(n)
	return a.Type
}

// members returns the members of a structure or union.
func members(t btf.Type) []btf.Member {
	switch t := t.(type) {
	case *btf.Struct:
		return t.Members
	case *btf.Union:
		return t.Members
	}
	return nil
}
