package load

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// maxKernelTypes bounds the number of types of a kernel or module, at several times what a kernel
// has. It also bounds the depth of the recursion with which the reader unpacks them.
const maxKernelTypes = 400_000

// KernelBTF returns the type information in a file of a kernel or of a module: all of raw BTF, or
// the contents of section .BTF of an ELF file. The extents of all types in the result have been
// checked.
func KernelBTF(data []byte) ([]byte, error) {
	if len(data) > MaxFile {
		return nil, fmt.Errorf("%d bytes, the limit is %d: %w", len(data), MaxFile, ErrTooLarge)
	}
	if bytes.HasPrefix(data, []byte("\x7fELF")) {
		f := &elfFile{data: data}
		hdr, err := f.header(false)
		if err != nil {
			return nil, err
		}
		if err := f.readSections(hdr); err != nil {
			return nil, err
		}
		i := f.sectionNamed(".BTF")
		if i < 0 {
			return nil, fmt.Errorf("the ELF file has no section .BTF: give raw BTF, such as /sys/kernel/btf/vmlinux, "+
				"or a vmlinux that is built with CONFIG_DEBUG_INFO_BTF: %w", errBTF)
		}
		data = f.sections[i].data
	}
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		if len(data) < 2 || order.Uint16(data) != btfMagic {
			continue
		}
		b, err := parseBTF(data, order)
		switch {
		case err != nil:
			return nil, err
		case len(b.start) > maxKernelTypes:
			return nil, fmt.Errorf("%d types, the limit is %d: %w", len(b.start), maxKernelTypes, ErrTooLarge)
		}
		return data, nil
	}
	return nil, fmt.Errorf("neither BTF nor an ELF file: %w", errBTF)
}
