//go:build linux && amd64

package live

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/internal/replay"
)

// Ask loads a program twice, and returns it as a job of a record, with the kernel's results:
// verdict, log, rewritten program, machine code, tables.
// The first load has the source lines of the object, so that they are in the log;
// the second has a record for each instruction, which gives its place.
//
// There is no error: Result.Setup says why a program could not be prepared.
func Ask(p *Source, k *Kernel) (*record.Job, *record.Result) {
	res := &record.Result{}
	job, load := askOnce(p, k)
	if load.err != nil {
		res.Setup = []string{load.err.Error()}
		return job, res
	}
	if load.Errno == "EINVAL" && load.Log == "" && !hasType(p, k) {
		res.Setup = []string{fmt.Sprintf("this kernel loads no programs of type %s (section %q)", p.Program.Type,
			p.Program.Section)}
		return job, res
	}
	res.Load = &load.Load
	if !load.OK || load.NoJIT {
		return job, res
	}
	opt := p.options()
	opt.LogLevel = 0
	lp, unload, err := Hold(p.Program, opt, k)
	if err != nil { // the records of instructions are refused: use those of lines
		traced := loadOf("", err)
		res.Traced = &traced.Load
		opt.SourceLines = true
		lp, unload, err = Hold(p.Program, opt, k)
	}
	if err != nil {
		res.Setup = []string{"the program was accepted once and then refused: " + err.Error()}
		return job, res
	}
	defer unload()
	if opt.SourceLines {
		lp.Capture.Lines = nil
	}
	res.Prog, res.Maps = progOf(lp, k), mapsOf(job, lp)
	res.Prog.LinesWrong = contradicts(res)
	return job, res
}

// hasType reports whether the kernel loads the smallest program there is of the
// type, and for the attachment, of a source.
func hasType(p *Source, k *Kernel) bool {
	small := &bytecode.Program{
		Name: "smallest", Type: p.Program.Type, Flags: p.Program.Flags, AttachType: p.Program.AttachType,
		AttachTo: p.Program.AttachTo,
		Insns:    []bytecode.Insn{{Code: 0xb7}, {Code: bytecode.CodeExit}}, // r0 = 0; exit
		Subprogs: []bytecode.Subprogram{{Name: "smallest", End: 2}},
	}
	opt := p.options()
	opt.Types, opt.LogLevel = nil, 1
	_, unload, err := Hold(small, opt, k)
	if err == nil {
		unload()
	}
	var no *Refusal
	return err == nil || errors.As(err, &no) && no.Log != ""
}

// outcome is the result of one load; err is the reason if there is none.
type outcome struct {
	record.Load
	err error
}

// askOnce prepares a program and loads it for its verdict and log.
func askOnce(p *Source, k *Kernel) (*record.Job, outcome) {
	opt := p.options()
	opt.SourceLines = true
	l := &loader{p: p.Program, opt: opt, kernel: k}
	defer l.close()
	for _, step := range []func() error{l.createMaps, l.createTables, l.patch, l.addTypes, l.addOriginal} {
		if err := step(); err != nil {
			return l.job(p), loadOf("", err)
		}
	}
	fd, log, err := l.load()
	if err == nil {
		l.prog = fd
	}
	return l.job(p), loadOf(log, err)
}

// noCompiler is the end of the kernel's log of a program that it has accepted and cannot interpret
// (bpf_prog_select_runtime in kernel/bpf/core.c).
const noCompiler = "requires BPF JIT compiler but it is not available"

// withoutJIT are parts of refusals that say that there is no JIT, or that it lacks a feature
// (kernel/bpf/verifier.c, kernel/bpf/fixups.c, Linux 6.1 to 7.3).
func withoutJIT() []string {
	return []string{
		"without JIT", "non-JITed programs", "JIT does not support", "JIT compiler", "JIT is required", "requires JIT",
	}
}

// loadOf returns the outcome of a load that ended with err.
func loadOf(log string, err error) outcome {
	var no *Refusal
	switch {
	case err == nil:
		return outcome{Load: record.Load{OK: true, Log: log}}
	case errors.As(err, &no):
		out := outcome{Load: record.Load{Errno: no.Errno, Error: no.Line, Log: no.Log}}
		for _, part := range withoutJIT() {
			out.NoJIT = out.NoJIT || strings.Contains(no.Line, part)
		}
		out.OK = out.NoJIT && strings.Contains(no.Log, noCompiler)
		return out
	case errors.Is(err, ErrRefused): // before the load
		return outcome{Load: record.Load{Errno: "EINVAL", Error: err.Error()}}
	}
	return outcome{err: err}
}

