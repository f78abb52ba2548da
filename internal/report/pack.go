package report

import (
	"encoding/binary"
	"iter"
)

// Pack stores the findings and programs of an input in a compact form, from which readers of the
// report unpack one input at a time: in a run over thousands of objects, most of the memory holds
// findings with their paths. Both fields are nil afterwards.
//
// The form is the fields in order as numbers, and each text once: a line of C is
// in dozens of paths. That makes it about a tenth of the JSON. A general compressor
// on top is not worth its state for each worker. It lives in memory only, so it has
// no version.
func (in *Input) Pack() {
	if in.packed != nil {
		return
	}
	w := &packer{index: map[string]int{}}
	walkList(w, &in.Findings, func(f *Finding) { walkFinding(w, f) })
	walkPrograms(w, &in.Programs)
	in.packed, in.Findings, in.Programs = w.bytes(), nil, nil
}

// Edit changes an input, packed or not.
func (in *Input) Edit(change func(*Input)) {
	packed := in.packed != nil
	out := in.unpacked()
	change(out)
	if packed {
		out.Pack()
	}
	*in = *out
}

// unpacked returns the input with its programs.
func (in *Input) unpacked() *Input {
	if in.packed == nil {
		return in
	}
	out := *in
	out.packed = nil
	u := newUnpacker(in.packed)
	walkList(u, &out.Findings, func(f *Finding) { walkFinding(u, f) })
	walkPrograms(u, &out.Programs)
	return &out
}

// inputs yields the inputs with their programs. Of those that are packed one is
// in memory at a time, and what is yielded is a copy.
func (r *Report) inputs() iter.Seq[*Input] {
	return func(yield func(*Input) bool) {
		for i := range r.Inputs {
			if !yield(r.Inputs[i].unpacked()) {
				return
			}
		}
	}
}

// fields writes values to the packed form or reads them from it: so that one list of fields serves
// both directions.
type fields interface {
	number(*int)
	text(*string)
}

// walkPrograms visits all fields of programs.
func walkPrograms(c fields, list *[]Program) {
	walkList(c, list, func(p *Program) {
		c.text(&p.Name)
		c.text(&p.Section)
		c.number(&p.Insns)
		c.text(&p.Error)
		walkList(c, &p.Findings, func(f *Finding) { walkFinding(c, f) })
		walkList(c, &p.Kernels, func(k *Kernel) {
			c.text(&k.Kernel)
			c.text(&k.Release)
			c.text(&k.Answer)
			c.text(&k.Reason)
		})
		walkList(c, &p.Profiles, func(k *OnProfile) {
			c.text(&k.Profile)
			walkFlag(c, &k.Verified)
			c.text(&k.Verdict)
			c.text(&k.Message)
			c.number(&k.Insn)
			c.number(&k.Slots)
			c.number(&k.Bytes)
		})
	})
}

// walkFinding visits all fields of a finding.
func walkFinding(c fields, f *Finding) {
	c.text((*string)(&f.ID))
	c.text((*string)(&f.Level))
	c.text(&f.Function)
	c.number(&f.Block)
	walkPlace(c, &f.Place)
	c.text(&f.Message)
	c.text(&f.Fix)
	c.text(&f.Kernel)
	walkList(c, &f.Related, func(x *Related) {
		walkPlace(c, &x.Place)
		c.text(&x.Message)
	})
	walkList(c, &f.Path, func(s *Step) {
		walkPlace(c, &s.Place)
		c.number(&s.Block)
		c.text(&s.Asm)
		c.number(&s.Skipped)
	})
	c.text(&f.Fingerprint)
	walkList(c, &f.Profiles, func(s *string) { c.text(s) })
	walkFlag(c, &f.Accepted)
}

// walkFlag visits a flag.
func walkFlag(c fields, b *bool) {
	n := 0
	if *b {
		n = 1
	}
	c.number(&n)
	*b = n != 0
}

// walkPlace visits all fields of a place.
func walkPlace(c fields, p *Place) {
	c.number(&p.Insn)
	c.text(&p.File)
	c.number(&p.Line)
	c.number(&p.Col)
	c.text(&p.Text)
}

// walkList visits a list. An empty list and no list are different: their JSON differs.
func walkList[T any](c fields, list *[]T, each func(*T)) {
	n := 0
	if *list != nil {
		n = len(*list) + 1
	}
	c.number(&n)
	if n > 0 && *list == nil { // it is read
		*list = make([]T, n-1)
	}
	for i := range *list {
		each(&(*list)[i])
	}
}

// packer writes the packed form: the number of texts and their lengths, the
// texts, the numbers. A text is the number of its place among the texts.
type packer struct {
	index   map[string]int
	lengths []byte
	texts   []byte
	numbers []byte
}

func (w *packer) number(n *int) { w.numbers = binary.AppendVarint(w.numbers, int64(*n)) }

func (w *packer) text(s *string) {
	i, ok := w.index[*s]
	if !ok {
		i = len(w.index)
		w.index[*s] = i
		w.lengths = binary.AppendUvarint(w.lengths, uint64(len(*s)))
		w.texts = append(w.texts, *s...)
	}
	w.number(&i)
}

// bytes returns the packed form, in exactly as much memory as it needs.
func (w *packer) bytes() []byte {
	var head [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(head[:], uint64(len(w.index)))
	out := make([]byte, 0, n+len(w.lengths)+len(w.texts)+len(w.numbers))
	out = append(append(out, head[:n]...), w.lengths...)
	return append(append(out, w.texts...), w.numbers...)
}

// unpacker reads the packed form.
type unpacker struct {
	texts   []string
	numbers []byte
}

func newUnpacker(data []byte) *unpacker {
	count, n := binary.Uvarint(data)
	data = data[n:]
	lengths := make([]int, count)
	total := 0
	for i := range lengths {
		length, n := binary.Uvarint(data)
		lengths[i], data = int(length), data[n:]
		total += int(length)
	}
	r := &unpacker{make([]string, count), data[total:]}
	all := string(data[:total])
	for i, n := range lengths {
		r.texts[i], all = all[:n], all[n:]
	}
	return r
}

func (r *unpacker) number(n *int) {
	v, size := binary.Varint(r.numbers)
	if size <= 0 {
		panic("bug: a packed input ends early")
	}
	*n, r.numbers = int(v), r.numbers[size:]
}

func (r *unpacker) text(s *string) {
	var i int
	r.number(&i)
	*s = r.texts[i]
}
