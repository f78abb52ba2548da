// Package objects compares what bpfcfg predicts for other people's objects with the results of
// kernels. Objects and records stay outside of the tree; the environment names them, each as a list
// of directories or patterns:
//
//	BPFCFG_OBJECTS=DIRS         objects, at any depth; of each directory named, a project is what lies in it
//	BPFCFG_OBJECT_RECORDS=FILES records of their programs, with the object's SHA-256
//	BPFCFG_OBJECT_TYPES=DIR     types of the kernels, as VERSION.btf with anything before it, and the
//	                            configuration that the loader knew, if any, as VERSION.config beside it
//	BPFCFG_OBJECT_CPUS=N        how many processors the machines of the records had, if known
//	go test -v -run TestObjects -timeout 1h ./internal/testing/objects
//
// BPFCFG_OBJECT_FACTS=FILE gets a line for each program that is the same, with hashes in the place
// of code. testdata has such facts of packages, and
//
//	BPFCFG_PACKAGES=DIRS go test -v -run TestPackages ./internal/testing/objects
//
// compares them with packages that were fetched (.ci/packages).
//
// Objects are loaded with the types of the record's kernel. Of the programs that it accepted, none
// may be refused, no certain slot may be missing, no slot that is proven dead may remain, and no
// byte without a mark may differ from the prediction. The tables count by project. The package has
// tests only.
package objects
