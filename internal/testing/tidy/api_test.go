package tidy

import (
	"bytes"
	"flag"
	"go/ast"
	"go/printer"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite docs/api.txt")

// stable lists the names of the library that change last (docs/library.md), by package.
var stable = map[string][]string{
	"cfg":               {"Build", "Graph"},
	"cfg/bytecode":      {"Program"},
	"cfg/load":          {"ELF"},
	"cfg/load/ebpfspec": {"FromSpec"},
	"golden":            {"FormatVersion", "Text"},
	"jit":               {"Compile", "Image", "LookupProfile", "Program"},
	"jit/pipeline":      {"Across", "Analysis", "Run"},
	"jit/verify":        {"Check"},
	"render/picture":    {"Scene"},
	"succ":              {"Resolve", "Result"},
}

// TestAPI compares the stable names, with signatures, exported fields and methods, with
// docs/api.txt, so that no change of them goes unseen: users build on them.
func TestAPI(t *testing.T) {
	var lines []string
	for _, p := range packages(t) {
		for _, f := range p.files {
			for _, d := range f.Decls {
				for name, line := range exported(t, d) {
					if slices.Contains(stable[p.rel], name) {
						lines = append(lines, p.rel+": "+line)
					}
				}
			}
		}
	}
	slices.Sort(lines)
	got := strings.Join(lines, "\n") + "\n"
	path := filepath.Join(root, "docs", "api.txt")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	old := strings.Split(strings.TrimSuffix(string(want), "\n"), "\n")
	for _, l := range old {
		if !slices.Contains(lines, l) {
			t.Errorf("gone: %s", l)
		}
	}
	for _, l := range lines {
		if !slices.Contains(old, l) {
			t.Errorf("new: %s", l)
		}
	}
	if t.Failed() {
		t.Log("if that is meant: go test ./internal/testing/tidy -run TestAPI -update")
	}
}

// exported yields a line for each exported name that a declaration makes, field or method,
// with the name of the function, type or value that it belongs to.
func exported(t *testing.T, d ast.Decl) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() && exportedReceiver(d) {
				yield(owner(d), source(t, &ast.FuncDecl{Recv: d.Recv, Name: d.Name, Type: d.Type}))
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					for _, line := range exportedType(t, s) {
						yield(s.Name.Name, line)
					}
				case *ast.ValueSpec:
					for _, name := range s.Names {
						yield(name.Name, d.Tok.String()+" "+name.Name)
					}
				}
			}
		}
	}
}

// owner returns the name of a function, or of the type that a method belongs to.
func owner(fn *ast.FuncDecl) string {
	if fn.Recv == nil {
		return fn.Name.Name
	}
	typ := fn.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	if id, ok := typ.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}

// exportedType returns the lines of a type: of a structure, a line for each exported field.
func exportedType(t *testing.T, s *ast.TypeSpec) []string {
	fields, ok := s.Type.(*ast.StructType)
	if !ok {
		return []string{"type " + s.Name.Name + " " + source(t, s.Type)}
	}
	out := []string{"type " + s.Name.Name + " struct"}
	for _, f := range fields.Fields.List {
		typ := source(t, f.Type)
		if len(f.Names) == 0 {
			out = append(out, "type "+s.Name.Name+" struct, embeds "+typ)
		}
		for _, name := range f.Names {
			if name.IsExported() {
				out = append(out, "type "+s.Name.Name+" struct, "+name.Name+" "+typ)
			}
		}
	}
	return out
}

// source returns a node as one line of Go.
func source(t *testing.T, node any) string {
	var b bytes.Buffer
	if err := printer.Fprint(&b, fset, node); err != nil {
		t.Fatal(err)
	}
	return strings.Join(strings.Fields(b.String()), " ")
}
