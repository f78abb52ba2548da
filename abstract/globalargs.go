package abstract

import (
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// checkGlobal reports register arguments that a global function must not be called with, even if it
// does not read them: a compiler need not set a register that the function ignores.
//
// Source: kernel/bpf/verifier.c btf_check_func_arg_match, Linux 7.3, and test programs on 6.1.176
// to 7.3.4. Linux checks more of the other kinds of parameters than is checked here.
func (r *run) checkGlobal(pc bytecode.PC, sub int, s *State) {
	if r.a.opt.Rules != Verifier {
		return
	}
	f := &r.a.p.Subprogs[sub]
	for i, want := range f.Args[:min(len(f.Args), 5)] {
		fault := Fault{PC: pc, Kind: MemoryArgument, Reg: bytecode.Reg(i + 1), Type: f.Name, Value: int64(sub)}
		var fits func(a *Alt) bool
		switch {
		case want == "scalar":
			fault.Kind, fits = ScalarArgument, isNumber
		case want == "ctx":
			fault.Kind, fits = ContextArgument, func(a *Alt) bool { return !plain(a) && a.Kind != Stack }
		case strings.HasPrefix(want, "mem:"), strings.HasPrefix(want, "nonnull:"):
			fits = func(a *Alt) bool { return a.Kind != Ctx && (!plain(a) || a.Off.Contains(0)) }
		default:
			continue
		}
		v := s.regs[i+1]
		if v == nil {
			fault.Max = true
			r.fault(&anything.Alt, fault)
			continue
		}
		v.each(func(a *Alt) {
			if !fits(a) && (fault.Kind != ContextArgument || r.knowsContexts()) {
				r.fault(a, fault)
			}
		})
	}
}

// knowsContexts reports whether the kernel treats every parameter as the context that is one here.
// Before Linux 6.8 it ignores tags, and 6.1.176 accepted null as one where it had no types of its
// own.
func (r *run) knowsContexts() bool {
	r.a.f.usedQuirks.AllGlobals = true
	return !r.a.opt.Quirks.AllGlobals
}

// isNumber reports whether an alternative may be a number to the verifier; one of kind Other is not
// always a pointer.
func isNumber(a *Alt) bool { return a.Kind == Number || a.Kind == Other }

// plain reports whether an alternative is a number and cannot be a pointer that is not followed.
func plain(a *Alt) bool { return a.Kind == Number && a.flags&(maybePtr|maybeLocal) == 0 }
