package interp

import (
	"encoding/binary"
	"fmt"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Map types that behave differently (include/uapi/linux/bpf.h).
const (
	typeArray       = 2
	typePercpuArray = 6
)

// Map is a map with its contents. An array has all its elements from the start,
// each with a region of its own once it is looked up; any other type is a table
// from keys to values.
type Map struct {
	def   *bytecode.Map
	vm    *VM
	byIdx map[uint32]*region
	byKey map[string]*region
}

// addMap makes a map with its initial value.
func (vm *VM) addMap(def *bytecode.Map) error {
	m := &Map{def: def, vm: vm, byIdx: map[uint32]*region{}, byKey: map[string]*region{}}
	obj := vm.mem.add("map "+def.Name, nil, true)
	obj.stands = m
	vm.maps, vm.mapObj = append(vm.maps, m), append(vm.mapObj, obj.base)
	if !m.isArray() || def.Value == nil {
		return nil
	}
	r := m.elem(0)
	if r == nil {
		return fmt.Errorf("map %s has a value of %d bytes, too large to hold", def.Name, def.ValueSize)
	}
	copy(r.data, def.Value)
	for _, c := range def.Code {
		if c.Off >= 0 && c.Off <= int64(len(r.data))-8 && c.Target >= 0 {
			putNumber(r.data[c.Off:][:8], vm.CodeAddr(c.Target))
		}
	}
	return nil
}

// isArray reports whether the map's keys are indices of elements that are
// always there.
func (m *Map) isArray() bool { return m.def.Type == typeArray || m.def.Type == typePercpuArray }

// elem returns the element of an array, nil when there is none or no room.
func (m *Map) elem(i uint32) *region {
	if i >= max(m.def.MaxEntries, 1) {
		return nil
	}
	r := m.byIdx[i]
	if r == nil {
		r = m.vm.mem.addValue(m, fmt.Sprintf("map %s[%d]", m.def.Name, i), m.def.ValueSize, m.def.ReadOnly)
	}
	if r != nil {
		m.byIdx[i] = r
	}
	return r
}

// Value returns the bytes of an element of an array, nil when there is none.
// They are the map's memory: changes are seen by the program.
func (m *Map) Value(i uint32) []byte {
	if m == nil || !m.isArray() {
		return nil
	}
	if r := m.elem(i); r != nil {
		return r.data
	}
	return nil
}

// Update sets the value for a key, making an element if need be. It reports
// whether there was room.
func (m *Map) Update(key, value []byte) bool {
	r := m.lookup(key)
	if r == nil && !m.isArray() && len(m.byKey) < int(m.def.MaxEntries) {
		r = m.vm.mem.addValue(m, fmt.Sprintf("map %s[%x]", m.def.Name, key), m.def.ValueSize, false)
		if r != nil {
			m.byKey[string(key)] = r
		}
	}
	if r == nil {
		return false
	}
	copy(r.data, value)
	return true
}

// lookup returns the element with a key, nil when there is none.
func (m *Map) lookup(key []byte) *region {
	if !m.isArray() {
		return m.byKey[string(key)]
	}
	if len(key) != 4 {
		return nil
	}
	return m.elem(binary.LittleEndian.Uint32(key))
}

// Map returns the map with this name, nil when there is none.
func (vm *VM) Map(name string) *Map {
	for _, m := range vm.maps {
		if m.def.Name == name {
			return m
		}
	}
	return nil
}

// MapAt returns the map that an address stands for, which is what a program passes to helpers.
func (vm *VM) MapAt(addr uint64) (*Map, error) {
	if r, off := vm.mem.find(addr); r != nil && off == 0 && r.stands != nil {
		return r.stands, nil
	}
	return nil, fmt.Errorf("%#x is no map", addr)
}

// Lookup returns the address of the value for a key, 0 when there is none.
func (m *Map) Lookup(key []byte) uint64 {
	if r := m.lookup(key); r != nil {
		return r.base
	}
	return 0
}

// KeySize returns the size of a key in bytes.
func (m *Map) KeySize() int { return int(m.def.KeySize) }

// ValueSize returns the size of a value in bytes.
func (m *Map) ValueSize() int { return int(m.def.ValueSize) }

// tableBytes returns the cells of a jump table: the addresses of its targets,
// 8 bytes each.
func (vm *VM) tableBytes(t bytecode.JumpTable) []byte {
	b := make([]byte, 8*len(t.Targets))
	for i, pc := range t.Targets {
		putNumber(b[8*i:][:8], vm.CodeAddr(pc))
	}
	return b
}
