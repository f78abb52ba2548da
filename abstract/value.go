package abstract

import (
	"math"
	"slices"

	"github.com/bpfcfg/bpfcfg/abstract/scalar"
)

// Kind is the kind of a value.
type Kind uint8

// The kinds of value.
const (
	KindInvalid Kind = iota
	Number           // a 64-bit number, perhaps with flags
	Other            // pointer to memory that is not modelled: packet, kernel object, ring buffer
	Ctx              // pointer to the program's context
	Stack            // pointer into stack frame Obj: 0 is the current one, 1 its caller's
	MapPtr           // pointer to the map Maps[Obj] itself
	MapValue         // pointer into a value of Maps[Obj]
	Table            // pointer into the addresses of Tables[Obj]
	TablePtr         // pointer to the map of Tables[Obj] itself
	Insn             // code address loaded from Tables[Obj], byte offset Off (PTR_TO_INSN)
	Code             // code address loaded from Maps[Obj].Value, byte offset Off
	Func             // address of the subprogram Subprogs[Obj]
	Label            // code address that was computed: byte offset Off from the program's first slot
)

// kindNames holds the kinds in the words of kernel/bpf/log.c reg_type_str,
// Linux 7.3, where the kernel has the kind.
var kindNames = [...]string{
	"?", "scalar", "ptr", "ctx", "fp", "map_ptr", "map_value", "map_value", "map_ptr", "insn", "code", "func", "code",
}

// String returns the kernel's name of the kind.
func (k Kind) String() string { return kindNames[k] }

// typeName returns the type of an alternative as the kernel names it.
func typeName(a *Alt) string {
	if a.flags&maybeNull != 0 {
		return a.Kind.String() + "_or_null"
	}
	return a.Kind.String()
}

// flags qualify an Alt.
type flags uint16

const (
	maybeNull  flags = 1 << iota // the pointer may be 0 instead
	maybePtr                     // a Number that may be a pointer, which is not followed
	maybeLocal                   // a Number that may be a pointer to stack or context
	loose                        // more values than the paths have: joined, widened, cut or forgotten
	datum                        // a Number that a table of constants holds
	foreign                      // a Number that may be a pointer which the verifier takes for not null
	object                       // the pointer that a Number may be leads to a kernel object that may be gone
	atStart                      // the pointer that a Number may be leads to the start of what it leads to
	sum                          // a Number that was linked by a sum, and is to nothing now: see stale.go
	stale                        // a Number at which the verifier may have kept what was added
	beyond                       // by rules Executions, a code address that was perhaps loaded from outside of its table
	stands                       // a Number, or what it came from, stands for other ones: see cover.go
)

// Alt is one alternative of what a register or stack slot may hold.
type Alt struct {
	Kind  Kind
	flags flags
	Obj   int32    // see Kind
	Off   scalar.S // the number itself, or the pointer's byte offset from the start of its object
	str   stride   // of Off
	org   origin
	src   *readings // what the variable part of Off depends on, by rules Executions
	wide  *scalar.S // by rules Verifier, what states that this one stands for hold instead of Off: see cover.go
	// ranges is what a verifier with ranges has in place of Off, if Off cannot hold it: see ranges.go.
	ranges *scalar.Ranges
}

// origin says which instruction bounded the variable part of an Alt.
type origin struct {
	pc   int32 // slot plus 1, so that zero means none
	reg  uint8 // the register that was bounded
	side side
}

// side says on which edge of a conditional jump an Alt was bounded, or what
// spoilt a code address.
type side uint8

const (
	noSide     side = iota
	takenSide       // the edge of the jump
	fallSide        // the fall-through
	writable        // loaded from a table that can be written
	arithmetic      // computed from a code address
	misaligned      // perhaps loaded from the middle of an entry
	narrow          // loaded in part
)

// Value is what a register or stack slot may hold: one of a small set of
// alternatives. Values are not changed once made, so states share them. A nil
// *Value is a register that is dead or not initialised.
//
// Several alternatives keep code addresses from different tables apart after a
// join, so that a jump through either reaches exactly the entries of both.
type Value struct {
	Alt
	rest *[]Alt // the others, nil for none: see more

	// Values of one state with the same id are the same number, or, when
	// add is not 0, the same number plus delta. Pointers that may be null share
	// an id when they are null together. (kernel/bpf/verifier.c
	// assign_scalar_id_before_mov and sync_linked_regs, Linux 7.3.)
	id    uint32
	delta int32
	add   uint8 // 0, or the width 32 or 64 of the addition
}

// maxAlts bounds the alternatives of a value.
const maxAlts = 64

