//go:build linux && amd64

package host

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/live"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/internal/sysbpf"
	"github.com/bpfcfg/bpfcfg/jit"
)

// probe loads tiny programs and reads from their code the values that no file has.
func (d *deriver) probe(k *live.Kernel) {
	p := &prober{d: d, k: running{k}, prof: &d.r.Profile}
	p.all()
}

// all runs all probes. The program of the first is the smallest there is: if it
// cannot be loaded, none can.
func (p *prober) all() {
	if !p.returns() {
		return
	}
	for _, one := range []func() error{p.tailCall, p.shift, p.percpu, p.lookup, p.exchange, p.constant, p.hidden,
		p.gotox} {
		if err := one(); err != nil {
			p.d.note("a probe failed: %v", err)
		}
	}
}

// prober is the work of one probe.
type prober struct {
	d    *deriver
	k    system
	prof *jit.Profile
}

// compiled loads a program, reads it, and unloads it again.
func (p *prober) compiled(insns ...bytecode.Insn) (*sysbpf.Prog, error) {
	info, err := p.k.compile(insns)
	if err == nil && (len(info.Code) == 0 || len(info.Ksyms) == 0) {
		err = errors.New("the kernel hides machine code from this user")
	}
	return info, err
}

// system is the interface of probes to a kernel; tests have one without a kernel.
type system interface {
	compile(insns []bytecode.Insn) (*sysbpf.Prog, error) // of type socket filter
	newMap(m *sysbpf.Map) (fd sysbpf.FD, err error)      // closed by closeMap
	newTable(target uint32) (fd sysbpf.FD, err error)    // an instruction array of one element, frozen
	jitted(table sysbpf.FD) (offset uint32, err error)   // of the element
	closeMap(fd sysbpf.FD)
	symbol(addr uint64) (name string, ok bool)
}

// errNoTables is returned by newTable of a kernel that has no instruction arrays.
var errNoTables = errors.New("the kernel has no instruction arrays")

// running is the running kernel.
type running struct{ *live.Kernel }

// socketFilter is BPF_PROG_TYPE_SOCKET_FILTER.
const socketFilter = 1

func (running) compile(insns []bytecode.Insn) (*sysbpf.Prog, error) {
	fd, _, err := sysbpf.LoadProg(&sysbpf.Load{
		Type: socketFilter, Name: "bpfcfg_probe", License: "GPL",
		Insns: bytecode.Encode(insns, binary.LittleEndian),
	})
	if err != nil {
		return nil, err
	}
	defer fd.Close()
	return sysbpf.ReadProg(fd)
}

func (running) newMap(m *sysbpf.Map) (sysbpf.FD, error) { return sysbpf.CreateMap(m) }
func (running) closeMap(fd sysbpf.FD)                   { fd.Close() }
func (k running) symbol(addr uint64) (string, bool)     { return k.Name(addr) }

func (running) newTable(target uint32) (sysbpf.FD, error) {
	fd, err := sysbpf.CreateMap(&sysbpf.Map{
		Type: record.MapInsnArray, KeySize: 4, ValueSize: 16, MaxEntries: 1, Name: "bpfcfg_probe",
	})
	if errors.Is(err, unix.EINVAL) {
		err = errNoTables
	}
	if err != nil {
		return fd, err
	}
	value := make([]byte, 16)
	binary.LittleEndian.PutUint32(value, target)
	if err = sysbpf.Update(fd, make([]byte, 4), value); err == nil {
		err = sysbpf.Freeze(fd)
	}
	if err != nil {
		fd.Close()
	}
	return fd, err
}

func (running) jitted(table sysbpf.FD) (uint32, error) {
	value := make([]byte, 16)
	err := sysbpf.Lookup(table, make([]byte, 4), value)
	return binary.LittleEndian.Uint32(value[8:]), err
}

