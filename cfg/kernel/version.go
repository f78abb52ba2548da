package kernel

import (
	"fmt"
	"strconv"
	"strings"
)

// Version is a release series of Linux as 1000 times the major number plus the minor one, so that
// versions compare as numbers: 7003 is Linux 7.3. The zero value stands for no version.
type Version int

// Next is the development tree after the newest release. It is newer than all releases.
const Next Version = 1 << 30

// Oldest is the oldest version that is modelled. Features that older versions had already begin
// with it in the table.
const Oldest Version = 6001

// nextName is the name of Next.
const nextName = "next"

// Parse returns the series of a release, "7.3.4+deb13-cloud-amd64", of a series,
// "7.3", or of a kernel's name, "linux-7.3"; "next" is Next.
func Parse(s string) (Version, error) {
	t := strings.TrimPrefix(s, "linux-")
	if t == nextName {
		return Next, nil
	}
	major, rest, _ := strings.Cut(t, ".")
	end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(rest)
	}
	a, err1 := strconv.ParseUint(major, 10, 16)
	b, err2 := strconv.ParseUint(rest[:end], 10, 16)
	if err1 != nil || err2 != nil || b > 999 || a == 0 {
		return 0, fmt.Errorf("%q is not a kernel version, want one such as 7.3", s)
	}
	return Version(a*1000 + b), nil
}

// StableRelease returns the number of a stable release of its series, 14 for "linux-6.19.14" or
// "6.19.14+deb13-cloud-amd64", and 0 for text that has none.
func StableRelease(s string) int {
	parts := strings.SplitN(strings.TrimPrefix(s, "linux-"), ".", 3)
	if len(parts) < 3 {
		return 0
	}
	digits := parts[2]
	if end := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' }); end >= 0 {
		digits = digits[:end]
	}
	n, err := strconv.ParseUint(digits, 10, 16)
	if err != nil {
		return 0
	}
	return int(n)
}

// String returns the version as "7.3", or "next".
func (v Version) String() string {
	if v == Next {
		return nextName
	}
	return fmt.Sprintf("%d.%d", int(v)/1000, int(v)%1000)
}

// Name returns the version as the name of a kernel: "linux-7.3".
func (v Version) Name() string { return "linux-" + v.String() }
