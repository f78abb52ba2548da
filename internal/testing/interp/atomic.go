package interp

import (
	"fmt"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Operations of an atomic instruction, in its immediate (RFC 9669 section 5.3;
// the last two: include/uapi/linux/bpf.h, Linux 6.15).
const (
	atomicAdd      = 0x00
	atomicFetch    = 0x01 // flag
	atomicOr       = 0x40
	atomicAnd      = 0x50
	atomicXor      = 0xa0
	atomicXchg     = 0xe1
	atomicCmpXchg  = 0xf1
	atomicLoadAcq  = 0x100
	atomicStoreRel = 0x110
)

// atomic carries out an atomic operation. There is one CPU, so it is a load, a
// computation and a store.
func (vm *VM) atomic(in bytecode.Insn, regs *Regs) error {
	n, off := in.AccessBytes(), uint64(int64(in.Off))
	switch in.Imm {
	case atomicLoadAcq:
		if in.Dst >= bytecode.R10 {
			return fmt.Errorf("write to register %d", in.Dst)
		}
		v, err := vm.load(regs[in.Src]+off, n)
		regs[in.Dst] = v
		return err
	case atomicStoreRel:
		return vm.store(regs[in.Dst]+off, regs[in.Src], n)
	}
	if n < 4 {
		return fmt.Errorf("atomic operation on %d bytes", n)
	}
	addr := regs[in.Dst] + off
	cell, err := vm.mem.at(addr, n, true)
	if err != nil {
		return err
	}
	old, src := number(cell), regs[in.Src]
	if in.Imm == atomicCmpXchg {
		if want := regs[bytecode.R0] << (64 - 8*n) >> (64 - 8*n); old == want {
			putNumber(cell, src)
		}
		regs[bytecode.R0] = old
		return nil
	}
	v, ok := atomicValue(in.Imm, old, src)
	switch fetch := in.Imm&atomicFetch != 0; {
	case !ok:
		return fmt.Errorf("no such atomic operation: %#x", in.Imm)
	case fetch && in.Src >= bytecode.R10:
		return fmt.Errorf("write to register %d", in.Src)
	case fetch:
		regs[in.Src] = old
	}
	putNumber(cell, v)
	return nil
}

// atomicValue returns what an operation other than compare-and-exchange stores.
func atomicValue(imm int32, old, src uint64) (v uint64, ok bool) {
	switch imm {
	case atomicAdd, atomicAdd | atomicFetch:
		return old + src, true
	case atomicOr, atomicOr | atomicFetch:
		return old | src, true
	case atomicAnd, atomicAnd | atomicFetch:
		return old & src, true
	case atomicXor, atomicXor | atomicFetch:
		return old ^ src, true
	case atomicXchg:
		return src, true
	}
	return 0, false
}
