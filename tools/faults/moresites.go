package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// copies are methods and functions whose result is their operand with something
// done to it that a careless author leaves out: a copy, a link or a mark taken away.
var copies = []string{"fork", "clone", "unlinked", "loosened", "Clone", "shift", "rebase", "stored"}

// others are functions that are mistaken for each other.
var others = map[string]string{"min": "max", "max": "min", "Join": "Meet", "Meet": "Join", "Umin": "Umax",
	"Umax": "Umin",
	"Smin": "Smax", "Smax": "Smin"}

// moreSites returns faults beyond those of sites: an assignment left out, one side
// of a condition with two, a copy that is none, one function for another.
func moreSites(root string, folders ...string) ([]fault, error) {
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
			list, err := moreInFile(file, filepath.ToSlash(rel))
			if err != nil {
				return nil, err
			}
			out = append(out, list...)
		}
	}
	return out, nil
}

// moreInFile is moreSites for one file.
func moreInFile(path, rel string) ([]fault, error) {
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
	text := func(n ast.Node) string {
		return string(src[fset.Position(n.Pos()).Offset:fset.Position(n.End()).Offset])
	}
	where := ""
	add := func(n ast.Node, now string) {
		at := fset.Position(n.Pos())
		out = append(out, fault{file: rel, line: at.Line, fn: where, was: oneLine([]byte(text(n))), now: now,
			from: at.Offset, to: fset.Position(n.End()).Offset})
	}
	for _, d := range tree.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Body == nil || aboutErrors(fn) {
			continue
		}
		where = fn.Name.Name
		ast.Inspect(fn.Body, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				if n.Tok != token.DEFINE {
					add(n, "{}")
				}
			case *ast.BinaryExpr:
				if n.Op == token.LAND || n.Op == token.LOR {
					add(n, text(n.X))
					add(n, text(n.Y))
				}
			case *ast.CallExpr:
				call(n, add, text)
			}
			return true
		})
	}
	return out, nil
}

// call adds the faults of a call.
func call(n *ast.CallExpr, add func(ast.Node, string), text func(ast.Node) string) {
	switch fn := n.Fun.(type) {
	case *ast.Ident:
		if now, ok := others[fn.Name]; ok {
			add(fn, now)
		}
		if slices.Contains(copies, fn.Name) && len(n.Args) > 0 {
			add(n, text(n.Args[0]))
		}
	case *ast.SelectorExpr:
		if now, ok := others[fn.Sel.Name]; ok {
			add(fn.Sel, now)
		}
		switch {
		case !slices.Contains(copies, fn.Sel.Name):
		case len(n.Args) == 0:
			add(n, text(fn.X))
		default:
			add(n, text(n.Args[0]))
		}
	}
}