// Instructions of probes. All are of the ALU64, JMP, LD or memory classes.
var (
	exit    = bytecode.Insn{Code: bytecode.CodeExit}
	zero    = bytecode.Insn{Code: 0xb7}                                      // r0 = 0
	key     = bytecode.Insn{Code: 0x62, Dst: bytecode.R10, Off: -4}          // *(u32 *)(r10 - 4) = 0
	cell    = bytecode.Insn{Code: 0x7a, Dst: bytecode.R10, Off: -8}          // *(u64 *)(r10 - 8) = 0
	r2Frame = bytecode.Insn{Code: 0xbf, Dst: bytecode.R2, Src: bytecode.R10} // r2 = r10
	r2Key   = bytecode.Insn{Code: 0x07, Dst: bytecode.R2, Imm: -4}           // r2 += -4
)

// move returns reg = imm.
func move(reg bytecode.Reg, imm int32) bytecode.Insn {
	return bytecode.Insn{Code: 0xb7, Dst: reg, Imm: imm}
}

// call returns a helper call.
func call(n int32) bytecode.Insn { return bytecode.Insn{Code: bytecode.CodeCall, Imm: n} }

// loadMap returns the two slots of reg = map, or of the address of its value.
func loadMap(reg, src bytecode.Reg, fd sysbpf.FD) [2]bytecode.Insn {
	return [2]bytecode.Insn{{Code: bytecode.CodeLdImm64, Dst: reg, Src: src, Imm: int32(fd)}, {}}
}

var endbr = []byte{0xf3, 0x0f, 0x1e, 0xfa}

// returns probes the form of functions: landing pads and returns. It reports
// whether programs can be loaded at all.
func (p *prober) returns() bool {
	info, err := p.compiled(zero, exit)
	switch {
	case errors.Is(err, unix.EPERM):
		p.d.note("no programs were loaded: not permitted")
		return false
	case err != nil:
		p.d.note("no programs were loaded: %v", err)
		return false
	}
	code := info.Code
	p.prof.IBT = bytes.HasPrefix(code, endbr)
	p.d.found(Probed, "first bytes of a function", "ibt")
	const leave = 0xc9
	n := len(code)
	switch {
	case n > 2 && code[n-2] == leave && code[n-1] == 0xc3:
		p.prof.ReturnThunk, p.prof.SLS = "", false
		p.d.found(Probed, "last bytes of a function", "return_thunk", "sls")
	case n > 3 && code[n-3] == leave && code[n-2] == 0xc3 && code[n-1] == 0xcc:
		p.prof.ReturnThunk, p.prof.SLS = "", true
		p.d.found(Probed, "last bytes of a function", "return_thunk", "sls")
	case n > 6 && code[n-6] == leave && code[n-5] == 0xe9:
		p.returnThunk(p.target(info, n))
	default:
		p.d.note("functions end in % x, which is not a known form of return", code[max(0, n-8):])
	}
	return true
}

// target returns the target of the jump or call with a 32-bit distance that ends at an offset in
// the code.
func (p *prober) target(info *sysbpf.Prog, end int) string {
	rel := int32(binary.LittleEndian.Uint32(info.Code[end-4:]))
	name, _ := p.k.symbol(info.Ksyms[0] + uint64(end) + uint64(int64(rel)))
	return strings.TrimPrefix(name, "__pi_")
}

// returnThunk records the symbol through which functions return.
func (p *prober) returnThunk(name string) {
	if name == "" {
		p.d.note("functions return through a thunk of unknown name: /proc/kallsyms shows no addresses")
		return
	}
	p.prof.ReturnThunk = name
	p.prof.CallDepth = name == "call_depth_return_thunk"
	p.d.found(Probed, "last bytes of a function", "return_thunk", "call_depth")
}

