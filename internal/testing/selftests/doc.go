// Package selftests compares the rules with what the kernel's developers expect of their test
// programs. The objects state in BTF which programs a kernel accepts, and with which message it
// refuses the others.
//
//	BPFCFG_SELFTESTS=DIR go test -v ./internal/testing/selftests
//
// DIR has objects of tools/testing/selftests/bpf/progs of Linux 7.3, compiled by clang 22 (newer
// ones for those that it cannot compile). They are not in the tree. The test counts programs by
// expectation and verdict, lists those that differ, and fails when there are more than the bounds
// in the test allow. It ignores what is expected of the rewritten program and of machine code. The
// package has tests only.
package selftests
