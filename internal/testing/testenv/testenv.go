// Package testenv finds the files that tests share: the corpus of compiled
// programs and the records of real kernels, all below testdata/ of the module.
//
//	for _, o := range testenv.Glob(t, "corpus/out/*.o") { … }
//
// It serves tests only and does not read the files.
package testenv

import (
	"os"
	"path/filepath"
	"sort"
	"testing"
)

// root returns the testdata directory of the repository. A test runs in the
// directory of its package, so the top is one of those above it: the one with the
// command, since the tools are a module of their own.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatalf("testenv: %v", err)
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "cmd", "bpfcfg")); err == nil {
			return filepath.Join(dir, "testdata")
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("testenv: no cmd/bpfcfg above the working directory")
		}
	}
}

// Path returns the path of a file in testdata, and fails the test when there
// is none.
func Path(t testing.TB, name string) string {
	t.Helper()
	p := filepath.Join(root(t), filepath.FromSlash(name))
	if _, err := os.Stat(p); err != nil {
		t.Fatalf("testenv: %v", err)
	}
	return p
}

// Glob returns the sorted paths in testdata that match the pattern, and fails
// the test when there are none.
func Glob(t testing.TB, pattern string) []string {
	t.Helper()
	m, err := filepath.Glob(filepath.Join(root(t), filepath.FromSlash(pattern)))
	if err != nil {
		t.Fatalf("testenv: %v", err)
	}
	if len(m) == 0 {
		t.Fatalf("testenv: nothing matches %s", pattern)
	}
	sort.Strings(m)
	return m
}
