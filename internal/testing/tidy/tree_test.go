package tidy

import (
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// pkg is one directory of Go files, tests left out.
type pkg struct {
	rel     string // directory, slash-separated, relative to the module
	files   []*ast.File
	names   []string // file names, parallel to files
	imports []string // sorted, unique
}

// fset positions all parsed files.
var fset = token.NewFileSet()

const root = "../../.."

// packages parses the module.
func packages(t *testing.T) []pkg {
	t.Helper()
	byDir := map[string]*pkg{}
	var dirs []string
	walk(t, ".go", func(path string, src []byte) {
		if strings.HasSuffix(path, "_test.go") {
			return
		}
		f, err := parser.ParseFile(fset, path, src, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.ToSlash(filepath.Dir(path))
		p := byDir[dir]
		if p == nil {
			p = &pkg{rel: dir}
			byDir[dir] = p
			dirs = append(dirs, dir)
		}
		p.files, p.names = append(p.files, f), append(p.names, path)
		for _, im := range f.Imports {
			name, _ := strconv.Unquote(im.Path.Value)
			p.imports = append(p.imports, name)
		}
	})
	slices.Sort(dirs)
	var out []pkg
	for _, d := range dirs {
		p := byDir[d]
		slices.Sort(p.imports)
		p.imports = slices.Compact(p.imports)
		out = append(out, *p)
	}
	return out
}

// walk calls f for each file of the module with the ending, in a fixed order.
func walk(t *testing.T, ending string, f func(path string, src []byte)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || path != root && strings.HasPrefix(d.Name(), ".")) {
			return filepath.SkipDir
		}
		if d.IsDir() || filepath.Ext(path) != ending {
			return nil
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		f(rel, src)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestFormat(t *testing.T) {
	walk(t, ".go", func(path string, src []byte) {
		out, err := format.Source(src)
		if err != nil {
			t.Errorf("%s: %v", path, err)
		} else if string(out) != string(src) {
			t.Errorf("%s: not in gofmt's form", path)
		}
	})
}

// TestFunctionLength keeps functions readable. A flat switch over opcodes may
// be longer when its comment says "flat".
func TestFunctionLength(t *testing.T) {
	const limit = 70
	for _, p := range packages(t) {
		for _, f := range p.files {
			for _, d := range f.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if !ok || fn.Body == nil {
					continue
				}
				n := fset.Position(fn.End()).Line - fset.Position(fn.Pos()).Line + 1
				if n > limit && !strings.Contains(strings.ToLower(fn.Doc.Text()), "flat") {
					t.Errorf("%s: %s has %d lines, more than %d", fset.Position(fn.Pos()), fn.Name.Name, n, limit)
				}
			}
		}
	}
}

// TestDocumented requires a comment on every package and every exported name.
func TestDocumented(t *testing.T) {
	for _, p := range packages(t) {
		doc := false
		for _, f := range p.files {
			doc = doc || len(f.Doc.Text()) > 40
			for _, d := range f.Decls {
				undocumented(d, func(pos token.Pos, name string) {
					t.Errorf("%s: exported %s has no comment", fset.Position(pos), name)
				})
			}
		}
		if !doc {
			t.Errorf("package %s has no package comment that says what it makes", p.rel)
		}
	}
}

// callInDoc is a line of code in a package comment that calls an exported function or method.
var callInDoc = regexp.MustCompile(`(?m)^\t.*\w\.[A-Z]\w*\(`)

// TestExamplesCompile requires a compiled example of each package of the library whose
// comment has code.
func TestExamplesCompile(t *testing.T) {
	for _, p := range packages(t) {
		code := slices.ContainsFunc(p.files, func(f *ast.File) bool { return callInDoc.MatchString(f.Doc.Text()) })
		if !code || strings.HasPrefix(p.rel, "internal/") || strings.HasPrefix(p.rel, "cmd/") ||
			strings.HasPrefix(p.rel, "tools/") {
			continue
		}
		found, err := filepath.Glob(filepath.Join(root, p.rel, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(found, func(path string) bool {
			src, err := os.ReadFile(path)
			return err == nil && strings.Contains(string(src), "\nfunc Example")
		}) {
			t.Errorf("the comment of package %s has code, and the package has no example", p.rel)
		}
	}
}

// undocumented reports the exported names of a declaration without a comment.
func undocumented(d ast.Decl, report func(token.Pos, string)) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) {
			report(d.Pos(), d.Name.Name)
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() && d.Doc == nil && s.Doc == nil {
					report(s.Pos(), s.Name.Name)
				}
			case *ast.ValueSpec:
				if s.Names[0].IsExported() && d.Doc == nil && s.Doc == nil && s.Comment == nil {
					report(s.Pos(), s.Names[0].Name)
				}
			}
		}
	}
}

// exportedReceiver reports whether fn is a function or a method of an exported
// type.
func exportedReceiver(fn *ast.FuncDecl) bool {
	if fn.Recv == nil {
		return true
	}
	typ := fn.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	if gen, ok := typ.(*ast.IndexExpr); ok {
		typ = gen.X
	}
	id, ok := typ.(*ast.Ident)
	return ok && id.IsExported()
}

