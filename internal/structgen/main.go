// Command structgen cuts out of kernels' BTF where the members lie that the
// rewrites of context accesses depend on: facts about a build, a line each.
//
//	structgen -names jit/rewrite/structnames.txt 'Debian 7.3.4 cloud'=vmlinuz-7.3.4.btf … > jit/rewrite/structs.txt
//
// It reads raw BTF or an ELF file with a .BTF section.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/cilium/ebpf/btf"
)

func main() {
	names := flag.String("names", "jit/rewrite/structnames.txt", "file with the members, STRUCT.MEMBER a line")
	flag.Parse()
	if err := run(*names, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "structgen:", err)
		os.Exit(1)
	}
}

// run writes the members of all builds to standard output.
func run(names string, builds []string) error {
	list, err := os.ReadFile(names)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(os.Stdout)
	for _, b := range builds {
		build, file, ok := strings.Cut(b, "=")
		if !ok {
			return fmt.Errorf("%q is not BUILD=FILE", b)
		}
		spec, err := btf.LoadSpec(file)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		fmt.Fprintf(out, "build %s\n", build)
		for _, name := range strings.Fields(string(list)) {
			if off, size, ok := place(spec, name); ok {
				fmt.Fprintf(out, "%s %d %d\n", name, off, size)
			}
		}
	}
	return out.Flush()
}

// place returns where a member lies, in bytes. One that the kernel lacks has no
// place.
func place(spec *btf.Spec, name string) (off, size uint32, ok bool) {
	parts := strings.Split(name, ".")
	var typ *btf.Struct
	if err := spec.TypeByName(parts[0], &typ); err != nil {
		return 0, 0, false
	}
	var t btf.Type = typ
	for _, part := range parts[1:] {
		m, at, found := member(t, part, 0)
		if !found {
			return 0, 0, false
		}
		off += at
		t = btf.UnderlyingType(m.Type)
	}
	n, err := btf.Sizeof(t)
	if err != nil {
		n = 0
	}
	return off, uint32(n), true
}

// maxNesting bounds anonymous members inside one another.
const maxNesting = 8

// member returns a member by name, through anonymous structures and unions, and
// its offset in bytes.
func member(t btf.Type, name string, depth int) (btf.Member, uint32, bool) {
	var members []btf.Member
	switch t := t.(type) {
	case *btf.Struct:
		members = t.Members
	case *btf.Union:
		members = t.Members
	}
	for _, m := range members {
		if m.Name == name {
			return m, m.Offset.Bytes(), true
		}
		if m.Name == "" && depth < maxNesting {
			if in, at, ok := member(btf.UnderlyingType(m.Type), name, depth+1); ok {
				return in, m.Offset.Bytes() + at, true
			}
		}
	}
	return btf.Member{}, 0, false
}
