package verify

import "github.com/bpfcfg/bpfcfg/jit/machine"

// relocations checks the claims about addresses in the code: they are in order, without overlap,
// each within the code of the instruction that it is said to belong to, or before the first one,
// and each after an opcode with such a field. The kernel would overwrite bytes elsewhere when it
// fills in the addresses.
func (c *checker) relocations() {
	f, end := 0, 0
	for i := range c.img.Relocs {
		r := &c.img.Relocs[i]
		if r.Offset < end || r.Size != r.Kind.Size() || r.Offset+r.Size > len(c.img.Code) {
			c.fn = f
			c.fail(r.PC, r.Offset-c.origin(), "a relocation of %d bytes out of order, outside of the code or of a wrong size",
				r.Size)
			return
		}
		end = r.Offset + r.Size
		for f+1 < len(c.img.Funcs) && r.Offset >= c.img.Funcs[f+1].Offset {
			f++
		}
		c.fn = f
		if !c.belongs(r) {
			c.fail(r.PC, r.Offset-c.origin(), "a relocation outside of its instruction's code or after no such opcode")
		}
	}
}

// belongs reports whether a relocation lies in the code of its instruction, which is in
// the current function, after an opcode that has its field.
func (c *checker) belongs(r *machine.Reloc) bool {
	fi, fn := c.img.Funcs[c.fn], c.prog.Funcs[c.fn]
	lo, hi := 0, int(c.img.Offsets[fn.Start])
	if r.PC >= 0 {
		if r.PC < fn.Start || r.PC >= fn.End {
			return false
		}
		lo = int(c.img.Offsets[r.PC])
		if next := r.PC + c.prog.Insns[r.PC].Slots(); next < fn.End {
			hi = int(c.img.Offsets[next])
		} else {
			hi = fi.Len
		}
	}
	at := r.Offset - fi.Offset
	if at < lo || at+r.Size > hi {
		return false
	}
	code := c.img.Code[fi.Offset+lo : fi.Offset+at]
	n := len(code)
	if r.Kind == machine.RelAbs64 { // REX.W B8+r: mov $imm64,%reg (Intel SDM volume 2, MOV)
		return n >= 2 && code[n-2]&^1 == 0x48 && code[n-1]&^7 == 0xb8
	}
	return n >= 1
}
