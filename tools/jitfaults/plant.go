package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/scanner"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// garden is the source of packages with all faults in it, each of which a number
// switches on while the program runs.
type garden struct {
	root   string
	faults []*fault
	files  map[string][]byte // by absolute name: what stands in its place
}

// switchSource is the package that the planted code calls; it exists only in the build.
const switchSource = `package plant

var Active int

func Pick[T any](n int, sound, fault T) T {
	if Active == n {
		return fault
	}
	return sound
}
`

// switchDir is the apparent directory of that package, importPath its import path.
const (
	switchDir  = "internal/testing/plant"
	importPath = "github.com/bpfcfg/bpfcfg/" + switchDir
)

// newGarden plants every fault of the packages in folders below root that leaves a
// program that compiles.
func newGarden(root string, folders ...string) (*garden, error) {
	g := &garden{root: root, files: map[string][]byte{filepath.Join(root, switchDir, "plant.go"): []byte(switchSource)}}
	exports, err := exportsOf(root, folders)
	if err != nil {
		return nil, err
	}
	for _, dir := range folders {
		if err := g.plant(dir, exports); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// exportsOf returns where the compiled form of each package lies that those in
// folders import.
func exportsOf(root string, folders []string) (map[string]string, error) {
	args := []string{"list", "-export", "-deps", "-f", "{{.ImportPath}}={{.Export}}"}
	for _, dir := range folders {
		args = append(args, "./"+dir)
	}
	cmd := exec.Command("go", args...)
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	list := map[string]string{}
	for line := range strings.Lines(string(out)) {
		if path, file, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			list[path] = file
		}
	}
	return list, nil
}

// source is a package as it is parsed.
type source struct {
	fset  *token.FileSet
	names []string // of files, absolute
	text  [][]byte
	trees []*ast.File
}

// parse reads the package in a folder, with other text for some of its files.
func parse(dir string, instead map[string][]byte) (*source, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	s := &source{fset: token.NewFileSet()}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, ok := instead[name]
		if !ok {
			if text, err = os.ReadFile(name); err != nil {
				return nil, err
			}
		}
		if err := s.add(name, text); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// add parses a file.
func (s *source) add(name string, text []byte) error {
	tree, err := parser.ParseFile(s.fset, name, text, 0)
	s.names, s.text, s.trees = append(s.names, name), append(s.text, text), append(s.trees, tree)
	return err
}

// check type-checks the package and returns what is wrong with it.
func (s *source) check(info *types.Info, exports map[string]string) (*types.Package, []types.Error) {
	var wrong []types.Error
	open := func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) }
	conf := types.Config{
		Importer: withSwitch{importer.ForCompiler(s.fset, "gc", open)},
		Error: func(err error) {
			if e := (types.Error{}); errors.As(err, &e) {
				wrong = append(wrong, e)
			}
		},
	}
	pkg, _ := conf.Check(s.trees[0].Name.Name, s.fset, s.trees, info) // its error is the first of wrong
	return pkg, wrong
}

// withSwitch imports the package of switches, which no build has made.
type withSwitch struct{ types.Importer }

func (w withSwitch) Import(path string) (*types.Package, error) {
	if path != importPath {
		return w.Importer.Import(path)
	}
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, "plant.go", switchSource, 0)
	if err != nil {
		return nil, err
	}
	return (&types.Config{}).Check(path, fset, []*ast.File{tree}, nil)
}

// plant finds the faults of a package and leaves out those on lines that do not
// compile with them, such as the length of an array.
func (g *garden) plant(dir string, exports map[string]string) error {
	abs := filepath.Join(g.root, dir)
	s, err := parse(abs, nil)
	if err != nil {
		return err
	}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}}
	pkg, wrong := s.check(info, exports)
	if len(wrong) > 0 {
		return wrong[0]
	}
	var all []*fault
	for i, name := range s.names {
		f := finder{src: s.text[i], rel: filepath.ToSlash(filepath.Join(dir, filepath.Base(name))), fset: s.fset,
			info: info, pkg: pkg}
		all = append(all, f.sites(s.trees[i])...)
	}
	const rounds = 10
	for range rounds {
		number(all, len(g.faults))
		instead := texts(s, all)
		bad, err := wrongLines(abs, instead, exports)
		if err != nil {
			return err
		}
		if len(bad) == 0 {
			g.faults = append(g.faults, all...)
			maps.Copy(g.files, instead)
			return nil
		}
		before := len(all)
		all = slices.DeleteFunc(all, func(f *fault) bool { return bad[place(f.file, f.line)] })
		if len(all) == before {
			return fmt.Errorf("%s does not compile with faults: %v", dir, slices.Sorted(maps.Keys(bad)))
		}
	}
	return fmt.Errorf("%s does not compile with faults", dir)
}

