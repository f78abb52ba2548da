package tidy

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/build"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// recursive are the functions that may call themselves, directly or not, by what
// bounds them. Input must not: a program, a file or a type has any depth, and a
// stack that overflows ends the process.
var recursive = map[string][]string{
	"a call that the analysis follows: at most 16 frames (abstract/call.go), as in the kernel": {
		"abstract.analyzer.analyse", "abstract.analyzer.summarize", "abstract.analyzer.witnesses", "abstract.run.block", "abstract.run.call",
		"abstract.run.callRounds", "abstract.run.callback", "abstract.run.callbacks", "abstract.run.callx", "abstract.run.carryOut",
		"abstract.run.enter", "abstract.run.helperCall", "abstract.run.last", "abstract.run.leave", "abstract.run.looped",
		"abstract.run.step",
	},
	"one step: the other condition": {
		"abstract/scalar.Decide", "abstract/scalar.compare", "abstract/scalar.refineRaw",
	},
	"it names itself as a finalizer: the collector calls it, after it has returned": {
		"cmd/bpfcfg.afterCollection",
	},
	"writers inside of each other, as the command nests them": {
		"cmd/bpfcfg.terminal",
	},
	"its last parameter counts down": {
		"internal/host.member",
	},
	"one step: programs are in the top level only": {
		"internal/policy.reader.rule",
	},
	"generates tests; its size parameter shrinks": {
		"internal/testing/progen.gen.body", "internal/testing/progen.gen.branch", "internal/testing/progen.gen.flagPointer",
		"internal/testing/progen.gen.iterator", "internal/testing/progen.gen.loop", "internal/testing/progen.gen.mayGoto",
		"internal/testing/progen.gen.mixedPiece", "internal/testing/progen.gen.piece", "internal/testing/progen.gen.table",
		"internal/testing/progen.mixedPieces",
	},
	"the depth of a balanced tree over the tracks": {
		"render/layered.Tracks.query", "render/layered.Tracks.take",
	},
	"groups in groups of a picture, as package render nests them: at most 4": {
		"render/display.resolver.paint", "render/display.svgWriter.group", "render/display.svgWriter.item",
		"render.listWriter.group", "render.listWriter.item", "render.shown",
	},
	"the depth of documents, whose Go types are ours": {
		"internal/jsonstream.fieldsOf", "internal/jsonstream.stream.object", "internal/jsonstream.stream.series",
		"internal/jsonstream.stream.value",
	},
	"one step: the glyphs of hexadecimal digits": {
		"render/typeface.Font.Glyph", "render/typeface.Font.numbered",
	},
}

// TestNoRecursion states that nothing recurses but what is listed. Calls through
// function values are taken for calls where the function is named; calls through
// an interface of the module go to every method of the package that implements it.
func TestNoRecursion(t *testing.T) {
	if testing.Short() {
		t.Skip("type-checks the module")
	}
	allowed := map[string]bool{}
	for _, names := range recursive {
		for _, name := range names {
			allowed[name] = true
		}
	}
	exports := exportData(t)
	found := map[string]bool{}
	for _, dir := range goPackages(t) {
		for _, cycle := range recursionIn(t, dir, exports) {
			for _, name := range cycle {
				found[name] = true
			}
			if i := slices.IndexFunc(cycle, func(name string) bool { return !allowed[name] }); i >= 0 {
				t.Errorf("%s recurses: %s", cycle[i], strings.Join(cycle, ", "))
			}
		}
	}
	for name := range allowed {
		if !found[name] {
			t.Errorf("%s is listed, and does not recurse", name)
		}
	}
}

// exportData returns where the compiled form of each package is, by import path.
func exportData(t *testing.T) map[string]string {
	t.Helper()
	cmd := exec.Command("go", "list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}", "./...")
	cmd.Dir = root
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for line := range strings.Lines(string(out)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), " ")
		found[path] = file
	}
	return found
}

