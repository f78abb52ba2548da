// Package kernel lists the differences between Linux kernels: one table of features, each with
// the first version that has it and the first version that no longer has it.
//
//	v, err := kernel.Parse("6.19.14+deb13-cloud-amd64") // 6.19
//	f := kernel.Of(v)
//	f.Has(kernel.Gotox)                                 // true
//	f.Has(kernel.EndbrTargets)                          // false: came later
//
// All code that depends on the version of a kernel tests for a feature by name; nothing else
// compares versions. Properties of the build and the command line of a kernel are in jit.Profile.
// The package knows mainline releases, not what a distribution backported to an older one.
package kernel

import (
	"fmt"
	"sync"
)

// Features is the set of features of one kernel version. The zero value is empty.
type Features struct {
	Version Version
	has     [featureCount]bool
	watch   *Watch
}

// Watch records which features a computation tests. The result of the computation is the same for
// every kernel with the same answers. A Watch is for one goroutine at a time.
type Watch struct {
	of    *Features
	asked [featureCount]bool
}

// Watched returns the same features, and a Watch that records every test of them.
func (f Features) Watched() (Features, *Watch) {
	f.watch = nil
	g := f
	g.watch = &Watch{of: &f}
	return g, g.watch
}

// Same reports whether other features give the same answers to all recorded tests. It must not
// run while the watched features are in use.
func (w *Watch) Same(f Features) bool {
	for x, asked := range w.asked {
		if asked && w.of.has[x] != f.has[x] {
			return false
		}
	}
	return true
}

// known caches the features of each version.
var known sync.Map

// Of returns the features of a version.
func Of(v Version) Features {
	if f, ok := known.Load(v); ok {
		return f.(Features)
	}
	f := Features{Version: v}
	for _, r := range Table() {
		f.has[r.Feature] = v >= r.Since && (r.Until == 0 || v < r.Until)
	}
	known.Store(v, f)
	return f
}

// stable lists, for releases of stable series, features of the series that only later ones
// have, and those that only earlier or later ones have.
var stable = []struct {
	of          Version
	from, until int // the first and the last release that is known to be one
	lacks, have []Feature
}{
	{6001, 192, 192, nil, []Feature{QueueWord, OpsZero, MinGuard, XskWord}},
	{6012, 117, 117, []Feature{MayFork}, []Feature{ForkedNumbers, QueueWord, OpsZero, MinGuard, XskWord}},
	{6016, 1, 12, []Feature{MayFork}, nil},
	{6017, 1, 13, []Feature{MayFork}, nil},
	{6018, 1, 15, []Feature{MayLinkSub, MayFindMember, MayFork}, []Feature{QueueLong, OpsKept, MinBare, XskLong}},
	{6019, 1, 10, nil, []Feature{MayFork}},
	{6019, 1, 14, nil, []Feature{QueueLong, OpsKept, MinBare, XskLong}},
	{7000, 1, 13, nil, []Feature{QueueLong, MinBare, XskLong}},
	{7000, 13, 13, nil, []Feature{OpsZero}},
	{7001, 1, 13, nil, []Feature{QueueLong, MinBare, XskLong}},
	{7001, 13, 13, nil, []Feature{OpsZero}},
}

// OfRelease returns the features of a stable release of a version, such as 15 of 6.18, or of the
// whole series if release is 0. Where stable releases differ, that tells which of them it is.
func OfRelease(v Version, release int) Features {
	f := Of(v)
	for _, e := range stable {
		if e.of != v || release < e.from || release > e.until {
			continue
		}
		for _, x := range e.lacks {
			f.has[x] = false
		}
		for _, x := range e.have {
			f.has[x] = true
		}
	}
	return f
}

// Has reports whether the version has a feature.
func (f Features) Has(x Feature) bool {
	if f.watch != nil {
		f.watch.asked[x] = true
	}
	return f.has[x]
}

// Evidence is the kind of evidence for the version in which a feature came or went.
type Evidence string

// The kinds of evidence, the best first.
const (
	Recorded Evidence = "recorded" // running kernels of both sides were compared
	Read     Evidence = "read"     // read in sources and their history
	Proposed Evidence = "proposed" // in patches under discussion; no kernel has it
)

// Row is a row of the table.
type Row struct {
	Feature  Feature
	Since    Version  // the first version that has it
	Until    Version  // the first version that no longer has it, 0 if all later ones do
	Evidence Evidence // for the versions
	What     string   // a description in a few words
}

// Need returns the requirement of a feature as text, for example "Linux 6.10".
func (x Feature) Need() string {
	r := Table()[x]
	if r.Until != 0 {
		return fmt.Sprintf("Linux %s up to %s", r.Since, r.Until)
	}
	return "Linux " + r.Since.String()
}
