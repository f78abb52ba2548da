package record

import (
	"encoding/binary"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load"
)

// functions returns what the BTF knows of the program's functions, by slot:
// name, linkage, and the parameters of global ones. Nil without BTF.
//
// The reader of cilium/ebpf was here before: it unpacks types by recursion, and a
// chain of a million pointers, 24 MB of a record, ended the process.
func (b *BTF) functions(progType string) ([]bytecode.Subprogram, error) {
	if b == nil {
		return nil, nil
	}
	var order binary.ByteOrder = binary.LittleEndian
	if len(b.Data) > 1 && b.Data[0] == 0xeb {
		order = binary.BigEndian
	}
	return load.Functions(b.Data, order, b.FuncInfo, ProgTypeName(progType))
}
