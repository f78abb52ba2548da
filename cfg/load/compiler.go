package load

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"sync"
)

// Compiler is the compiler of an object, if the object names it: in section .comment, or in its
// debugging information (which llvm-strip -g removes).
type Compiler struct {
	Name  string // "clang", "gcc" or "rustc"
	Text  string // "Debian clang version 22.1.8 (13)"
	Major int    // version
	Minor int
}

// String returns the name and the version: "clang 22.1".
func (c Compiler) String() string { return fmt.Sprintf("%s %d.%d", c.Name, c.Major, c.Minor) }

// Remark describes what the compiler does to control flow that other versions of it do not do. It
// is empty if nothing is known.
//
// Source: LLVM's JumpTableToSwitch, on by default for BPF since 23; of GCC the
// objects that 12.2 with binutils 2.40 makes (testdata/calls/gcc12.c).
func (c Compiler) Remark() string {
	switch {
	case c.Name == "clang" && c.Major >= 23:
		return "since clang 23 small constant tables of functions become switches of direct calls"
	case c.Name == "gcc" && c.Major == 12:
		return "GCC 12 counts the distance to a global function in bytes: loaders link calls of those that do not " +
			"start their section to other functions; make them static, or use a newer GCC"
	}
	return ""
}

// producers match the names that compilers give themselves. The first group is the major version,
// the second the minor one.
var producers = sync.OnceValue(func() []producer {
	return []producer{
		{"rustc", regexp.MustCompile(`rustc version (\d+)\.(\d+)[^\x00]*`)},
		{"clang", regexp.MustCompile(`(?:[A-Za-z]+ )?clang version (\d+)\.(\d+)[^\x00]*`)},
		{"gcc", regexp.MustCompile(`GNU C(?:\+\+)?\d* (\d+)\.(\d+)[^\x00]*`)},
		{"gcc", regexp.MustCompile(`GCC: \([^\x00()]*\) (\d+)\.(\d+)[^\x00]*`)},
	}
})

type producer struct {
	name string
	re   *regexp.Regexp
}

// maxCompilers bounds the number of compilers that are reported for an object.
const maxCompilers = 8

// compilers returns the compilers that the object names, in the order of its sections, each name
// and version once.
func (o *object) compilers() []Compiler {
	var out []Compiler
	for i := range o.f.sections {
		switch s := &o.f.sections[i]; s.name {
		case ".comment", ".debug_str", ".debug_line_str":
			for _, p := range producers() {
				for _, m := range p.re.FindAllSubmatch(s.data, maxCompilers) {
					out = addCompiler(out, p.name, m)
				}
			}
		}
	}
	return out
}

// addCompiler adds a compiler unless the list has that version of it.
func addCompiler(list []Compiler, name string, m [][]byte) []Compiler {
	major, err1 := strconv.Atoi(string(m[1]))
	minor, err2 := strconv.Atoi(string(m[2]))
	c := Compiler{Name: name, Text: string(m[0][:min(len(m[0]), maxName)]), Major: major, Minor: minor}
	same := func(d Compiler) bool { return d.String() == c.String() }
	if err1 != nil || err2 != nil || len(list) >= maxCompilers || slices.ContainsFunc(list, same) {
		return list
	}
	return append(list, c)
}
