package load

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// checkAsm refuses an instruction of cilium/ebpf whose fields contradict each
// other or do not fit the encoding. Its Marshal (version 0.22) refuses some of
// them, and cuts off or overwrites fields of the others.
func checkAsm(in *asm.Instruction) error {
	op := in.OpCode
	alu, atomic := uint8(0), asm.InvalidAtomic
	if op.Class().IsALU() {
		switch op.ALUOp() {
		case asm.SDiv, asm.SMod, asm.MovSX8, asm.MovSX16, asm.MovSX32:
			alu = 1
		}
	} else {
		atomic = op.AtomicOp()
	}
	switch plain := uint32(op) <= 0xff; {
	case op == asm.InvalidOpCode || !plain && alu == 0 && atomic == asm.InvalidAtomic:
		return fmt.Errorf("opcode %#x: %w", uint32(op), ErrAsm)
	case in.Dst > 15 || in.Src > 15:
		return fmt.Errorf("registers %d and %d: %w", in.Dst, in.Src, ErrAsm)
	case !op.IsDWordLoad() && (in.Constant < math.MinInt32 || in.Constant > math.MaxUint32):
		return fmt.Errorf("constant %#x in 32 bits: %w", in.Constant, ErrAsm)
	case alu != 0 && in.Offset != 0:
		return fmt.Errorf("offset %d beside an operation that is encoded in it: %w", in.Offset, ErrAsm)
	case atomic != asm.InvalidAtomic && in.Constant != 0 && op.SetAtomicOp(atomicOf(in.Constant)) != op:
		return fmt.Errorf("atomic operation %v with the constant %#x of another: %w", atomic, in.Constant, ErrAsm)
	case in.IsBuiltinCall() && in.Constant>>28 > 0:
		return fmt.Errorf("helper %v of another system than Linux: %w", asm.BuiltinFunc(in.Constant), ErrAsm)
	}
	return nil
}

// atomicOf returns the operation that the immediate of an atomic instruction encodes, to the
// extent that cilium/ebpf keeps it in its opcode (RFC 9669 section 5.3, and bit 8 of load-acquire
// and store-release).
func atomicOf(imm int64) asm.AtomicOp { return asm.AtomicOp(imm<<8) & 0x1_ff00 }

// Describe adds to a subprogram the prototype of its function in BTF of cilium/ebpf, as the
// kernel uses it for a program of the type: Params, Result and, if s is Global, Args. The type is
// in libbpf's naming ("xdp"). The error is for BTF that cannot be read.
func Describe(s *bytecode.Subprogram, fn *btf.Func, progType string) (err error) {
	// Hand-made types may have gaps, at which cilium/ebpf 0.22 panics.
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("function %q: BTF: %v", fn.Name, r)
		}
	}()
	b, err := btf.NewBuilder(nil, nil)
	if err != nil {
		return err
	}
	id, err := b.Add(fn)
	if err != nil {
		return fmt.Errorf("function %q: %w", fn.Name, err)
	}
	data, err := b.Marshal(nil, &btf.MarshalOptions{Order: binary.LittleEndian})
	if err != nil {
		return fmt.Errorf("function %q: %w", fn.Name, err)
	}
	types, err := parseBTF(data, binary.LittleEndian)
	if err != nil {
		return fmt.Errorf("function %q: %w", fn.Name, err)
	}
	types.describe(s, uint32(id), progType)
	if s.Global {
		s.Args = types.args(uint32(id), progType)
	}
	return nil
}
