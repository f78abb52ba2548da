// Package selftests holds the rules against what the kernel's developers expect of
// their own test programs: their objects say in BTF which programs a kernel accepts,
// and with which words it refuses the others.
//
//	BPFCFG_SELFTESTS=DIR go test -v ./internal/testing/selftests
//
// DIR has objects of tools/testing/selftests/bpf/progs of Linux 7.3, compiled by
// clang 22 (newer ones for what it cannot compile). They are not in the tree. The
// test counts programs by what is expected and what is said, lists those that differ,
// and fails when more do than the bounds in the test allow. What is expected of the
// rewritten program and of machine code is not looked at. The package has tests only.
package selftests
