package interp

import (
	"errors"
	"fmt"
	"math"
	"math/bits"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/abstract/scalar"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// leave is the next slot of an exit: further away than any jump leads, whose
// distance is counted from the slot after it.
const leave bytecode.PC = math.MinInt32

// run carries out the innermost frame from pc until that frame is left, and
// returns R0.
func (vm *VM) run(pc bytecode.PC, regs Regs) (uint64, error) {
	bottom := len(vm.frames) - 1
	for {
		if pc < 0 || pc >= vm.p.Len() {
			return 0, &Error{pc, errors.New("outside the program")}
		}
		if vm.steps >= vm.cfg.Steps {
			return 0, &Error{pc, fmt.Errorf("%w: %d", ErrSteps, vm.steps)}
		}
		vm.steps++
		if vm.cfg.OnStep != nil {
			vm.cfg.OnStep(pc, &regs)
		}
		next, kind, err := vm.step(pc, vm.p.Insns[pc], &regs)
		if err != nil {
			var inner *Error
			if errors.As(err, &inner) {
				return regs[bytecode.R0], err // from a callback
			}
			return regs[bytecode.R0], &Error{pc, err}
		}
		if next == leave {
			call := vm.pop(&regs)
			if len(vm.frames) == bottom {
				return regs[bytecode.R0], nil
			}
			pc, next, kind = call, call+1, Return
		}
		if vm.cfg.OnEdge != nil {
			vm.cfg.OnEdge(pc, next, kind)
		}
		pc = next
	}
}

// step carries out one instruction and returns the slot to go on at.
func (vm *VM) step(pc bytecode.PC, in bytecode.Insn, regs *Regs) (bytecode.PC, EdgeKind, error) {
	if in.Dst > bytecode.R11 || in.Src > bytecode.R11 {
		return 0, 0, fmt.Errorf("register %d or %d does not exist", in.Dst, in.Src)
	}
	next := pc + in.Slots()
	var err error
	switch in.Class() {
	case asm.ALUClass, asm.ALU64Class:
		err = vm.alu(in, regs)
	case asm.LdXClass:
		err = vm.loadInsn(in, regs)
	case asm.StClass:
		err = vm.storeInsn(in, regs, uint64(int64(in.Imm)))
	case asm.StXClass:
		if m := in.Mode(); m == asm.AtomicMode {
			err = vm.atomic(in, regs)
		} else {
			err = vm.storeInsn(in, regs, regs[in.Src])
		}
	case asm.LdClass:
		if in.IsWide() {
			err = vm.wide(pc, in, regs)
			break
		}
		var ok bool
		if ok, err = vm.packetLoad(in, regs); !ok {
			next = leave
		}
	default:
		return vm.jump(pc, in, regs)
	}
	return next, Next, err
}

// alu carries out an instruction of class ALU or ALU64.
func (vm *VM) alu(in bytecode.Insn, regs *Regs) error {
	src := uint64(int64(in.Imm))
	if in.Source() == asm.RegSource {
		src = regs[in.Src]
	}
	if in.Dst >= bytecode.R10 {
		return fmt.Errorf("write to register %d", in.Dst)
	}
	dst := &regs[in.Dst]
	op, is32, ok := scalar.OpOf(in.Code, in.Off, in.Imm)
	switch {
	case ok:
		*dst = scalar.Eval(op, is32, *dst, src)
	case in.Code == uint8(asm.Mul)|uint8(asm.ALU64Class)|uint8(asm.RegSource) && (in.Off == 1 || in.Off == 2):
		// The high half of the product, unsigned or signed (LLVM 24).
		hi, _ := bits.Mul64(*dst, src)
		if in.Off == 2 {
			hi -= src&uint64(int64(*dst)>>63) + *dst&uint64(int64(src)>>63)
		}
		*dst = hi
	default:
		return fmt.Errorf("no such operation: code %#x, offset %d, immediate %d", in.Code, in.Off, in.Imm)
	}
	return nil
}

// loadInsn carries out an instruction of class LDX (RFC 9669 section 5.2).
func (vm *VM) loadInsn(in bytecode.Insn, regs *Regs) error {
	n := in.AccessBytes()
	signed := in.Mode() == asm.MemSXMode
	switch {
	case in.Dst >= bytecode.R10:
		return fmt.Errorf("write to register %d", in.Dst)
	case in.Mode() != asm.MemMode && !signed, signed && n == 8:
		return fmt.Errorf("no such load: code %#x", in.Code)
	case in.Src == bytecode.R11:
		return vm.stackArg(in, regs)
	}
	v, err := vm.load(regs[in.Src]+uint64(int64(in.Off)), n)
	if signed {
		v = uint64(int64(v<<(64-8*n)) >> (64 - 8*n))
	}
	regs[in.Dst] = v
	return err
}

// storeInsn carries out a plain store of v.
func (vm *VM) storeInsn(in bytecode.Insn, regs *Regs, v uint64) error {
	if in.Mode() != asm.MemMode {
		return fmt.Errorf("no such store: code %#x", in.Code)
	}
	if in.Dst != bytecode.R11 {
		return vm.store(regs[in.Dst]+uint64(int64(in.Off)), v, in.AccessBytes())
	}
	// A stack argument of the next call: number i at -8-8*i.
	i := -int(in.Off)/8 - 1
	if in.Off%8 != 0 || i < 0 || i >= maxStackArgs || in.AccessBytes() != 8 {
		return fmt.Errorf("store of a stack argument at offset %d", in.Off)
	}
	vm.top().out[i] = v
	return nil
}

// stackArg loads an incoming stack argument: number i from 8+8*i.
func (vm *VM) stackArg(in bytecode.Insn, regs *Regs) error {
	i := int(in.Off)/8 - 1
	if in.Off%8 != 0 || i < 0 || i >= maxStackArgs || in.AccessBytes() != 8 || len(vm.frames) < 2 ||
		vm.top().call < 0 {
		return fmt.Errorf("load of a stack argument at offset %d", in.Off)
	}
	regs[in.Dst] = vm.frames[len(vm.frames)-2].out[i]
	return nil
}

// wide carries out a 64-bit immediate load (RFC 9669 section 5.4).
func (vm *VM) wide(pc bytecode.PC, in bytecode.Insn, regs *Regs) error {
	if in.Dst >= bytecode.R10 {
		return fmt.Errorf("write to register %d", in.Dst)
	}
	if pc+1 >= vm.p.Len() {
		return errors.New("64-bit load without a second slot")
	}
	v, err := vm.wideValue(pc, in)
	regs[in.Dst] = v
	return err
}

// wideValue returns what a 64-bit immediate load loads.
func (vm *VM) wideValue(pc bytecode.PC, in bytecode.Insn) (uint64, error) {
	p := vm.p
	ref, ok := p.RefAt(pc)
	if !ok {
		switch in.Src {
		case bytecode.LdImm64:
			return uint64(uint32(in.Imm)) | uint64(uint32(p.Insns[pc+1].Imm))<<32, nil
		case bytecode.LdFunc:
			return vm.CodeAddr(pc + 1 + bytecode.PC(in.Imm)), nil
		}
		return 0, fmt.Errorf("64-bit load of kind %d refers to nothing", in.Src)
	}
	switch i := ref.Index; {
	case ref.Kind == bytecode.RefMap && i >= 0 && i < len(vm.maps):
		return vm.mapObj[i], nil
	case ref.Kind == bytecode.RefMapValue && i >= 0 && i < len(vm.maps):
		if r := vm.maps[i].elem(0); r != nil {
			return r.base + uint64(ref.Off), nil
		}
	case ref.Kind == bytecode.RefTable && i >= 0 && i < len(vm.tables):
		return vm.tables[i] + uint64(ref.Off), nil
	case ref.Kind == bytecode.RefTableMap && i >= 0 && i < len(vm.tabObj):
		return vm.tabObj[i], nil
	case ref.Kind == bytecode.RefFunc:
		return vm.CodeAddr(bytecode.PC(i)), nil
	}
	return 0, fmt.Errorf("64-bit load of %q, which is not modelled", ref.Name)
}

// packetLoad carries out LD_ABS or LD_IND (RFC 9669 section 5.6): R0 becomes a
// number of the packet, high byte first. ok is false when there is no such
// place, which leaves the subprogram with R0 = 0.
func (vm *VM) packetLoad(in bytecode.Insn, regs *Regs) (ok bool, err error) {
	n, off := in.AccessBytes(), int64(in.Imm)
	switch in.Mode() {
	case asm.AbsMode:
	case asm.IndMode:
		off = int64(int32(uint32(in.Imm) + uint32(regs[in.Src])))
	default:
		return true, fmt.Errorf("no such load: code %#x", in.Code)
	}
	if n == 8 {
		return true, fmt.Errorf("no such load: code %#x", in.Code)
	}
	if vm.cfg.Clobber != nil {
		vm.cfg.Clobber(regs[bytecode.R1:bytecode.R6])
	}
	regs[bytecode.R0] = 0
	if off < 0 || off+int64(n) > int64(len(vm.packet.data)) {
		return false, nil
	}
	for _, b := range vm.packet.data[off:][:n] {
		regs[bytecode.R0] = regs[bytecode.R0]<<8 | uint64(b)
	}
	return true, nil
}
