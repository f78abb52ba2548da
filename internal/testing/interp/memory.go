package interp

import (
	"encoding/binary"
	"fmt"
)

// Regions lie spacing bytes apart, so that a pointer that leaves its region by
// less than half of that is in no other. Addresses look like the kernel's: large
// as unsigned numbers, negative as signed ones.
const (
	firstAddr  = 0xffff_8880_8000_0000
	spacing    = 1 << 32
	maxRegions = 1 << 14
)

// maxBytes bounds all map values of a machine together.
const maxBytes = 256 << 20

// region is a piece of memory.
type region struct {
	name     string
	base     uint64
	data     []byte
	readOnly bool
	stands   *Map // the map that the address stands for
	value    *Map // the map whose value it is
}

// memory is an address space.
type memory struct {
	regions []*region
	bytes   int // of map values
}

// add makes a region for the bytes.
func (m *memory) add(name string, data []byte, readOnly bool) *region {
	r := &region{
		name: name, base: firstAddr + uint64(len(m.regions))*spacing, data: data, readOnly: readOnly,
	}
	m.regions = append(m.regions, r)
	return r
}

// addValue makes a region for a map value, nil when there is no room for one.
func (m *memory) addValue(of *Map, name string, size uint32, readOnly bool) *region {
	if len(m.regions) >= maxRegions || int(size) > maxBytes-m.bytes {
		return nil
	}
	m.bytes += int(size)
	r := m.add(name, make([]byte, size), readOnly)
	r.value = of
	return r
}

// find returns the region that an address belongs to, perhaps outside of its
// bytes, and the offset from its start; nil when there is none.
func (m *memory) find(addr uint64) (*region, int64) {
	if addr < firstAddr-spacing/2 {
		return nil, 0
	}
	i := (addr - (firstAddr - spacing/2)) / spacing
	if i >= uint64(len(m.regions)) {
		return nil, 0
	}
	r := m.regions[i]
	return r, int64(addr - r.base)
}

// at returns the n bytes at an address.
func (m *memory) at(addr uint64, n int, write bool) ([]byte, error) {
	r, off := m.find(addr)
	switch {
	case r == nil:
		return nil, fmt.Errorf("access to %#x, where there is nothing", addr)
	case off < 0 || off > int64(len(r.data)) || int64(n) > int64(len(r.data))-off:
		return nil, fmt.Errorf("access of %d bytes at offset %d of %s, which has %d", n, off, r.name, len(r.data))
	case write && r.readOnly:
		return nil, fmt.Errorf("write to %s, which is read-only", r.name)
	}
	return r.data[off:][:n:n], nil
}

// ObjectSize is how many bytes an object of the kernel has.
const ObjectSize = 64

// Object returns the address of an object outside of the program, for helpers to return. It has
// ObjectSize bytes.
func (vm *VM) Object() uint64 { return vm.object.base }

// Bytes returns the n bytes of the program's memory at an address, for helpers
// to read, or to write. They are the memory itself.
func (vm *VM) Bytes(addr uint64, n int, write bool) ([]byte, error) {
	if n < 0 {
		return nil, fmt.Errorf("access of %d bytes", n)
	}
	return vm.mem.at(addr, n, write)
}

// load reads a number of 1, 2, 4 or 8 bytes, low byte first.
func (vm *VM) load(addr uint64, n int) (uint64, error) {
	if r := vm.ctx; n == 4 && len(vm.fields) != 0 && addr-r.base < uint64(len(r.data)) {
		for _, f := range vm.fields {
			if addr == r.base+uint64(f.Off) {
				return vm.PacketAddr(f.PacketOff), nil
			}
		}
	}
	b, err := vm.mem.at(addr, n, false)
	if err != nil {
		return 0, err
	}
	return number(b), nil
}

// store writes the low n bytes of v.
func (vm *VM) store(addr, v uint64, n int) error {
	b, err := vm.mem.at(addr, n, true)
	if err == nil {
		putNumber(b, v)
	}
	return err
}

// number returns the number in 1, 2, 4 or 8 bytes.
func number(b []byte) uint64 {
	switch len(b) {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(binary.LittleEndian.Uint16(b))
	case 4:
		return uint64(binary.LittleEndian.Uint32(b))
	}
	return binary.LittleEndian.Uint64(b)
}

// putNumber stores the low part of v into 1, 2, 4 or 8 bytes.
func putNumber(b []byte, v uint64) {
	switch len(b) {
	case 1:
		b[0] = byte(v)
	case 2:
		binary.LittleEndian.PutUint16(b, uint16(v))
	case 4:
		binary.LittleEndian.PutUint32(b, uint32(v))
	default:
		binary.LittleEndian.PutUint64(b, v)
	}
}