// goPackages returns the directories with Go files of the module.
func goPackages(t *testing.T) []string {
	t.Helper()
	var dirs []string
	for _, p := range packages(t) {
		if !strings.HasPrefix(p.rel, "tools/") { // a module of its own, for developers alone
			dirs = append(dirs, p.rel)
		}
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// recursionIn returns the groups of functions of a package that call each other
// in a circle, as package.Type.name.
func recursionIn(t *testing.T, rel string, exports map[string]string) [][]string {
	t.Helper()
	fset := token.NewFileSet()
	var files []*ast.File
	paths, err := filepath.Glob(filepath.Join(root, rel, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		ok, err := build.Default.MatchFile(filepath.Split(path))
		if err != nil {
			t.Fatal(err)
		}
		if !ok || strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	if len(files) == 0 {
		return nil
	}
	lookup := func(path string) (io.ReadCloser, error) {
		data, err := os.ReadFile(exports[path])
		return io.NopCloser(bytes.NewReader(data)), err
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{},
		Selections: map[*ast.SelectorExpr]*types.Selection{}}
	conf := types.Config{Importer: importer.ForCompiler(fset, "gc", lookup)}
	pkg, err := conf.Check(module+"/"+rel, fset, files, info)
	if err != nil {
		t.Fatalf("%s: %v", rel, err)
	}
	g := &callGraph{pkg: pkg, info: info, calls: map[types.Object]map[types.Object]bool{}}
	for _, f := range files {
		g.file(f)
	}
	var out [][]string
	for _, circle := range g.circles() {
		var names []string
		for _, obj := range circle {
			names = append(names, rel+"."+objectName(obj))
		}
		slices.Sort(names)
		out = append(out, names)
	}
	return out
}

// objectName names a function, a method with its type, or a variable.
func objectName(obj types.Object) string {
	if f, ok := obj.(*types.Func); ok {
		if recv := f.Signature().Recv(); recv != nil {
			typ := recv.Type()
			if p, ok := typ.(*types.Pointer); ok {
				typ = p.Elem()
			}
			if n, ok := typ.(*types.Named); ok {
				return n.Obj().Name() + "." + f.Name()
			}
		}
	}
	return obj.Name()
}

// callGraph says which functions of a package name which.
type callGraph struct {
	pkg   *types.Package
	info  *types.Info
	calls map[types.Object]map[types.Object]bool
}

// file adds the functions of a file, and variables that hold function literals.
func (g *callGraph) file(f *ast.File) {
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Body == nil {
			continue
		}
		g.uses(g.info.Defs[fn.Name], fn.Body)
		ast.Inspect(fn.Body, func(n ast.Node) bool {
			assign, ok := n.(*ast.AssignStmt)
			if !ok || len(assign.Lhs) != len(assign.Rhs) {
				return true
			}
			for i, right := range assign.Rhs {
				lit, isLit := right.(*ast.FuncLit)
				left, isIdent := assign.Lhs[i].(*ast.Ident)
				if !isLit || !isIdent {
					continue
				}
				if obj := g.object(left); obj != nil {
					g.uses(obj, lit.Body)
				}
			}
			return true
		})
	}
}

// object returns what an identifier stands for.
func (g *callGraph) object(id *ast.Ident) types.Object {
	if obj := g.info.Uses[id]; obj != nil {
		return obj
	}
	return g.info.Defs[id]
}

// uses notes what a body names.
func (g *callGraph) uses(from types.Object, body ast.Node) {
	to := g.calls[from]
	if to == nil {
		to = map[types.Object]bool{}
		g.calls[from] = to
	}
	ast.Inspect(body, func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		if !ok {
			return true
		}
		obj := g.info.Uses[id]
		if f, ok := obj.(*types.Func); ok {
			to[f.Origin()] = true
			for _, m := range g.implementations(f) {
				to[m] = true
			}
		} else if v, ok := obj.(*types.Var); ok {
			to[v] = true // if it holds a literal
		}
		return true
	})
}

// implementations returns the methods of the package that a call of an interface
// method may reach.
func (g *callGraph) implementations(f *types.Func) []types.Object {
	recv := f.Signature().Recv()
	if recv == nil || f.Pkg() == nil || !strings.HasPrefix(f.Pkg().Path(), module) {
		return nil
	}
	iface, ok := recv.Type().Underlying().(*types.Interface)
	if !ok {
		return nil
	}
	var out []types.Object
	for _, name := range g.pkg.Scope().Names() {
		typ, ok := g.pkg.Scope().Lookup(name).(*types.TypeName)
		if !ok || types.IsInterface(typ.Type()) || !types.Implements(types.NewPointer(typ.Type()), iface) {
			continue
		}
		if m, _, _ := types.LookupFieldOrMethod(types.NewPointer(typ.Type()), true, g.pkg, f.Name()); m != nil {
			out = append(out, m)
		}
	}
	return out
}

// circles returns the sets of functions that reach each other: each pair of a
// small graph, the slow and obvious way.
func (g *callGraph) circles() [][]types.Object {
	reach := map[types.Object]map[types.Object]bool{}
	for from := range g.calls {
		seen := map[types.Object]bool{}
		for stack := []types.Object{from}; len(stack) > 0; {
			at := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			for to := range g.calls[at] {
				if g.calls[to] != nil && !seen[to] {
					seen[to] = true
					stack = append(stack, to)
				}
			}
		}
		reach[from] = seen
	}
	var out [][]types.Object
	done := map[types.Object]bool{}
	for from, seen := range reach {
		if !seen[from] || done[from] {
			continue
		}
		var circle []types.Object
		for to := range seen {
			if reach[to][from] {
				circle = append(circle, to)
				done[to] = true
			}
		}
		out = append(out, circle)
	}
	slices.SortFunc(out, func(a, b []types.Object) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return out
}
