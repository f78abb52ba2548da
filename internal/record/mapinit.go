package record

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// place returns where the named map of the job is in the program, and adds it at its first
// reference.
func (b *builder) place(name string) (mapPlace, error) {
	if at, ok := b.maps[name]; ok {
		return at, nil
	}
	m, ok := b.byName[name]
	if !ok {
		return mapPlace{}, fmt.Errorf("the job has no map %q", name)
	}
	at, err := b.add(m)
	if err != nil {
		return at, fmt.Errorf("map %q: %w", name, err)
	}
	b.maps[name] = at
	return at, nil
}

// add makes the map part of the program.
func (b *builder) add(m *Map) (mapPlace, error) {
	typ, err := MapTypeNumber(m.Type)
	if err != nil {
		return mapPlace{}, err
	}
	s := mapState{job: m}
	if typ == MapInsnArray {
		targets, err := s.table(maxTables - b.cells)
		if err != nil {
			return mapPlace{}, err
		}
		b.cells += len(targets)
		b.prog.Tables = append(b.prog.Tables, bytecode.JumpTable{
			Name: m.Name, Targets: targets, Unfrozen: !s.frozen,
		})
		return mapPlace{table: true, index: len(b.prog.Tables) - 1}, nil
	}
	out := bytecode.Map{
		Name: m.Name, Type: typ, KeySize: m.KeySize, ValueSize: m.ValueSize,
		MaxEntries: m.MaxEntries, Flags: m.Flags, NoKptrs: m.BTFValue == 0,
	}
	if inner := b.byName[m.Inner]; inner != nil && m.Inner != "" {
		if t, err := MapTypeNumber(inner.Type); err == nil {
			out.Inner = &bytecode.Map{
				Name: inner.Name, Type: t, KeySize: inner.KeySize, ValueSize: inner.ValueSize,
				MaxEntries: inner.MaxEntries, Flags: inner.Flags, NoKptrs: inner.BTFValue == 0,
			}
		}
	}
	out.Value = s.value(maxValues - b.size)
	b.size += uint64(len(out.Value))
	s.freeze()
	out.ReadOnly = s.frozen && m.Flags&flagRdonlyProg != 0
	b.prog.Maps = append(b.prog.Maps, out)
	return mapPlace{index: len(b.prog.Maps) - 1}, nil
}

// mapState follows what the job does with a map before the load.
type mapState struct {
	job    *Map
	frozen bool
}

// Flags of a map update (include/uapi/linux/bpf.h): only if the element is
// new, which no element of an array is.
const updateNoExist = 1

// updates calls f for each update that reaches an element of an array of the
// given size, before the map is frozen.
func (s *mapState) updates(entries, size uint32, f func(i uint32, value []byte)) {
	for _, op := range s.job.Ops {
		switch {
		case op.Op == "freeze":
			s.frozen = true
		case op.Op != "update" || s.frozen || op.Flags == updateNoExist:
		case len(op.Key) != 4 || uint64(len(op.Value)) != uint64(size):
		default:
			if i := binary.LittleEndian.Uint32(op.Key); i < entries {
				f(i, op.Value)
			}
		}
	}
}

// freeze freezes the map if the job does.
func (s *mapState) freeze() {
	if s.job.Freeze != nil {
		s.frozen = s.frozen || *s.job.Freeze
	}
}

// value returns the value of an array of one element: zeros, then what the
// job stored. Nil for other maps, and for a value larger than limit bytes.
func (s *mapState) value(limit uint64) []byte {
	typ, err := MapTypeNumber(s.job.Type)
	one := err == nil && typ == MapArray && s.job.MaxEntries == 1
	var v []byte
	if one && uint64(s.job.ValueSize) <= limit {
		v = make([]byte, s.job.ValueSize)
	}
	s.updates(uint32(min(len(v), 1)), s.job.ValueSize, func(_ uint32, value []byte) { copy(v, value) })
	return v
}

// table returns the elements of an instruction array. An update that sets the
// fields which belong to the kernel is refused by it, and has no effect here
// (kernel/bpf/bpf_insn_array.c insn_array_update_elem, Linux 7.3). More elements
// than limit are an error.
func (s *mapState) table(limit int) ([]bytecode.PC, error) {
	n := s.job.MaxEntries
	if n == 0 {
		n = uint32(len(s.job.Targets))
	}
	if n > maxTable {
		return nil, fmt.Errorf("%d elements: more than any program has instructions", n)
	}
	if int(n) > limit {
		return nil, fmt.Errorf("%d elements: with them the tables of the program would have more than %d", n, maxTables)
	}
	targets := make([]bytecode.PC, n)
	for i, t := range s.job.Targets {
		if i < len(targets) {
			targets[i] = bytecode.PC(t)
		}
	}
	s.updates(n, insnValueSize, func(i uint32, value []byte) {
		if bytes.Equal(value[4:12], make([]byte, 8)) {
			targets[i] = bytecode.PC(binary.LittleEndian.Uint32(value))
		}
	})
	if s.job.Freeze == nil {
		s.frozen = true
	}
	s.freeze()
	return targets, nil
}

// insnValueSize is the size of a value of an instruction array.
const insnValueSize = 16
