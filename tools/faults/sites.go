package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// fault is a change of a source file.
type fault struct {
	file string // below the root
	line int
	fn   string // the function
	was  string
	now  string
	from int // byte offsets of what is replaced
	to   int
}

// String returns the place and the change.
func (f fault) String() string {
	return fmt.Sprintf("%s:%d: %s → %s", f.file, f.line, f.was, f.now)
}

// sites returns all faults that can be planted in the Go files of folders, or in files, in
// order of files and places.
func sites(root string, folders ...string) ([]fault, error) {
	var out []fault
	for _, dir := range folders {
		files, err := goFiles(root, dir)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			rel, err := filepath.Rel(root, file)
			if err != nil {
				return nil, err
			}
			list, err := fileSites(file, filepath.ToSlash(rel))
			if err != nil {
				return nil, err
			}
			out = append(out, list...)
		}
	}
	return out, nil
}

// goFiles returns the Go files of a folder, or the file itself where one is named.
func goFiles(root, name string) ([]string, error) {
	path := filepath.Join(root, filepath.FromSlash(name))
	if strings.HasSuffix(name, ".go") {
		return []string{path}, nil
	}
	return filepath.Glob(filepath.Join(path, "*.go"))
}

// swaps holds for operators and names those that they are mistaken for.
var swaps = map[string]string{
	"==": "!=", "!=": "==", "<": "<=", "<=": "<", ">": ">=", ">=": ">", "&&": "||", "||": "&&", "+": "-", "-": "+",
	"true": "false", "false": "true",
	"jeq": "jne", "jne": "jeq", "jgt": "jge", "jge": "jgt", "jle": "jgt", "jsge": "jgt", "j64": "j32", "j32": "j64",
	"w64": "w32", "w32": "w64", "opAdd": "opSub", "opSub": "opAdd",
}

// fileSites returns the faults of one file.
func fileSites(path, rel string) ([]fault, error) {
	src, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, path, src, 0)
	if err != nil {
		return nil, err
	}
	var out []fault
	where := ""
	add := func(from, to token.Pos, now string) {
		a, b := fset.Position(from), fset.Position(to)
		out = append(out, fault{file: rel, line: a.Line, fn: where, was: oneLine(src[a.Offset:b.Offset]), now: now,
			from: a.Offset, to: b.Offset})
	}
	for _, d := range tree.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Body == nil || aboutErrors(fn) {
			continue
		}
		where = fn.Name.Name
		ast.Inspect(fn.Body, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BinaryExpr:
				if now, ok := swaps[n.Op.String()]; ok {
					add(n.OpPos, n.OpPos+token.Pos(len(n.Op.String())), now)
				}
			case *ast.BasicLit:
				if v, err := strconv.ParseInt(n.Value, 0, 64); err == nil && n.Kind == token.INT {
					add(n.Pos(), n.End(), strconv.FormatInt(v+1, 10))
				}
			case *ast.Ident:
				if now, ok := swaps[n.Name]; ok {
					add(n.Pos(), n.End(), now)
				}
			case *ast.ExprStmt:
				if _, call := n.X.(*ast.CallExpr); call {
					add(n.Pos(), n.End(), "{}")
				}
			case *ast.IfStmt:
				from, to := fset.Position(n.Cond.Pos()).Offset, fset.Position(n.Cond.End()).Offset
				add(n.Cond.Pos(), n.Cond.End(), "!("+string(src[from:to])+")")
			}
			return true
		})
	}
	return out, nil
}

// aboutErrors reports whether a function only checks input or makes errors, so
// that a fault in it changes no code.
func aboutErrors(fn *ast.FuncDecl) bool {
	name := strings.ToLower(fn.Name.Name)
	return strings.HasPrefix(name, "check") || strings.Contains(name, "fail") || strings.Contains(name, "profile")
}

// oneLine shortens source text for a table.
func oneLine(b []byte) string {
	s := strings.Join(strings.Fields(string(b)), " ")
	if r := []rune(s); len(r) > 40 {
		return string(r[:39]) + "…"
	}
	return s
}

// apply returns the file with the fault.
func (f fault) apply(root string) ([]byte, error) {
	src, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(f.file)))
	if err != nil {
		return nil, err
	}
	out := bytes.Join([][]byte{src[:f.from], []byte(f.now), src[f.to:]}, nil)
	return format.Source(out)
}
