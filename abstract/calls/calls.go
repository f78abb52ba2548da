// Package calls describes, by Linux's prototypes, the effect of a call of a helper or kernel
// function on the memory of its arguments, and its result.
//
//	p, ok := calls.Helper(112)                          // bpf_probe_read_user
//	fmt.Println(ok, p.Args[0].Use, p.Args[0].Size)      // true write next
//	q, ok := calls.Kfunc("bpf_iter_num_new")
//	fmt.Println(ok, q.Args[0].Use, int(q.Args[0].Size)) // true write 8
//
// The tables are made by tools/callgen of the source and the BTF of a kernel, which they name; go
// generate makes them again. Rules that Linux has as code and not in a prototype (callbacks,
// refined results) are not here but at their uses. The package does not say which functions a
// program type may call, nor which kinds of pointer an argument may be.
package calls

import (
	"fmt"
	"sort"
)

//go:generate go -C ../../tools run ./callgen -source $LINUX -btf $LINUX_BTF -version 7.3.4

// Use is the effect of a call through an argument.
type Use uint8

// The uses. Memory of the program is the stack and map values.
const (
	Nothing  Use = iota // a number, or a pointer to an object of the kernel
	Read                // memory of the program is read
	Write               // memory of the program is written, and perhaps read
	Callback            // a function that is called
)

// String returns the use as a word.
func (u Use) String() string { return [...]string{"nothing", "read", "write", "callback"}[u] }

// Size says how many bytes an argument points to: a number, or one of those below.
type Size int32

// Sizes that are no number.
const (
	Unknown  Size = 0  // anything up to the end of the object
	Next     Size = -1 // at most the number in the next argument
	MapKey   Size = -2 // a key of the map in another argument
	MapValue Size = -3 // a value of that map
)

// String returns the size in words.
func (s Size) String() string {
	switch s {
	case Unknown:
		return "unknown"
	case Next:
		return "next"
	case MapKey:
		return "key"
	case MapValue:
		return "value"
	}
	return fmt.Sprint(int32(s))
}

// Arg is an argument.
type Arg struct {
	Use  Use
	Size Size // when memory is read or written
}

// Result is the result of a call in r0: one of the kinds below, with OrNull for a pointer that may
// be null. The verifier assumes that other pointers are not null.
type Result uint8

// The results.
const (
	Anything  Result = iota // a pointer, perhaps null
	Number                  // a number, also where C has a pointer to void
	Value                   // pointer to a value of the map in r1
	Void                    // nothing
	Memory                  // pointer to memory that is accessed as it is
	Socket                  // pointer to struct bpf_sock
	TCPSocket               // pointer to struct bpf_tcp_sock
	Trusted                 // pointer to a kernel object that is there, and no file
	File                    // pointer to struct file that is there
	RCU                     // pointer to one that stays until the RCU read-side critical section ends
	Faulty                  // pointer to a kernel object that may be gone: loads may fault
	Object                  // pointer to memory or an object of the kernel or the program
	Untrusted               // pointer that the verifier does not take for not null
)

// OrNull is added to a result that may be null.
const OrNull Result = 1 << 7

// Kind returns the result without OrNull.
func (r Result) Kind() Result { return r &^ OrNull }

// MaybeNull reports whether the result is a pointer that may be null.
func (r Result) MaybeNull() bool { return r&OrNull != 0 }

// Proto is the prototype of a function.
type Proto struct {
	Params int // number of arguments; those after the fifth are on the stack
	Result Result
	Args   [5]Arg
}

// MaxHelper is the largest number of a helper in the table.
func MaxHelper() int32 { return int32(len(helpers)) - 1 }

// Helper returns the prototype of helper number n, by the number in
// include/uapi/linux/bpf.h, and whether Linux has it.
func Helper(n int32) (Proto, bool) {
	if n <= 0 || int(n) >= len(helpers) || helpers[n].name == "" {
		return Proto{}, false
	}
	return helpers[n].proto, true
}

// Kfunc returns the prototype of a kernel function of vmlinux, and whether Linux has
// it. Those of modules are not in the table.
func Kfunc(name string) (Proto, bool) {
	i := sort.Search(len(kfuncs), func(i int) bool { return kfuncs[i].name >= name })
	if i == len(kfuncs) || kfuncs[i].name != name {
		return Proto{}, false
	}
	return kfuncs[i].proto, true
}

// row is a function with its name.
type row struct {
	name  string
	proto Proto
}
