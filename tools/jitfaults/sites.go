package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"slices"
	"strconv"
	"strings"
)

// fault is a change of a source file that can be switched on: it has a number, from
// 1 on.
type fault struct {
	number int
	file   string // below the root
	line   int
	was    string
	now    string

	from, to int    // byte offsets of the expression or statement
	form     form   // how it is made switchable
	kind     string // type of a number
	whole    string // all of the expression with the fault
}

// form says how an expression with a fault is chosen while the program runs.
type form int

const (
	condition form = iota // a bool: the two are evaluated one or the other
	amount                // of the type in kind, which may be inferred if empty
	statement             // left out
)

// String returns the place and the change.
func (f *fault) String() string {
	return fmt.Sprintf("%s:%d: %s → %s", f.file, f.line, f.was, f.now)
}

// swaps holds for operators and names those that they are mistaken for.
var swaps = map[string]string{
	"==": "!=", "!=": "==", "<": "<=", "<=": "<", ">": ">=", ">=": ">", "&&": "||", "||": "&&", "+": "-", "-": "+",
	"true": "false", "false": "true",
	"jeq": "jne", "jne": "jeq", "jgt": "jge", "jge": "jgt", "jle": "jgt", "jsge": "jgt", "j64": "j32", "j32": "j64",
	"w64": "w32", "w32": "w64", "opAdd": "opSub", "opSub": "opAdd",
}

// finder collects the faults of a file.
type finder struct {
	src  []byte
	rel  string
	fset *token.FileSet
	info *types.Info
	pkg  *types.Package
	out  []*fault
}

// sites returns the faults that can be planted in a file.
func (g *finder) sites(tree *ast.File) []*fault {
	for _, d := range tree.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Body != nil && !aboutErrors(fn) {
			ast.Inspect(fn.Body, g.node)
		}
	}
	slices.SortStableFunc(g.out, func(a, b *fault) int {
		return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(b.to, a.to))
	})
	return g.out
}

// node adds the faults of one node.
func (g *finder) node(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.GenDecl:
		return n.Tok != token.CONST
	case *ast.BinaryExpr:
		g.binary(n)
	case *ast.BasicLit:
		if v, err := strconv.ParseInt(n.Value, 0, 64); err == nil && n.Kind == token.INT {
			now := strconv.FormatInt(v+1, 10)
			g.constant(n, now)
		}
	case *ast.Ident:
		if now, ok := swaps[n.Name]; ok && g.info.Uses[n] != nil {
			g.constant(n, now)
		}
	case *ast.ExprStmt:
		if _, call := n.X.(*ast.CallExpr); call {
			g.add(n, fault{was: g.text(n), now: "{}", form: statement})
		}
	case *ast.IfStmt:
		now := "!(" + g.text(n.Cond) + ")"
		g.add(n.Cond, fault{was: g.text(n.Cond), now: now, whole: now})
	}
	return true
}

// binary adds another operator.
func (g *finder) binary(n *ast.BinaryExpr) {
	now, ok := swaps[n.Op.String()]
	if !ok {
		return
	}
	f := fault{was: n.Op.String(), now: now, whole: g.text(n.X) + " " + now + " " + g.text(n.Y)}
	if n.Op == token.ADD || n.Op == token.SUB {
		if t, ok := g.info.TypeOf(n).Underlying().(*types.Basic); !ok || t.Info()&types.IsNumeric == 0 {
			return // text
		}
		if f.form = amount; g.info.Types[n].Value != nil {
			f.kind, ok = g.typeName(n)
		}
	}
	if ok {
		g.add(n, f)
	}
}

// constant adds another constant, of the same type.
func (g *finder) constant(n ast.Expr, now string) {
	kind, ok := g.typeName(n)
	if v := g.info.Types[n].Value; !ok || v != nil && v.Kind() != constant.Int && v.Kind() != constant.Bool {
		return
	}
	g.add(n, fault{was: g.text(n), now: now, form: amount, kind: kind, whole: now})
}

// typeName returns the name of an expression's type, if the file can name it.
func (g *finder) typeName(n ast.Expr) (string, bool) {
	t := types.Default(g.info.TypeOf(n))
	switch t := types.Unalias(t).(type) {
	case *types.Basic:
		return t.Name(), true
	case *types.Named:
		return t.Obj().Name(), t.Obj().Pkg() == g.pkg
	}
	return "", false
}

func (g *finder) add(n ast.Node, f fault) {
	a, b := g.fset.Position(n.Pos()), g.fset.Position(n.End())
	f.file, f.line, f.from, f.to = g.rel, a.Line, a.Offset, b.Offset
	if strings.Contains(f.whole, "//") {
		return // a comment in it
	}
	f.was, f.now = oneLine(f.was), oneLine(f.now)
	g.out = append(g.out, &f)
}

// text returns the source of a node in one line: text of two lines must not move the lines after
// it.
func (g *finder) text(n ast.Node) string {
	s := string(g.src[g.fset.Position(n.Pos()).Offset:g.fset.Position(n.End()).Offset])
	return strings.Join(strings.Fields(s), " ")
}

// aboutErrors reports whether a function only checks input or makes errors, so
// that a fault in it changes no code.
func aboutErrors(fn *ast.FuncDecl) bool {
	name := strings.ToLower(fn.Name.Name)
	return strings.HasPrefix(name, "check") || strings.Contains(name, "fail") || strings.Contains(name, "profile")
}

// oneLine shortens source text for a table.
func oneLine(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:39]) + "…"
	}
	return s
}
