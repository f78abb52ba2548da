//go:build linux && amd64

package live

import (
	"bytes"
	"encoding/binary"

	"github.com/cilium/ebpf/btf"

	"github.com/bpfcfg/bpfcfg/internal/sysbpf"
)

// types is the type object of a program. A nil one has no types.
type types struct {
	spec    *btf.Spec
	strings []byte
}

// readTypes reads the type object of a program, nil when it has none or when
// it cannot be read.
func readTypes(info *sysbpf.Prog) *types {
	if info.BTFID == 0 {
		return nil
	}
	fd, err := sysbpf.BTFByID(info.BTFID)
	if err != nil {
		return nil
	}
	defer fd.Close()
	data, err := sysbpf.ReadBTF(fd)
	if err != nil {
		return nil
	}
	spec, err := btf.LoadSpecFromReader(bytes.NewReader(data))
	if err != nil {
		return nil
	}
	return &types{spec, stringsOf(data)}
}

// stringsOf returns the string section of a type object (struct btf_header in
// include/uapi/linux/btf.h).
func stringsOf(data []byte) []byte {
	if len(data) < 24 {
		return nil
	}
	le := binary.LittleEndian
	from := uint64(le.Uint32(data[4:])) + uint64(le.Uint32(data[16:]))
	to := from + uint64(le.Uint32(data[20:]))
	if from > to || to > uint64(len(data)) {
		return nil
	}
	return data[from:to]
}

// text returns the string at an offset.
func (t *types) text(off uint32) string {
	if t == nil || uint64(off) >= uint64(len(t.strings)) {
		return ""
	}
	s := t.strings[off:]
	if i := bytes.IndexByte(s, 0); i >= 0 {
		s = s[:i]
	}
	return string(s)
}

// function returns the type of a function, nil when there is none.
func (t *types) function(id uint32) *btf.Func {
	if t == nil {
		return nil
	}
	typ, err := t.spec.TypeByID(btf.TypeID(id))
	if err != nil {
		return nil
	}
	f, _ := typ.(*btf.Func)
	return f
}

// name returns the name of a function, empty when it is not known.
func (t *types) name(id uint32) string {
	if f := t.function(id); f != nil {
		return f.Name
	}
	return ""
}