// progOf returns what the kernel reports about a loaded program.
func progOf(lp *Program, k *Kernel) *record.Prog {
	c := lp.Capture
	p := &record.Prog{Tag: lp.Tag, VerifiedInsns: lp.verified, Xlated: record.Slots(c.Dump), Jited: c.Code,
		Symbols: map[string]string{}}
	for _, f := range c.Funcs {
		p.Funcs = append(p.Funcs, record.Func{Addr: fmt.Sprintf("%#x", f.Addr), Len: uint32(f.Len), Off: uint32(f.Off)})
	}
	for _, l := range c.Lines {
		p.Lines = append(p.Lines, record.Line{Insn: uint32(l.Insn), Xlated: uint32(l.Slot), Func: l.Func, Off: uint32(l.Off)})
	}
	if len(c.Code) > 0 {
		for name, addr := range c.Symbols {
			at := fmt.Sprintf("%#x", addr)
			if old, ok := p.Symbols[at]; !ok || name < old {
				p.Symbols[at] = name
			}
		}
		k.nameTargets(c, p.Symbols)
	}
	return p
}

// nameTargets adds the kernel functions that code calls or jumps to directly. It reads the four
// bytes at every offset as a distance, which needs no decoder: it is very unlikely that other bytes
// are the distance to the start of a function, and the name of a function that is not called does
// no harm.
func (k *Kernel) nameTargets(c *replay.Capture, names map[string]string) {
	for _, f := range c.Funcs {
		code := c.Code[f.Off : f.Off+f.Len]
		for i := 0; i+4 <= len(code); i++ {
			distance := int32(uint32(code[i]) | uint32(code[i+1])<<8 | uint32(code[i+2])<<16 | uint32(code[i+3])<<24)
			addr := f.Addr + uint64(i) + 4 + uint64(int64(distance))
			if name, ok := k.Name(addr); ok && (i > 0 && (code[i-1] == 0xe8 || code[i-1] == 0xe9) ||
				i > 1 && code[i-2] == 0x0f && code[i-1]&0xf0 == 0x80) {
				names[fmt.Sprintf("%#x", addr)] = name
			}
		}
	}
}

// mapsOf returns the instruction arrays, in the order of the job's maps.
func mapsOf(job *record.Job, lp *Program) []record.MapResult {
	var out []record.MapResult
	next := 0
	for i := range job.Maps {
		m := record.MapResult{Name: job.Maps[i].Name}
		if job.Maps[i].Type == record.InsnArray && next < len(lp.Capture.Tables) {
			for _, e := range lp.Capture.Tables[next].Entries {
				m.Insns = append(m.Insns, record.InsnEntry{Orig: e.Orig, Xlated: e.Xlated, Jited: e.Jitted})
			}
			next++
		}
		out = append(out, m)
	}
	return out
}

// contradicts reports whether line records and instruction arrays disagree about the place of an
// instruction.
func contradicts(res *record.Result) bool {
	at := map[uint32]uint32{}
	for _, l := range res.Prog.Lines {
		at[l.Insn] = l.Xlated
	}
	for _, m := range res.Maps {
		for _, e := range m.Insns {
			if slot, ok := at[e.Orig]; e.Xlated != record.DeletedInsn && ok && slot != e.Xlated {
				return true
			}
		}
	}
	return false
}

// Environment describes the running machine for a record.
func (k *Kernel) Environment(label string, profile json.RawMessage) *record.Env {
	e := &record.Env{
		Label: label, Release: k.Release(), Version: fileText("/proc/sys/kernel/version"), Cmdline: fileText("/proc/cmdline"),
		Vulnerabilities: map[string]string{}, Sysctl: map[string]string{}, Profile: profile,
	}
	cpuOf(e, fileText("/proc/cpuinfo"))
	const dir = "/sys/devices/system/cpu/vulnerabilities/"
	for _, name := range filesIn(dir) {
		e.Vulnerabilities[name] = fileText(dir + name)
	}
	for _, s := range []string{"net.core.bpf_jit_enable", "net.core.bpf_jit_harden", "kernel.unprivileged_bpf_disabled",
		"kernel.kptr_restrict"} {
		e.Sysctl[s] = fileText("/proc/sys/" + strings.ReplaceAll(s, ".", "/"))
	}
	return e
}
