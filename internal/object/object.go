// Package object names the objects that bpfcfg works on, so that golden files, baselines and
// reports of several formats identify the same file on every machine.
//
//	root, err := object.NewRoot("")                // the repository's directory
//	name := root.Name("build/sub/prog.o")          // build/sub/prog.o
//	dir := name.Path()                             // build/sub/prog.o, safe as a path
//
// A Name is the path of the file relative to a Root, whatever the working
// directory and whether the file was given by itself or as a part of a directory.
// The package reads no object; it looks at the names of files only.
package object

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Name is the identity of an object: its path relative to the root, with slashes.
// A file outside of the root begins with "../"; if it has nothing in common with
// the root but the top of the file system, the name is its absolute path. Standard
// input is "stdin", a program of the running kernel keeps its selector: "live:17".
type Name string

// Base returns the last element of the path.
func (n Name) Base() string { return path.Base(string(n)) }

// Root is the directory that names are relative to.
type Root struct {
	dir  string // absolute and clean
	real string // the same without symbolic links
}

// NewRoot returns the root at dir; "" is the directory of the repository around the working
// directory, or the working directory if there is none. It fails if dir is not a directory.
func NewRoot(dir string) (Root, error) {
	if dir == "" {
		wd, err := os.Getwd()
		if err != nil {
			return Root{}, fmt.Errorf("working directory: %w", err)
		}
		return newRoot(repository(wd)), nil
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return Root{}, err
	}
	if st, err := os.Stat(abs); err != nil || !st.IsDir() {
		return Root{}, fmt.Errorf("%s is not a directory", dir)
	}
	return newRoot(abs), nil
}

func newRoot(abs string) Root {
	r := Root{abs, abs}
	if p, err := filepath.EvalSymlinks(abs); err == nil {
		r.real = p
	}
	return r
}

// repository returns the directory at or above dir that holds .git, or dir. A work
// tree of Git has a file of that name.
func repository(dir string) string {
	for d := dir; ; {
		if _, err := os.Lstat(filepath.Join(d, ".git")); err == nil {
			return d
		}
		up := filepath.Dir(d)
		if up == d {
			return dir
		}
		d = up
	}
}

// Dir returns the absolute path of the root.
func (r Root) Dir() string { return r.dir }

// Name returns the name of the object that an input is in: FILE, FILE#PROGRAM,
// raw:FILE, record:FILE#NAME, vm:KERNEL:FILE, live:SELECTOR, or - for standard input.
func (r Root) Name(input string) Name {
	file, ok := File(input)
	switch {
	case ok:
		return r.path(file)
	case input == "-":
		return "stdin"
	}
	return Name(input)
}

// path returns the name of a file or directory.
func (r Root) path(file string) Name {
	abs, err := filepath.Abs(file)
	if err != nil {
		return Name(filepath.ToSlash(file))
	}
	if rel, ok := within(r.dir, abs); ok {
		return rel
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(abs)); err == nil {
		abs = filepath.Join(dir, filepath.Base(abs))
	}
	if rel, ok := within(r.real, abs); ok {
		return rel
	}
	rel, err := filepath.Rel(r.real, abs)
	if err != nil || top(filepath.Join(r.real, leading(rel))) {
		return Name(filepath.ToSlash(abs))
	}
	return Name(filepath.ToSlash(rel))
}

// within returns the path of a file relative to a directory that it lies in.
func within(dir, file string) (Name, bool) {
	rel, err := filepath.Rel(dir, file)
	if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return "", false
	}
	return Name(filepath.ToSlash(rel)), true
}

// leading returns the part of a relative path that leads up.
func leading(rel string) string {
	up := filepath.Join("..", "x")[:3] // "../"
	n := 0
	for strings.HasPrefix(rel[n:], up) {
		n += len(up)
	}
	return rel[:n]
}

// top reports whether a path is the top of a file system.
func top(p string) bool { return filepath.Dir(p) == p }

// File returns the file of an input, and whether it has one.
func File(input string) (file string, ok bool) {
	kind, rest, found := strings.Cut(input, ":")
	switch {
	case input == "-" || found && kind == "live":
		return "", false
	case found && kind == "raw":
		return rest, true
	case found && kind == "record":
		input = rest
	case found && (kind == "vm" || kind == "uml"): // of a kernel that is asked
		_, input, _ = strings.Cut(rest, ":")
	}
	file, _, _ = Split(input)
	return file, true
}

// Split separates FILE#PROGRAM. A file whose name has a # is taken whole.
func Split(arg string) (file, prog string, ok bool) {
	if _, err := os.Lstat(arg); err == nil {
		return arg, "", false
	}
	if i := strings.LastIndexByte(arg, '#'); i >= 0 {
		return arg[:i], arg[i+1:], true
	}
	return arg, "", false
}
