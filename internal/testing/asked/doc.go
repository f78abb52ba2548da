// Package asked holds what the analysis says of random programs against what a
// kernel says that is started for it.
//
//	BPFCFG_UML=linux.uml BPFCFG_ASKED_PROGRAMS=20000 go test -v ./internal/testing/asked
//
// A program that the kernel accepts must not be refused by our rules; a slot that its
// verifier visits must not be proven dead; and one that is said to be visited in any
// case must be. The package has tests only. The values in registers are compared by
// the tests of package abstract, on the records that are kept here:
//
//	BPFCFG_ASKED_KEEP=DIR …
package asked
