package rewrite

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/bpfcfg/bpfcfg/jit"
)

// rules is what differs between kernel versions.
type rules struct {
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

// rulesOf returns the rules of a profile's kernel version. Versions between
// those that were observed (6.18, 6.19, 7.3) follow the nearest rule known:
// kernel/bpf/const_fold.c came with 7.1, the inlining of bpf_get_current_task
// between 6.19 and 7.3.
func rulesOf(p jit.Profile) (rules, error) {
	major, minor, err := version(p.Version)
	if err != nil {
		return rules{}, fmt.Errorf("profile %q: %w", p.Name, err)
	}
	since := func(a, b int) bool { return major > a || major == a && minor >= b }
	if !since(6, 18) {
		return rules{}, fmt.Errorf("profile %q: rewrites of Linux %s are not known", p.Name, p.Version)
	}
	return rules{
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
