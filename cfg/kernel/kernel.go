// Package kernel says what Linux kernels differ in: one table of features with
// the first version that has each, and the first that has it no more.
//
//	v, err := kernel.Parse("6.19.14+deb13-cloud-amd64") // 6.19
//	f := kernel.Of(v)
//	f.Has(kernel.Gotox)                                 // true
//	f.Has(kernel.EndbrTargets)                          // false: came later
//
// All that depends on the version of a kernel asks for a feature by its name;
// nothing else compares versions. What depends on how a kernel was built and
// started is in jit.Profile. The package knows mainline releases: what a
// distribution took back into an older one is not here.
package kernel

import (
	"fmt"
	"sync"
)

// Features are what one kernel version has. The zero value has nothing.
type Features struct {
	Version Version
	has     [featureCount]bool
	watch   *Watch
}

// Watch notes which features are asked for. What comes out of them is the same for
// every kernel that gives the same answers. It is for one goroutine at a time.
type Watch struct {
	of    *Features
	asked [featureCount]bool
}

// Watched returns the features, and what notes the questions to them.
func (f Features) Watched() (Features, *Watch) {
	f.watch = nil
	g := f
	g.watch = &Watch{of: &f}
	return g, g.watch
}

// Same reports whether other features give the same answers to all that was asked. They
// are not watched meanwhile.
func (w *Watch) Same(f Features) bool {
	for x, asked := range w.asked {
		if asked && w.of.has[x] != f.has[x] {
			return false
		}
	}
	return true
}

// known has the features of versions that were asked for.
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

// Has reports whether the version has a feature.
func (f Features) Has(x Feature) bool {
	if f.watch != nil {
		f.watch.asked[x] = true
	}
	return f.has[x]
}

// Evidence says how it is known when a feature came or went.
type Evidence string

// The kinds of evidence, the best first.
const (
	Recorded Evidence = "recorded" // running kernels of both sides were compared
	Read     Evidence = "read"     // from sources and their history
	Proposed Evidence = "proposed" // in patches that differ, no kernel has it
)

// Row is a row of the table.
type Row struct {
	Feature  Feature
	Since    Version  // the first version that has it
	Until    Version  // the first version that has it no more, 0 when all later ones do
	Evidence Evidence // for the versions
	What     string   // what it is, in a few words
}

// Need returns the words for what a feature needs: "Linux 6.10".
func (x Feature) Need() string {
	r := Table()[x]
	if r.Until != 0 {
		return fmt.Sprintf("Linux %s up to %s", r.Since, r.Until)
	}
	return "Linux " + r.Since.String()
}
