// Package guest is bpfcfg as the first process of a kernel that package ask has started: it loads
// the programs that the host put into the file system, reports the kernel's results to the host,
// and powers the machine off.
//
//	if guest.Wanted() {
//		guest.Main() // does not return
//	}
//
// A process that only happens to have number 1, as in a container, is not taken
// for a guest. The package attaches no program and runs none.
package guest
