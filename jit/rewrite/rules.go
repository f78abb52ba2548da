package rewrite

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/bpfcfg/bpfcfg/jit"
)

// rules is what differs between kernel versions.
type rules struct {
	signedGuards  bool // signed division is guarded against -1 too
	inlinePercpu  bool // per-CPU addresses are computed by an instruction
	inlineXchg    bool // bpf_kptr_xchg is inlined
	fastcall      bool // spills around inlined helpers are removed
	privateStack  bool // private stacks exist
	timedMayGoto  bool // may_goto looks at the clock, and may_goto +0 is removed
	pruneBranches bool // constant branches are decided before verification
	inlineCurrent bool // bpf_get_current_task is inlined
	blindWhole    bool // blinding shows in dumps of programs with several functions

	// Linux 7.3 and before treat two kinds of indirect-jump targets badly: a
	// target that is a no-op is deleted from the array, and one that is the
	// first instruction of a function leads to what the verifier put in front
	// of it. Both are mended in trees after 7.3.
	keepTargetNops bool
	entriesSkip    bool
}

// rulesOf returns the rules of a profile's kernel version. Those of 6.18, 6.19
// and 7.3 have been compared with running kernels. Versions in between follow
// the history of kernel/bpf/verifier.c as far as it is known: constant branches
// came with 7.1, the inlining of bpf_get_current_task between 6.19 and 7.3.
// Older ones follow it by reading alone.
func rulesOf(p jit.Profile) (rules, error) {
	major, minor, err := version(p.Version)
	if err != nil {
		return rules{}, fmt.Errorf("profile %q: %w", p.Name, err)
	}
	since := func(a, b int) bool { return major > a || major == a && minor >= b }
	if !since(6, 6) {
		return rules{}, fmt.Errorf("profile %q: rewrites of Linux %s are not known", p.Name, p.Version)
	}
	return rules{
		signedGuards:   since(6, 12),
		inlinePercpu:   since(6, 10),
		inlineXchg:     since(6, 9),
		fastcall:       since(6, 12),
		privateStack:   since(6, 13),
		timedMayGoto:   since(6, 15),
		pruneBranches:  since(7, 1),
		inlineCurrent:  since(7, 0),
		blindWhole:     since(7, 1),
		keepTargetNops: since(7, 4),
		entriesSkip:    since(7, 4),
	}, nil
}

// version splits "7.3.4" into 7 and 3.
func version(s string) (major, minor int, err error) {
	a, rest, _ := strings.Cut(s, ".")
	b, _, _ := strings.Cut(rest, ".")
	if major, err = strconv.Atoi(a); err != nil {
		return 0, 0, fmt.Errorf("no kernel version: %q", s)
	}
	if minor, err = strconv.Atoi(b); err != nil {
		return 0, 0, fmt.Errorf("no kernel version: %q", s)
	}
	return major, minor, nil
}
