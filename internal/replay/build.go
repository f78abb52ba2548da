package replay

import (
	"bytes"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit"
)

// buildOptions changes the profile of a recorded machine where the code shows
// that the kernel was built with other options than the built-in profile: no
// file of a kernel shows them. It returns notes on its results.
//
//   - CONFIG_X86_KERNEL_IBT: functions begin with ENDBR64.
//   - CONFIG_MITIGATION_SLS: INT3 follows a return at the end of a function.
func buildOptions(s *sample, prof jit.Profile) (jit.Profile, []string) {
	var notes []string
	name := prof.Name
	if ibt := bytes.HasPrefix(s.code, []byte{0xf3, 0x0f, 0x1e, 0xfa}); ibt != prof.IBT {
		name += sign(ibt) + "ibt"
		notes = append(notes, "whether the kernel was built with IBT")
	}
	if sls, ok := padsReturns(s); ok && sls != prof.SLS && prof.ReturnThunk == "" {
		name += sign(sls) + "sls"
		notes = append(notes, "whether the kernel was built with SLS mitigation")
	}
	if changed, err := jit.LookupProfile(name); err == nil && len(notes) > 0 {
		return changed, notes
	}
	return prof, nil
}

// sign returns "+" or "-" for an option that is on or off.
func sign(on bool) string {
	if on {
		return "+"
	}
	return "-"
}

// padsReturns reports whether INT3 follows a return, and whether the place of
// any return is known: that of an EXIT instruction with a line record, or the
// end of a function.
func padsReturns(s *sample) (pads, ok bool) {
	for _, l := range s.lines {
		if l.off == 0 || s.dump[l.slot].Code != bytecode.CodeExit {
			continue
		}
		f := s.funcs[l.fn]
		if code, ok := afterReturn(s.code[f.off+l.off : f.off+f.len]); ok {
			return bytes.HasPrefix(code, []byte{0xcc}), true
		}
	}
	for _, f := range s.funcs {
		code := s.code[f.off:][:f.len]
		switch {
		case bytes.HasSuffix(code, []byte{0xc9, 0xc3, 0xcc}):
			return true, true
		case bytes.HasSuffix(code, []byte{0xc9, 0xc3}):
			return false, true
		}
	}
	return false, false
}

// afterReturn returns what follows an epilogue: registers popped, leave, ret.
func afterReturn(code []byte) ([]byte, bool) {
	r := reader{b: code}
	r.skip(0x41, 0x5f)
	r.skip(0x41, 0x5e)
	r.skip(0x41, 0x5d)
	r.skip(0x5b)
	r.skip(0x41, 0x5c)
	if !r.skip(0xc9, 0xc3) {
		return nil, false
	}
	return code[r.at:], true
}
