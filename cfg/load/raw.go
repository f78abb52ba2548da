package load

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Raw makes a program of a file that contains only instruction slots: binary in the given byte
// order, or text with 16 hexadecimal digits for each slot, in any number of lines and words. The
// text gives the bytes as in a binary file of that order.
//
// Only the instructions of the program are known. Subprograms start at the targets of its calls
// and function addresses, as in the kernel (add_subprogs in kernel/bpf/verifier.c, Linux 7.3);
// calls out of the program become diagnostics. Maps by descriptor become references of unknown
// meaning.
func Raw(name string, data []byte, order binary.ByteOrder) (*bytecode.Program, error) {
	return Limits{}.Raw(name, data, order)
}

// Raw is the function of that name within limits.
func (l Limits) Raw(name string, data []byte, order binary.ByteOrder) (*bytecode.Program, error) {
	p, err := raw(name, data, order, l)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", name, err)
	}
	return p, nil
}

func raw(name string, data []byte, order binary.ByteOrder, limits Limits) (*bytecode.Program, error) {
	if len(data) > limits.file() {
		return nil, fmt.Errorf("%d bytes, the limit is %d: %w", len(data), limits.file(), ErrTooLarge)
	}
	digits := isHex(data)
	if digits {
		text := bytes.Join(bytes.Fields(data), nil)
		if len(text)%(2*bytecode.SlotSize) != 0 {
			return nil, fmt.Errorf("%d hexadecimal digits are not a multiple of 16: %w", len(text), ErrTruncated)
		}
		data = make([]byte, len(text)/2)
		if _, err := hex.Decode(data, text); err != nil {
			panic("bug: text of hexadecimal digits only: " + err.Error())
		}
	}
	switch {
	case len(data) == 0:
		return nil, fmt.Errorf("the file is empty: %w", ErrNoPrograms)
	case !digits && bytes.HasPrefix(data, []byte("\x7fELF")):
		return nil, errors.New("this is an ELF file: load it as an object, not as raw instructions")
	case len(data)/bytecode.SlotSize > limits.insns():
		return nil, fmt.Errorf("%d slots, the limit is %d: %w", len(data)/bytecode.SlotSize, limits.insns(), ErrTooLarge)
	}
	insns, err := bytecode.Decode(data, order)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, ErrTruncated)
	}
	p := &bytecode.Program{Name: name, Insns: insns}
	splitSubprograms(p, map[bytecode.PC]string{0: name})
	for pc := bytecode.PC(0); pc < p.Len(); pc += insns[pc].Slots() {
		if ref, ok := plainRef(p, pc); ok {
			p.Refs = append(p.Refs, ref)
		}
	}
	return p, nil
}

// isHex reports whether a file is text of hexadecimal digits. Binary instructions are not: some
// of their bytes are outside of the range of text.
func isHex(data []byte) bool {
	digits := 0
	for _, c := range data {
		switch {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'f', c >= 'A' && c <= 'F':
			digits++
		case c == ' ', c == '\t', c == '\r', c == '\n':
		default:
			return false
		}
	}
	return digits > 2*bytecode.SlotSize-1
}

// splitSubprograms fills in Subprogs: one at slot 0, at each name, and at each target of a call
// or function address.
func splitSubprograms(p *bytecode.Program, names map[bytecode.PC]string) {
	starts := []bytecode.PC{0}
	for pc := range names {
		starts = append(starts, pc)
	}
	for pc := bytecode.PC(0); pc < p.Len(); pc += p.Insns[pc].Slots() {
		f := p.Flow(pc)
		if f.Kind != bytecode.FlowCall && f.Kind != bytecode.FlowFuncAddr {
			continue
		}
		if f.Callee < 0 || f.Callee >= p.Len() {
			addDiag(&p.Diags, "slot %d: refers to a function at slot %d, outside of the program", pc, f.Callee)
			continue
		}
		starts = append(starts, f.Callee)
	}
	slices.Sort(starts)
	starts = slices.Compact(starts)
	for i, start := range starts {
		end := p.Len()
		if i+1 < len(starts) {
			end = starts[i+1]
		}
		p.Subprogs = append(p.Subprogs, bytecode.Subprogram{Name: names[start], Start: start, End: end})
	}
}

// plainRef returns the reference that an instruction's own bits make, if they do not determine
// its object.
func plainRef(p *bytecode.Program, pc bytecode.PC) (bytecode.Ref, bool) {
	in := p.Insns[pc]
	ref := bytecode.Ref{PC: pc, Kind: bytecode.RefUnknown}
	switch {
	case in.IsKfuncCall():
		ref.Kind, ref.Name = bytecode.RefKfunc, fmt.Sprintf("kernel function %d", in.Imm)
	case !in.IsWide():
		return ref, false
	case in.Src == bytecode.LdMapFD, in.Src == bytecode.LdMapValue:
		ref.Name = fmt.Sprintf("map descriptor %d", in.Imm)
	case in.Src == bytecode.LdMapIdx, in.Src == bytecode.LdMapIdxValue:
		ref.Name = fmt.Sprintf("map number %d", in.Imm)
	case in.Src == bytecode.LdBTFID:
		ref.Kind, ref.Index = bytecode.RefBTFID, int(in.Imm)
	case in.Src == bytecode.LdFunc:
		callee := p.Flow(pc).Callee
		if callee < 0 || callee >= p.Len() {
			return ref, false
		}
		ref.Kind, ref.Index = bytecode.RefFunc, int(callee)
	default:
		return ref, false
	}
	return ref, true
}