var (
	unknown   = scalar.Unknown()
	unknown32 = scalar.Range(0, math.MaxUint32)
	// anything is what a register of unknown origin holds.
	anything = &Value{Alt: Alt{Kind: Number, flags: maybePtr | maybeLocal | foreign, Off: unknown}}
	// unknownPtr is a number or a pointer to something that is not modelled.
	unknownPtr = &Value{Alt: Alt{Kind: Number, flags: maybePtr | foreign | atStart, Off: unknown}}
	// unknownCell is what memory holds that the program shares with others: a
	// number, or a pointer that may be null.
	unknownCell = &Value{Alt: Alt{Kind: Number, flags: maybePtr | atStart, Off: unknown}}
	// unknownNumber is a number without bounds.
	unknownNumber = &Value{Alt: Alt{Kind: Number, Off: unknown}}
	// unknownCPU is the number of a processor: the verifier bounds it by how many the
	// machine has (kernel/bpf/verifier.c do_refine_retval_range, Linux 7.3).
	unknownCPU = &Value{Alt: Alt{Kind: Number, flags: loose, Off: unknown32}}
	zeroNumber = constant(0)
	// forgotten are unknownNumber and unknownPtr where more was known.
	forgotten = map[flags]*Value{
		0:        {Alt: Alt{Kind: Number, flags: loose, Off: unknown}},
		maybePtr: {Alt: Alt{Kind: Number, flags: loose | maybePtr | foreign, Off: unknown}},
	}
)

// number returns the Value of a number.
func number(s scalar.S) *Value {
	if s == unknown {
		return unknownNumber
	}
	return &Value{Alt: Alt{Kind: Number, Off: s}}
}

// constant returns the Value of a constant.
func constant(v uint64) *Value { return &Value{Alt: Alt{Kind: Number, Off: scalar.Const(v)}} }

// constant is the function constant with a cache of the values that the program makes often.
func (a *analyzer) constant(v uint64) *Value {
	c := &a.constants[v*0x9E3779B97F4A7C15>>(64-6)] // multiplicative hashing, 2^64 by the golden ratio
	if *c == nil || (*c).Off.Var.Value != v {
		*c = constant(v)
	}
	return *c
}

// pointer returns the Value of a pointer with a constant offset.
func pointer(k Kind, obj int, off int64) *Value {
	return &Value{Alt: Alt{Kind: k, Obj: int32(obj), Off: scalar.Const(uint64(off))}}
}

// alts returns all alternatives.
func (v *Value) alts() []Alt {
	if v.rest == nil {
		return []Alt{v.Alt}
	}
	return append([]Alt{v.Alt}, v.more()...)
}

// more returns the alternatives but for the first one.
func (v *Value) more() []Alt {
	if v.rest == nil {
		return nil
	}
	return *v.rest
}

// copyRest gives the value, which is not shared, alternatives of its own.
func (v *Value) copyRest() {
	if v.rest != nil {
		rest := slices.Clone(*v.rest)
		v.rest = &rest
	}
}

// each calls f for each alternative.
func (v *Value) each(f func(*Alt)) {
	f(&v.Alt)
	for i := range v.more() {
		f(&v.more()[i])
	}
}

// is reports whether the value has one alternative, of kind k.
func (v *Value) is(k Kind) bool { return v != nil && v.rest == nil && v.Kind == k }

// has reports whether an alternative satisfies f.
func (v *Value) has(f func(*Alt) bool) bool {
	if f(&v.Alt) {
		return true
	}
	for i := range v.more() {
		if f(&v.more()[i]) {
			return true
		}
	}
	return false
}

// isLocal reports whether the alternative may point to a stack or the context.
func isLocal(a *Alt) bool { return a.Kind == Ctx || isStack(a) }

// isStack reports whether the alternative may point to a stack.
func isStack(a *Alt) bool { return a.Kind == Stack || a.Kind == Number && a.flags&maybeLocal != 0 }

// zero reports whether the value is the constant 0.
func (v *Value) zero() bool {
	c, ok := v.constant()
	return ok && c == 0
}

// constant returns the value's number if it is one and known.
func (v *Value) constant() (uint64, bool) {
	if !v.is(Number) {
		return 0, false
	}
	return v.Off.IsConst()
}

// unlinked returns the value without a link.
func (v *Value) unlinked() *Value {
	if v == nil || v.id == 0 {
		return v
	}
	w := *v
	w.id, w.delta, w.add = 0, 0, 0
	return &w
}

// linked returns the value with a link.
func (v *Value) linked(id uint32, delta int32, add uint8) *Value {
	w := *v
	w.id, w.delta, w.add = id, delta, add
	return &w
}

// fromAlts makes a value of alternatives, merging those that belong together.
func fromAlts(alts []Alt) *Value {
	if len(alts) == 1 {
		return &Value{Alt: alts[0]}
	}
	merged := make([]Alt, 0, len(alts))
	for _, a := range alts {
		merged = addAlt(merged, a)
	}
	if len(merged) > maxAlts {
		merged = squeeze(merged)
	}
	v := &Value{Alt: merged[0]}
	if len(merged) > 1 {
		rest := merged[1:]
		v.rest = &rest
	}
	return v
}

