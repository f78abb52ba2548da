package target

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/cilium/ebpf/btf"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load"
)

// Kinds of CO-RE relocations (enum bpf_core_relo_kind in
// include/uapi/linux/bpf.h).
const (
	coreByteOffset = 0
	coreByteSize   = 1
	coreSigned     = 3
)

// request is a CO-RE relocation without its instruction: equal requests have the same answer.
type request struct {
	kind, typ uint32
	path      string
}

func requestOf(r *bytecode.Reloc) request { return request{r.Core, r.Type, r.Path} }

// with returns the request for another property of the same field.
func (q request) with(kind uint32) request { return request{kind, q.typ, q.path} }

// answer is the result of a relocation.
type answer struct {
	local, target uint64
	poison        bool // the kernel does not have it
	err           error
}

// solve works out the relocations of an object, each once. It also returns the object's types,
// nil if they are not needed.
func (k *Kernel) solve(o *load.Object) (*btf.Spec, map[request]answer, error) {
	var list []request
	known := map[request]bool{}
	add := func(q request) {
		if !known[q] {
			known[q] = true
			list = append(list, q)
		}
	}
	for _, p := range o.Programs {
		for i := range p.Relocs {
			r := &p.Relocs[i]
			if r.Kind != bytecode.RelocCORE || r.Path == "" || !validPath(r.Path) {
				continue
			}
			q := requestOf(r)
			if add(q); q.kind == coreByteOffset && r.Part == bytecode.PartAccess {
				add(q.with(coreByteSize))
				add(q.with(coreSigned))
			}
		}
	}
	if len(o.Types) == 0 {
		return nil, nil, nil
	}
	if _, err := load.KernelBTF(o.Types); err != nil {
		return nil, nil, err
	}
	if len(list) == 0 {
		spec, err := btf.LoadSpecFromReader(bytes.NewReader(o.Types))
		return spec, nil, err
	}
	spec, relos, err := localRelocs(o, list)
	if err != nil {
		return nil, nil, err
	}
	out := make(map[request]answer, len(list))
	for i, q := range list {
		out[q] = k.solveOne(spec, relos[i].Relo)
	}
	return spec, out, nil
}

// maxPath bounds the steps of an access path (BPF_CORE_SPEC_MAX_LEN in libbpf).
const maxPath = 64

// validPath reports whether cilium/ebpf can read the access path. One that it cannot read would
// spoil the whole object.
func validPath(path string) bool {
	steps := strings.Split(path, ":")
	for _, s := range steps {
		if _, err := strconv.ParseUint(s, 10, 31); err != nil {
			return false
		}
	}
	return len(steps) <= maxPath
}

// solveOne works out one relocation. As in libbpf, types of modules count only if the kernel
// itself has none of the name, and each relocation looks for matching types by itself.
func (k *Kernel) solveOne(local *btf.Spec, r *btf.CORERelocation) answer {
	var last answer
	for _, targets := range [][]*btf.Spec{{k.types}, append([]*btf.Spec{k.types}, k.modules...)} {
		fixups, err := btf.CORERelocate([]*btf.CORERelocation{r}, targets, binary.LittleEndian, local.TypeID)
		if err != nil {
			return answer{err: err}
		}
		if last, err = read(&fixups[0]); err != nil {
			return answer{err: err}
		}
		if !last.poison || len(k.modules) == 0 {
			break
		}
	}
	return last
}

// read extracts the fields of a fixup, which are not exported. Apply is for Linux only; String is
// "byte_off=8->16" or "byte_off=poison".
func read(f *btf.COREFixup) (answer, error) {
	_, value, _ := strings.Cut(f.String(), "=")
	if value == "poison" {
		return answer{poison: true}, nil
	}
	from, to, ok := strings.Cut(value, "->")
	local, err1 := strconv.ParseUint(from, 10, 64)
	target, err2 := strconv.ParseUint(to, 10, 64)
	if !ok || err1 != nil || err2 != nil {
		return answer{}, fmt.Errorf("not understood: %q", f)
	}
	return answer{local: local, target: target}, nil
}

// errTypes reports that the types of an object cannot be read.
var errTypes = errors.New("the object's types are damaged")