func number(list []*fault, from int) {
	for i, f := range list {
		f.number = from + i + 1
	}
}

func place(file string, line int) string { return fmt.Sprintf("%s:%d", filepath.Base(file), line) }

// wrongLines returns the lines of a package that do not compile.
func wrongLines(dir string, instead map[string][]byte, exports map[string]string) (map[string]bool, error) {
	bad := map[string]bool{}
	s, err := parse(dir, instead)
	if list := (scanner.ErrorList)(nil); errors.As(err, &list) {
		for _, e := range list {
			bad[place(e.Pos.Filename, e.Pos.Line)] = true
		}
		return bad, nil
	}
	if err != nil {
		return nil, err
	}
	_, wrong := s.check(nil, exports)
	for _, w := range wrong {
		at := s.fset.Position(w.Pos)
		bad[place(at.Filename, at.Line)] = true
	}
	return bad, nil
}

// texts returns the files of a package with all faults in them. No line moves.
func texts(s *source, all []*fault) map[string][]byte {
	out := map[string][]byte{}
	for i, name := range s.names {
		var own []*fault
		for _, f := range all {
			if filepath.Base(f.file) == filepath.Base(name) {
				own = append(own, f)
			}
		}
		if len(own) > 0 {
			clause := s.fset.Position(s.trees[i].Name.End()).Offset
			out[name] = withFaults(s.text[i], own, clause)
		}
	}
	return out
}

// insertion is text that comes in at a place of a file.
type insertion struct {
	at   int
	text string
}

// withFaults returns the text of a file with faults, which are in order, outer ones
// first: each puts text before an expression and after it. The import goes after
// the package clause.
func withFaults(text []byte, faults []*fault, clause int) []byte {
	ins := []insertion{{clause, "; import plant " + strconv.Quote(importPath)}}
	var open []*fault
	closeUntil := func(at int) {
		for n := len(open) - 1; n >= 0 && open[n].to <= at; n-- {
			ins = append(ins, insertion{open[n].to, open[n].behind()})
			open = open[:n]
		}
	}
	for _, f := range faults {
		closeUntil(f.from)
		ins = append(ins, insertion{f.from, f.front()})
		open = append(open, f)
	}
	closeUntil(len(text))
	var out bytes.Buffer
	done := 0
	for _, in := range ins {
		out.Write(text[done:in.at])
		out.WriteString(in.text)
		done = in.at
	}
	out.Write(text[done:])
	return out.Bytes()
}

// front and after are put around an expression or statement.
func (f *fault) front() string {
	switch {
	case f.form == condition:
		return fmt.Sprintf("func() bool { if plant.Active == %d { return %s }; return ", f.number, f.whole)
	case f.form == statement:
		return fmt.Sprintf("if plant.Active != %d { ", f.number)
	case f.kind != "":
		return fmt.Sprintf("plant.Pick[%s](%d, ", f.kind, f.number)
	}
	return fmt.Sprintf("plant.Pick(%d, ", f.number)
}

func (f *fault) behind() string {
	switch f.form {
	case condition:
		return " }()"
	case statement:
		return " }"
	}
	return ", " + f.whole + ")"
}

// build builds the program in this package with all faults in it.
func (g *garden) build(program string) error {
	dir, err := os.MkdirTemp("", "jitfaults")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	g.files[filepath.Join(g.root, "tools/jitfaults/active.go")] = []byte(activeSource)
	replace := map[string]string{}
	for i, name := range slices.Sorted(maps.Keys(g.files)) {
		file := filepath.Join(dir, fmt.Sprintf("%d.go", i))
		if err := os.WriteFile(file, g.files[name], 0o600); err != nil {
			return err
		}
		replace[name] = file
	}
	doc, err := json.Marshal(map[string]map[string]string{"Replace": replace})
	if err != nil {
		return err
	}
	overlay := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlay, doc, 0o600); err != nil {
		return err
	}
	cmd := exec.Command("go", "build", "-overlay", overlay, "-o", program, "./jitfaults")
	cmd.Dir = filepath.Join(g.root, "tools")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// activeSource takes the place of active.go.
const activeSource = "package main; import plant " + `"` + importPath + `"` +
	"\nfunc activate(n int) { plant.Active = n }\n"