// tailCall probes structure offsets and the form of indirect jumps, in
//
//	mov edx, edx; cmp [rsi+MAX], edx; …; mov rcx, [rsi+rdx*8+PTRS]; …
//	mov rcx, [rcx+FUNC]; add rcx, n; jump to rcx
func (p *prober) tailCall() error {
	fd, err := p.k.newMap(&sysbpf.Map{Type: record.MapProgArray, KeySize: 4, ValueSize: 4, MaxEntries: 2,
		Name: "bpfcfg_probe"})
	if err != nil {
		return err
	}
	defer p.k.closeMap(fd)
	m := loadMap(bytecode.R2, bytecode.LdMapFD, fd)
	length := bytecode.Insn{Code: 0x61, Dst: bytecode.R3, Src: bytecode.R1} // r3 = skb->len: not a constant
	info, err := p.compiled(m[0], m[1], length, call(bytecode.HelperTailCall), zero, exit)
	if err != nil {
		return err
	}
	code := info.Code
	limit := bytes.Index(code, []byte{0x89, 0xd2, 0x39, 0x56})
	ptrs := bytes.Index(code, []byte{0x48, 0x8b, 0x8c, 0xd6})
	entry := bytes.Index(code, []byte{0x48, 0x8b, 0x49})
	if limit < 0 || ptrs < limit || entry < ptrs || entry+9 > len(code) {
		return errors.New("tail calls have a form that is not known")
	}
	p.prof.OffMaxEntries = int(int8(code[limit+4]))
	p.prof.OffPtrs = int(int32(binary.LittleEndian.Uint32(code[ptrs+4:])))
	p.prof.OffBPFFunc = int(int8(code[entry+3]))
	p.d.found(Probed, "code of a tail call", "off_max_entries", "off_ptrs", "off_bpf_func")
	p.indirect(info, entry+4+4)
	return nil
}

// indirect records the form of the indirect jump at an offset.
func (p *prober) indirect(info *sysbpf.Prog, at int) {
	code := info.Code[at:]
	form := ""
	switch {
	case bytes.HasPrefix(code, []byte{0x0f, 0xae, 0xe8, 0xff, 0xe1}):
		form = jit.IndirectLfence
	case bytes.HasPrefix(code, []byte{0xff, 0xe1}):
		form = jit.IndirectPlain
		p.prof.RetpolineBuild = len(code) > 2 && code[2] == 0xcc
		p.d.found(Probed, "code of a tail call", "retpoline_build")
	case len(code) >= 5 && code[0] == 0xe9:
		name := p.target(info, at+5)
		switch {
		case strings.Contains(name, "its_thunk"), strings.Contains(name, "paranoid_thunk"):
			form = jit.IndirectITS
		case strings.HasPrefix(name, "__x86_indirect_jump_thunk"), strings.HasPrefix(name, "__x86_indirect_thunk"):
			form = jit.IndirectRetpoline
		}
	}
	if form == "" {
		p.d.note("indirect jumps have a form that is not known: % x", code[:min(len(code), 8)])
		return
	}
	p.prof.Indirect = form
	p.d.found(Probed, "code of a tail call", "indirect")
}

// shift probes for BMI2, whose shifts take their count from any register.
func (p *prober) shift() error {
	info, err := p.compiled(move(0, 1), move(1, 3), bytecode.Insn{Code: 0x6f, Dst: 0, Src: 1}, exit)
	if err != nil {
		return err
	}
	p.prof.BMI2 = bytes.Contains(info.Code, []byte{0xc4, 0xe2})
	p.d.found(Probed, "code of a shift", "bmi2")
	return nil
}

// percpu probes for the address of the per-CPU offset, in the code that replaces
// bpf_get_smp_processor_id: add rax, gs:[address].
func (p *prober) percpu() error {
	const smpProcessorID = 8
	info, err := p.compiled(call(smpProcessorID), exit)
	if err != nil {
		return err
	}
	add := []byte{0x65, 0x48, 0x03, 0x04, 0x25}
	if at := bytes.Index(info.Code, add); at >= 0 && at+9 <= len(info.Code) {
		p.prof.SMP = true
		p.prof.ThisCPUOff = uint64(int64(int32(binary.LittleEndian.Uint32(info.Code[at+5:]))))
		p.d.found(Probed, "code of bpf_get_smp_processor_id", "smp", "this_cpu_off")
	}
	return nil
}

