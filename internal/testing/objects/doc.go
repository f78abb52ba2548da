// Package objects holds what bpfcfg says of other people's objects against what
// kernels made of them. Objects and records stay outside of the tree; the
// environment names them, each as a list of directories or patterns:
//
//	BPFCFG_OBJECTS=DIRS         objects, at any depth; of each directory named, a project is what lies in it
//	BPFCFG_OBJECT_RECORDS=FILES records of their programs, with the object's SHA-256
//	BPFCFG_OBJECT_TYPES=DIR     types of the kernels, as VERSION.btf with anything before it, and the
//	                            configuration that the loader knew, if any, as VERSION.config beside it
//	BPFCFG_OBJECT_CPUS=N        how many processors the machines of the records had, if known
//	go test -v -run TestObjects -timeout 1h ./internal/testing/objects
//
// BPFCFG_OBJECT_FACTS=FILE gets a line for each program that is the same, with hashes in
// the place of code: facts of packages are in testdata, and
//
//	BPFCFG_PACKAGES=DIRS go test -v -run TestPackages ./internal/testing/objects
//
// holds them against packages that were fetched (.ci/packages).
//
// Objects are loaded with the types of the kernel that the record is of. Of programs
// that it accepted, none may be refused, no certain slot may be missing and no proven
// dead one left, and no byte may be other than predicted without a mark. The tables
// count by project. The package has tests only.
package objects
