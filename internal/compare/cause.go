package compare

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/x86/disasm"
)

// Parting describes the first x86 instruction that differs between a kernel's code and ours, with
// both sides; empty if there is none. The first byte that differs is often that of a jump over it,
// whose distance is only a consequence. So the two streams of instructions are read side by side:
// distances and lengths of jumps are no difference, everything else is, and after a jump of another
// length, where offsets have moved, the kind of instruction alone counts.
func Parting(p *jit.Program, img *jit.Image, theirs []byte) string {
	ours, kernel := masked(img, theirs)
	moved := false
	for i, j := 0, 0; i < len(ours) && j < len(kernel); {
		x, err1 := disasm.Decode(img.Code, i)
		y, err2 := disasm.Decode(theirs, j)
		if err1 != nil || err2 != nil || strings.HasPrefix(y.Text, "prefix(") { // cut off
			return ""
		}
		_, jump1 := x.Target()
		_, jump2 := y.Target()
		same := x.Inst.Op == y.Inst.Op && x.Len == y.Len
		switch {
		case jump1 && jump2 && x.Inst.Op == y.Inst.Op:
			moved, same = moved || x.Len != y.Len, true
		case !moved:
			same = bytes.Equal(ours[i:i+x.Len], kernel[j:j+y.Len])
		}
		if !same {
			return fmt.Sprintf("%s: ours has %s at +%#x, the kernel has %s at +%#x",
				placeOf(p, img, i), x.Text, i, y.Text, j)
		}
		i, j = i+x.Len, j+y.Len
	}
	return ""
}

// masked returns our code and the kernel's with zeros at relocation sites.
func masked(img *jit.Image, theirs []byte) (ours, kernel []byte) {
	ours, kernel = bytes.Clone(img.Code), bytes.Clone(theirs)
	for _, r := range img.Relocs {
		for i := r.Offset; i < r.Offset+r.Size && i < min(len(ours), len(kernel)); i++ {
			ours[i], kernel[i] = 0, 0
		}
	}
	return ours, kernel
}

// placeOf names the instruction that a byte of the image belongs to.
func placeOf(p *jit.Program, img *jit.Image, off int) string {
	for f, fi := range img.Funcs {
		if off < fi.Offset || off >= fi.Offset+fi.Len {
			continue
		}
		fn := p.Funcs[f]
		slot := bytecode.PC(-1)
		for pc := fn.Start; pc < fn.End && int(img.Offsets[pc]) <= off-fi.Offset; pc += p.Insns[pc].Slots() {
			slot = pc
		}
		if slot < 0 {
			return fmt.Sprintf("prologue of function %d", f)
		}
		return fmt.Sprintf("slot %d, %s", slot, bytecode.Text(p.Insns, slot))
	}
	return "after the code"
}
