//go:build linux && amd64

package sysbpf

import (
	"fmt"
	"os"
	"strings"
	"unsafe"
)

// Map is the kernel's description of a map (struct bpf_map_info).
type Map struct {
	ID, Type           uint32
	KeySize, ValueSize uint32 // bytes
	MaxEntries, Flags  uint32
	Name               string // at most 15 bytes
	Extra              uint64
	BTFValue           uint32 // type of the value, 0 for none; not used by CreateMap
	Frozen             bool   // user space cannot change it any more
	Inner              FD     // prototype of a map of maps, for CreateMap
}

// mapInfo is struct bpf_map_info.
type mapInfo struct {
	typ, id, key, value, entries, flags uint32
	name                                [16]byte
	ifindex, vmlinuxValue               uint32
	netnsDev, netnsIno                  uint64
	btf, btfKey, btfValue, btfVmlinux   uint32
	extra                               uint64
}

// ReadMap returns the kernel's description of a map.
func ReadMap(fd FD) (*Map, error) {
	var in mapInfo
	if err := readInfo(fd, &in); err != nil {
		return nil, err
	}
	m := &Map{
		ID: in.id, Type: in.typ, KeySize: in.key, ValueSize: in.value, MaxEntries: in.entries, Flags: in.flags,
		Name: text(in.name[:]), Extra: in.extra, BTFValue: in.btfValue,
	}
	// Only this file has it (bpf_map_show_fdinfo in kernel/bpf/syscall.c).
	show, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", int(fd)))
	m.Frozen = err == nil && strings.Contains(string(show), "\nfrozen:\t1")
	return m, nil
}

// createAttr is union bpf_attr for BPF_MAP_CREATE.
type createAttr struct {
	typ, key, value, entries, flags, inner, numa uint32
	name                                         [16]byte
	ifindex, btf, btfKey, btfValue, vmlinuxValue uint32
	extra                                        uint64
}

// CreateMap creates a map. ID and Frozen of m are not used.
func CreateMap(m *Map) (FD, error) {
	attr := createAttr{
		typ: m.Type, key: m.KeySize, value: m.ValueSize, entries: m.MaxEntries, flags: m.Flags,
		inner: uint32(m.Inner), extra: m.Extra,
	}
	copy(attr.name[:15], m.Name)
	return descriptor(bpf(cmdMapCreate, &attr))
}

// elemAttr is union bpf_attr for operations on elements.
type elemAttr struct {
	fd, _      uint32
	key, value unsafe.Pointer
	flags      uint64
}

// Lookup reads the value of a key. value must have the size of the map's
// values, which for per-CPU maps is that of all CPUs.
func Lookup(fd FD, key, value []byte) error {
	_, err := bpf(cmdMapLookup, &elemAttr{fd: uint32(fd), key: pointer(key), value: pointer(value)})
	return err
}

// Update sets the value of a key.
func Update(fd FD, key, value []byte) error {
	_, err := bpf(cmdMapUpdate, &elemAttr{fd: uint32(fd), key: pointer(key), value: pointer(value)})
	return err
}

// Freeze makes a map unchangeable for user space.
func Freeze(fd FD) error {
	_, err := bpf(cmdMapFreeze, &struct{ fd uint32 }{uint32(fd)})
	return err
}

// btfInfo is struct bpf_btf_info.
type btfInfo struct {
	data             unsafe.Pointer
	size, id         uint32
	name             unsafe.Pointer
	nameLen, kernels uint32
}

// ReadBTF returns the content of a type object.
func ReadBTF(fd FD) ([]byte, error) {
	var head btfInfo
	if err := readInfo(fd, &head); err != nil {
		return nil, err
	}
	if head.size > maxCode {
		return nil, fmt.Errorf("the kernel reports an implausible size of types, %d bytes", head.size)
	}
	data := make([]byte, head.size)
	err := readInfo(fd, &btfInfo{data: pointer(data), size: head.size})
	return data, err
}

// LoadBTF makes a type object.
func LoadBTF(data []byte) (FD, error) {
	attr := struct {
		data, log               unsafe.Pointer
		size, logSize, logLevel uint32
		_                       uint32
	}{data: pointer(data), size: uint32(len(data))}
	return descriptor(bpf(cmdBTFLoad, &attr))
}