// pathInDoc matches what a document quotes as code and looks like a path of
// this repository.
var pathInDoc = regexp.MustCompile("`((?:cmd|cfg|abstract|succ|jit|render|golden|docs|internal|testdata|tools|\\.ci)" +
	"(?:/[A-Za-z0-9_.-]+)+)/?`")

func TestDocumentPathsExist(t *testing.T) {
	n := 0
	walk(t, ".md", func(doc string, src []byte) {
		for _, m := range pathInDoc.FindAllStringSubmatch(string(src), -1) {
			n++
			if _, err := os.Stat(filepath.Join(root, m[1])); err != nil {
				t.Errorf("%s names %s, which does not exist", doc, m[1])
			}
		}
	})
	if n == 0 {
		t.Error("no document names a path: the pattern is wrong")
	}
}

// TestArchitectureNamesPackages requires a row of docs/architecture.md for each
// package, so that a reader finds what it is for.
func TestArchitectureNamesPackages(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join(root, "docs", "architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range packages(t) {
		if !strings.Contains(string(doc), "\n| `"+p.rel+"` | ") {
			t.Errorf("docs/architecture.md has no row for package %s", p.rel)
		}
	}
}

// TestDocumentIndex requires a line of docs/README.md for each document.
func TestDocumentIndex(t *testing.T) {
	index, err := os.ReadFile(filepath.Join(root, "docs", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	docs, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil || len(docs) < 10 {
		t.Fatalf("%d documents, %v", len(docs), err)
	}
	for _, d := range docs {
		if name := filepath.Base(d); name != "README.md" && !strings.Contains(string(index), "]("+name+")") {
			t.Errorf("docs/README.md does not list %s", name)
		}
	}
}

// linkInDoc matches a link to a file, without the place in it.
var linkInDoc = regexp.MustCompile(`\]\(([A-Za-z0-9_./-]+)(?:#[^)]*)?\)`)

func TestDocumentLinks(t *testing.T) {
	n := 0
	walk(t, ".md", func(doc string, src []byte) {
		for _, m := range linkInDoc.FindAllStringSubmatch(string(src), -1) {
			n++
			if _, err := os.Stat(filepath.Join(root, filepath.Dir(doc), m[1])); err != nil {
				t.Errorf("%s links to %s, which does not exist", doc, m[1])
			}
		}
	})
	if n < 30 {
		t.Errorf("only %d links were found", n)
	}
}

// moduleLine matches a requirement of go.mod that is not indirect, without the
// major version at its end.
var moduleLine = regexp.MustCompile(`(?m)^\t(\S+?)(?:/v\d+)? v\S+$`)

// TestRationaleNamesModules requires the reason of each dependency.
func TestRationaleNamesModules(t *testing.T) {
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile(filepath.Join(root, "docs", "rationale.md"))
	if err != nil {
		t.Fatal(err)
	}
	modules := moduleLine.FindAllStringSubmatch(string(mod), -1)
	for _, m := range modules {
		name := m[1][strings.LastIndexByte(m[1], '/')+1:]
		if !strings.Contains(string(doc), m[1]) && !regexp.MustCompile(`\b`+name+`\b`).Match(doc) {
			t.Errorf("docs/rationale.md does not say what %s is for", m[1])
		}
	}
	if len(modules) < 10 {
		t.Errorf("only %d modules were found in go.mod", len(modules))
	}
}

// symbolInDoc matches what docs/library.md, docs/limits.md and docs/features.md
// quote as a name of a package of the library.
var symbolInDoc = regexp.MustCompile("`(bytecode|load|ebpfspec|cfg|abstract|succ|rules|rewrite|jit|pipeline|verify|layout|golden|render|picture)" +
	"\\.([A-Z][A-Za-z0-9]*)")

func TestDocumentSymbolsExist(t *testing.T) {
	exported := map[string]bool{}
	for _, p := range packages(t) {
		for _, f := range p.files {
			for _, d := range f.Decls {
				for _, name := range declared(d) {
					exported[f.Name.Name+"."+name] = true
				}
			}
		}
	}
	n := 0
	walk(t, ".md", func(doc string, src []byte) {
		for _, m := range symbolInDoc.FindAllStringSubmatch(string(src), -1) {
			n++
			if name := m[1] + "." + m[2]; !exported[name] {
				t.Errorf("%s names %s, which does not exist", doc, name)
			}
		}
	})
	if n < 20 {
		t.Errorf("only %d names of the library were found: the pattern is wrong", n)
	}
}

// declared returns the names that a declaration at the top of a file makes,
// methods left out.
func declared(d ast.Decl) []string {
	var out []string
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			out = append(out, d.Name.Name)
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				out = append(out, s.Name.Name)
			case *ast.ValueSpec:
				for _, id := range s.Names {
					out = append(out, id.Name)
				}
			}
		}
	}
	return out
}
