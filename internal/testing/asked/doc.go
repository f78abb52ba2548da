// Package asked compares what the analysis says of random programs with the answers of a kernel
// that it starts.
//
//	BPFCFG_UML=linux.uml BPFCFG_ASKED_PROGRAMS=20000 go test -v ./internal/testing/asked
//
// A program that the kernel accepts must not be refused by our rules. A slot that its verifier
// visits must not be proven dead, and a slot that is certain must be visited. The package has tests
// only. The tests of package abstract compare the values in registers, on the records that are kept
// here:
//
//	BPFCFG_ASKED_KEEP=DIR …
package asked
