package rewrite

import (
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/cilium/ebpf/asm"
)

// maxLoops is the largest number of rounds of a bpf_loop (BPF_MAX_LOOPS).
const maxLoops = 8 << 20

// errno values that replacements return.
const (
	e2Big      = 7
	eInval     = 22
	eOpNotSupp = 95
	eNoEnt     = 2
)

// inlineLoops turns bpf_loop calls with one known callback and no flags into
// loops (kernel/bpf/fixups.c bpf_optimize_bpf_loop). The function's stack grows
// by three registers, once, rounded up to 8 first.
func inlineLoops(st *state, im *image) (*image, int, error) {
	b, changed := newBuilder(im), 0
	for fn := range im.funcs {
		depth := (im.funcs[fn].stackDepth + 7) &^ 7
		inlined := false
		for i := int(im.funcs[fn].start); i < int(im.end(fn)); i++ {
			s := im.slots[i]
			if s.marks&markSecond != 0 || !s.in.IsHelperCall() || asm.BuiltinFunc(s.in.Imm) != asm.FnLoop {
				b.keep(i)
				continue
			}
			fact, ok := st.calls[bytecode.PC(s.orig)]
			switch {
			case s.marks&markSeen == 0:
				b.keep(i)
			case !ok:
				b.replace(i, s.unpredicted())
			case fact.FlagsZero && fact.Callback >= 0 && fact.Callback < len(im.funcs):
				body := loopBody(int16(-depth-24), im.funcs[fact.Callback].start)
				if !fact.Certain || im.funcs[fn].unsure {
					body = unpredicted(body)
				}
				b.patch(i, body...)
				inlined = true
				changed++
			case !fact.Certain:
				b.replace(i, s.unpredicted())
			default:
				b.keep(i)
			}
		}
		if inlined {
			b.funcs[fn].stackDepth = depth + 24
		}
	}
	return b.finish(), changed, nil
}

// loopBody returns the loop that replaces a bpf_loop: number of rounds in R1,
// context in R3. It keeps R6 to R8 in the stack from offset base on.
func loopBody(base int16, callback int32) []slot {
	r0, r1, r2, r3 := bytecode.R0, bytecode.R1, bytecode.R2, bytecode.R3
	r6, r7, r8, fp := bytecode.R6, bytecode.R7, bytecode.R8, bytecode.R10
	call := raw(bytecode.CodeCall, 0, bytecode.CallSubprogram, 0, 0)
	call.target = callback
	return []slot{
		raw(j64|jle, r1, 0, 2, maxLoops),
		raw(w32|opMov, r0, 0, 0, -e2Big),
		raw(bytecode.CodeGoto, 0, 0, 16, 0),
		raw(stxD, fp, r6, base, 0),
		raw(stxD, fp, r7, base+8, 0),
		raw(stxD, fp, r8, base+16, 0),
		raw(w64|opMov|byReg, r6, r1, 0, 0),
		raw(w32|opMov, r7, 0, 0, 0),
		raw(w64|opMov|byReg, r8, r3, 0, 0),
		raw(j64|jge|byReg, r7, r6, 5, 0),
		raw(w64|opMov|byReg, r1, r7, 0, 0),
		raw(w64|opMov|byReg, r2, r8, 0, 0),
		call,
		raw(w64|opAdd, r7, 0, 0, 1),
		raw(j64|jeq, r0, 0, -6, 0),
		raw(w64|opMov|byReg, r0, r7, 0, 0),
		raw(ldxD, r6, fp, base, 0),
		raw(ldxD, r7, fp, base+8, 0),
		raw(ldxD, r8, fp, base+16, 0),
	}
}