// localRelocs makes cilium/ebpf's relocations of the requests. That library makes them only of an
// object file, so it gets one that holds only the object's types and these relocations, in their
// order.
func localRelocs(o *load.Object, list []request) (*btf.Spec, btf.CORERelocationOffsets, error) {
	const header = 24
	order, data := o.ByteOrder, o.Types
	if len(data) < header {
		return nil, nil, errTypes
	}
	word := func(at int) uint64 { return uint64(order.Uint32(data[at:])) }
	hdr, typeOff, typeLen, strOff, strLen := word(4), word(8), word(12), word(16), word(20)
	size := uint64(len(data))
	if hdr+typeOff+typeLen > size || hdr+strOff+strLen > size {
		return nil, nil, errTypes
	}
	strs := append([]byte{}, data[hdr+strOff:hdr+strOff+strLen]...)
	const section = "core"
	strs = append(strs, section+"\x00"...)
	recs := words(order, 16, uint32(strLen), uint32(len(list)))
	places := map[string]uint32{}
	for i, q := range list {
		at, ok := places[q.path]
		if !ok {
			at = uint32(len(strs))
			places[q.path] = at
			strs = append(strs, q.path+"\x00"...)
		}
		recs = append(recs, words(order, uint32(8*i), q.typ, at, q.kind)...)
	}
	types := append([]byte{}, data[:header]...)
	order.PutUint32(types[4:], header)
	order.PutUint32(types[8:], 0)
	order.PutUint32(types[16:], uint32(typeLen))
	order.PutUint32(types[20:], uint32(len(strs)))
	types = append(append(types, data[hdr+typeOff:hdr+typeOff+typeLen]...), strs...)
	// .BTF.ext: function and line information without records, then these.
	ext := append(append([]byte{}, types[:4]...), words(order, 32, 0, 4, 4, 4, 8, uint32(len(recs)))...)
	ext = append(append(ext, words(order, 8, 16)...), recs...)
	spec, infos, err := btf.LoadSpecAndExtInfosFromReader(bytes.NewReader(object(order, types, ext)))
	if err != nil {
		return nil, nil, err
	}
	relos := infos.CORERelos[section]
	if len(relos) != len(list) {
		return nil, nil, errTypes
	}
	return spec, relos, nil
}

// words encodes 32-bit numbers.
func words(order binary.ByteOrder, v ...uint32) []byte {
	out := make([]byte, 4*len(v))
	for i, w := range v {
		order.PutUint32(out[4*i:], w)
	}
	return out
}

// object makes an ELF file of a section .BTF, a section .BTF.ext, and a symbol
// table without symbols.
func object(order binary.ByteOrder, types, ext []byte) []byte {
	names := "\x00.shstrtab\x00.strtab\x00.symtab\x00.BTF\x00.BTF.ext\x00"
	at := func(name string) uint32 { return uint32(strings.Index(names, "\x00"+name+"\x00") + 1) }
	var body bytes.Buffer
	const headerSize, sections = 64, 6
	headers := []elf.Section64{{}}
	add := func(name string, typ elf.SectionType, data []byte, link uint32, entry uint64) {
		headers = append(headers, elf.Section64{Name: at(name), Type: uint32(typ), Off: uint64(headerSize + body.Len()),
			Size: uint64(len(data)), Link: link, Entsize: entry, Addralign: 1})
		body.Write(data)
	}
	add(".shstrtab", elf.SHT_STRTAB, []byte(names), 0, 0)
	add(".strtab", elf.SHT_STRTAB, []byte{0}, 0, 0)
	add(".symtab", elf.SHT_SYMTAB, make([]byte, elf.Sym64Size), 2, elf.Sym64Size)
	add(".BTF", elf.SHT_PROGBITS, types, 0, 0)
	add(".BTF.ext", elf.SHT_PROGBITS, ext, 0, 0)
	head := elf.Header64{Type: uint16(elf.ET_REL), Machine: uint16(elf.EM_BPF), Version: 1, Ehsize: headerSize,
		Shoff: uint64(headerSize + body.Len()), Shentsize: 64, Shnum: sections, Shstrndx: 1}
	copy(head.Ident[:], elf.ELFMAG)
	head.Ident[elf.EI_CLASS], head.Ident[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.EV_CURRENT)
	head.Ident[elf.EI_DATA] = byte(elf.ELFDATA2LSB)
	if order == binary.BigEndian {
		head.Ident[elf.EI_DATA] = byte(elf.ELFDATA2MSB)
	}
	out, _ := binary.Append(nil, order, head)
	out = append(out, body.Bytes()...)
	out, _ = binary.Append(out, order, headers)
	return out
}