// apart reports whether alternatives of this kind and one object keep their
// offsets apart.
func apart(k Kind) bool { return k == Table || k == Insn || k == Code || k == Label }

// addAlt adds an alternative to a set in place.
func addAlt(set []Alt, a Alt) []Alt {
	for i := range set {
		x := &set[i]
		switch {
		case x.Kind != a.Kind || x.Obj != a.Obj:
		case a.leq(x):
			return set
		case x.leq(&a):
			// Others may be covered too; at worst they stay.
			set[i] = a
			return set
		case !apart(a.Kind):
			set[i] = mergeAlts(*x, a)
			return set
		}
	}
	return append(set, a)
}

// squeeze reduces a set of alternatives to maxAlts, or to anything at all.
func squeeze(set []Alt) []Alt {
	out := onePerObject(set)
	if len(out) <= maxAlts {
		return out
	}
	f := maybePtr | loose | foreign
	if slices.ContainsFunc(out, func(a Alt) bool { return isLocal(&a) }) {
		f |= maybeLocal
	}
	return []Alt{{Kind: Number, flags: f, Off: unknown}}
}

// mergeAlts joins two alternatives of the same kind and object.
func mergeAlts(a, b Alt) Alt {
	off, exact := joinNumbers(a.Off, b.Off)
	a.str = joinStrides(&a, &b, off)
	a.wide = joinWide(&a, &b)
	a.Off, a.ranges = off, nil
	a.flags = joinFlags(a.flags, b.flags)
	if !exact || a.src.holed() || b.src.holed() {
		a.flags |= loose
	}
	a.src = a.src.with(b.src).with(&readings{from: joined, bits: ^uint64(0), shift: mixed})
	if a.org.pc == 0 || b.org.pc != 0 && b.org.pc < a.org.pc {
		a.org = b.org
	}
	return a
}

// leq reports whether every value of a is one of b. The flags loose, datum and stands
// do not count: they tell of how b came about; sum and stale do in idMap.leq.
func (a *Alt) leq(b *Alt) bool {
	aside := loose | datum | atStart | sum | stale | stands | beyond
	if a.Kind == Number {
		aside |= foreign
	}
	return a.Kind == b.Kind && a.Obj == b.Obj && a.flags&^b.flags&^aside == 0 &&
		(a.Off == b.Off || a.Off.Leq(b.Off)) && a.leqRanges(b) && a.leqWide(b) && a.leqStride(b) && a.leqHoles(b) &&
		(a.flags&maybePtr == 0 || b.flags&(object|atStart)&^a.flags == 0)
}

// joinFlags joins flags: what may be a pointer leads to an object, or to the start
// of something, if all do.
func joinFlags(f, g flags) flags {
	out := f | g
	if f&maybePtr != 0 {
		out &^= (object | atStart) &^ f
	}
	if g&maybePtr != 0 {
		out &^= (object | atStart) &^ g
	}
	return out
}

// leq reports whether every value of v is one of w, links aside.
func (v *Value) leq(w *Value) bool {
	switch {
	case v == w:
		return true
	case w == nil:
		return false // the verifier lets nobody use it, but v may be used
	case v == nil:
		return w.Kind == Number && w.rest == nil && w.flags&maybeLocal != 0 && w.Off == unknown
	}
	if w.rest == nil && v.rest == nil {
		return v.Alt.leq(&w.Alt)
	}
	return !v.has(func(a *Alt) bool {
		return !w.has(func(b *Alt) bool { return a.leq(b) })
	})
}

// join returns the least value that we can state of which v and w are both
// part, without a link.
func (v *Value) join(w *Value) *Value {
	switch {
	case v == nil || w == nil:
		return nil
	case w.leq(v):
		return v.unlinked().over(w)
	case v.leq(w):
		return w.unlinked().over(v)
	}
	return fromAlts(append(v.alts(), w.alts()...))
}

// over returns v after a join with w, which holds other numbers of the same alternatives: which of
// the two a state has may decide about other values, too.
func (v *Value) over(w *Value) *Value {
	if v.src == nil || v.src == w.src || v.is(Number) && v.fixed() {
		return v
	}
	src := readings{shift: mixed}
	if w.src != nil {
		src = *w.src
	}
	if !v.leq(w) {
		src.from, src.bits = src.from|joined, ^uint64(0)
	}
	if v.src.from|src.from == v.src.from && v.src.bits|src.bits == v.src.bits && v.src.tested|src.tested == v.src.tested {
		return v
	}
	u := *v
	if u.src = v.src.with(&src); v.src.holed() {
		u.flags |= loose
	}
	return &u
}
