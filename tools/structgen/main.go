// Command structgen reads in kernels' BTF the offsets of the members on which the rewrites of
// context accesses depend: facts about a build, a line each.
//
//	go -C tools run ./structgen 'Debian 7.3.4 cloud'=vmlinuz-7.3.4.btf … > jit/rewrite/structs.txt
//
// All builds of structs.txt are needed at each run. A member that a build lacks has no line there.
// The command reads raw BTF or an ELF file with a .BTF section.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/cilium/ebpf/btf"

	"github.com/bpfcfg/bpfcfg/tools/internal/top"
)

func main() {
	names := flag.String("names", "jit/rewrite/structnames.txt", "file with the members, STRUCT.MEMBER a line")
	flag.Parse()
	if flag.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "usage: structgen 'Debian 7.3.4 cloud'=vmlinuz-7.3.4.btf … > structs.txt")
		os.Exit(2)
	}
	if err := top.Enter(); err != nil {
		fmt.Fprintln(os.Stderr, "structgen:", err)
		os.Exit(2)
	}
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
			if at, ok := place(spec, name); ok {
				fmt.Fprintf(out, "%s %s\n", name, at)
			}
		}
	}
	return out.Flush()
}

// place returns the place of a member, in bytes, and of a bit-field the number of its first bit in
// the byte and that of its bits. A member that the kernel lacks has none.
func place(spec *btf.Spec, name string) (at string, ok bool) {
	parts := strings.Split(name, ".")
	var typ *btf.Struct
	if err := spec.TypeByName(parts[0], &typ); err != nil {
		return "", false
	}
	var t btf.Type = typ
	var off uint32
	bits := ""
	for _, part := range parts[1:] {
		m, at, found := member(t, part)
		if !found {
			return "", false
		}
		off += at
		if m.BitfieldSize != 0 {
			bits = fmt.Sprintf(" %d %d", m.Offset%8, m.BitfieldSize)
		}
		t = btf.UnderlyingType(m.Type)
	}
	n, err := btf.Sizeof(t)
	if err != nil {
		n = 0
	}
	return fmt.Sprintf("%d %d%s", off, n, bits), true
}

// inside is a structure or union, and where it lies in the one asked for.
type inside struct {
	typ btf.Type
	off uint32
}

// member returns a member by name, through anonymous structures and unions, and
// its offset in bytes.
func member(t btf.Type, name string) (btf.Member, uint32, bool) {
	todo := []inside{{t, 0}}
	for len(todo) > 0 {
		in := todo[0]
		todo = todo[1:]
		for _, m := range members(in.typ) {
			at := in.off + m.Offset.Bytes()
			switch m.Name {
			case name:
				return m, at, true
			case "":
				todo = append(todo, inside{btf.UnderlyingType(m.Type), at})
			}
		}
	}
	return btf.Member{}, 0, false
}

// members returns the members of a structure or union.
func members(t btf.Type) []btf.Member {
	switch t := t.(type) {
	case *btf.Struct:
		return t.Members
	case *btf.Union:
		return t.Members
	}
	return nil
}
