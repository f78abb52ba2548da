package jit

import (
	"fmt"
	"strconv"
	"strings"
)

// version is a kernel release as major*1000+minor, so that releases compare as
// numbers.
type version int

// The releases in which the code changed, apart from what Profile names. Only
// what Linux 6.18, 6.19 and 7.3 do has been compared with running kernels; 6.6
// means its later stable releases, which have fixes of 6.10 (the check in front
// of PROBE_MEM loads, short jumps up to 123 bytes).
const (
	oldest       version = 6006 // what is modelled begins here
	sinceTailPtr version = 6012 // tail-call counter behind a pointer
	sinceExcept  version = 6007 // exceptions
	sinceArena   version = 6009 // arenas
	sincePercpu  version = 6010 // per-CPU address moves
	sincePrivate version = 6013 // private stacks
	sinceAcquire version = 6015 // load_acquire, store_release
	sinceArenaSX version = 6018 // sign-extending arena loads
	sinceArgs    version = 7003 // arena arguments of kfuncs
)

// parseVersion returns the release of a string such as "7.3" or "7.3.4". The
// result of a string that is not one is below oldest.
func parseVersion(s string) version {
	major, rest, ok := strings.Cut(s, ".")
	if !ok {
		return 0
	}
	minor := rest
	if i := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
		minor = rest[:i]
	}
	a, err1 := strconv.ParseUint(major, 10, 16)
	b, err2 := strconv.ParseUint(minor, 10, 16)
	if err1 != nil || err2 != nil || b > 999 {
		return 0
	}
	return version(a*1000 + b)
}

// String returns the release as "7.3".
func (v version) String() string { return fmt.Sprintf("%d.%d", int(v)/1000, int(v)%1000) }