// lookup probes for the offset of an array's values: the verifier's replacement of a lookup adds it
// to the map's address.
func (p *prober) lookup() error {
	fd, err := p.k.newMap(&sysbpf.Map{Type: record.MapArray, KeySize: 4, ValueSize: 8, MaxEntries: 2,
		Name: "bpfcfg_probe"})
	if err != nil {
		return err
	}
	defer p.k.closeMap(fd)
	m := loadMap(bytecode.R1, bytecode.LdMapFD, fd)
	const mapLookup = 1
	info, err := p.compiled(key, r2Frame, r2Key, m[0], m[1], call(mapLookup), zero, exit)
	if err != nil {
		return err
	}
	insns, err := bytecode.Decode(info.Xlated, binary.LittleEndian)
	for _, in := range insns {
		if in.Code == 0x07 && in.Dst == bytecode.R1 {
			p.prof.OffValue = int(in.Imm)
			p.d.found(Probed, "rewritten lookup in an array", "off_value")
			return nil
		}
	}
	return err
}

// exchange probes for a LOCK prefix on xchg, which needs none.
func (p *prober) exchange() error {
	xchg := bytecode.Insn{Code: 0xdb, Dst: bytecode.R10, Src: bytecode.R1, Off: -8, Imm: 0xe1}
	info, err := p.compiled(cell, move(1, 0), xchg, zero, exit)
	if err != nil {
		return err
	}
	at := bytes.Index(info.Code, []byte{0x48, 0x87, 0x7d, 0xf8})
	if at < 1 {
		return errors.New("the code of xchg is not known")
	}
	p.prof.XchgLock = info.Code[at-1] == 0xf0
	p.d.found(Probed, "code of xchg", "xchg_lock")
	return nil
}

// constant probes for the short form of 64-bit constants.
func (p *prober) constant() error {
	info, err := p.compiled(bytecode.Insn{Code: bytecode.CodeLdImm64, Dst: 1, Imm: -1}, bytecode.Insn{Imm: -1}, zero, exit)
	if err != nil {
		return err
	}
	p.prof.MovImm64Short = bytes.Contains(info.Code, []byte{0x48, 0xc7, 0xc7, 0xff, 0xff, 0xff, 0xff})
	p.d.found(Probed, "code of a 64-bit constant", "mov_imm64_short")
	return nil
}

// hidden probes for the number of the hidden register, which the guard before a signed remainder
// uses. It moved when stack arguments took its number.
func (p *prober) hidden() error {
	info, err := p.compiled(move(0, 7), move(1, 3), bytecode.Insn{Code: 0x9f, Dst: 0, Src: 1, Off: 1}, exit)
	if err != nil {
		return err
	}
	insns, err := bytecode.Decode(info.Xlated, binary.LittleEndian)
	for _, in := range insns {
		if in.Dst == 11 || in.Dst == 12 {
			p.prof.AXReg, p.prof.StackArgs = uint8(in.Dst), in.Dst == 12
			p.d.found(Probed, "rewritten signed remainder", "ax_reg", "stack_args")
			return nil
		}
	}
	return err
}

// gotox probes for indirect jumps, and for landing pads at their targets.
func (p *prober) gotox() error {
	const target = 4 // slot of zero below
	fd, err := p.k.newTable(target)
	if errors.Is(err, errNoTables) {
		p.prof.Gotox, p.prof.EndbrTargets = false, false
		p.d.found(Probed, err.Error(), "gotox", "endbr_targets")
		return nil
	}
	if err != nil {
		return err
	}
	defer p.k.closeMap(fd)
	m := loadMap(bytecode.R1, bytecode.LdMapValue, fd)
	load := bytecode.Insn{Code: 0x79, Dst: bytecode.R2, Src: bytecode.R1} // r2 = *(u64 *)(r1 + 0)
	info, err := p.compiled(m[0], m[1], load, bytecode.Insn{Code: bytecode.CodeGotox, Dst: bytecode.R2}, zero, exit)
	if err != nil {
		return err
	}
	p.prof.Gotox = true
	p.d.found(Probed, "a program with an indirect jump", "gotox")
	at, err := p.k.jitted(fd)
	if err == nil && p.prof.IBT && at > 0 && int(at) < len(info.Code) {
		p.prof.EndbrTargets = bytes.HasPrefix(info.Code[at:], endbr)
		p.d.found(Probed, "a program with an indirect jump", "endbr_targets")
	}
	return err
}
