package tidy

import (
	"go/ast"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/bpfcfg/bpfcfg"

// layers lists the packages from the bottom up. A package may import what
// stands before it in its row's list, nothing else of ours. Internal packages
// listed in shared may be imported by all. This is a statement of policy: bytes
// → Program → Graph ⇄ Facts ⇄ Targets → Image → Layout, and never back.
var layers = map[string][]string{
	"cfg/bytecode":      {},
	"cfg/kernel":        {},
	"cfg/load":          {"cfg/bytecode"},
	"cfg/load/target":   {"cfg/bytecode", "cfg/load"},
	"cfg/load/ebpfspec": {"cfg/bytecode", "cfg/load"},
	"cfg":               {"cfg/bytecode", "internal/dominators"},
	"abstract/tnum":     {},
	"abstract/arc":      {"abstract/tnum"},
	"abstract/scalar":   {"abstract/tnum", "abstract/arc"},
	"abstract": {
		"cfg/bytecode", "cfg/kernel", "cfg", "abstract/tnum", "abstract/arc", "abstract/scalar", "abstract/calls",
	},
	"succ":           {"cfg/bytecode", "cfg", "abstract", "abstract/scalar"},
	"abstract/calls": {},
	"succ/rules": {
		"cfg/bytecode", "cfg/kernel", "cfg", "abstract", "abstract/calls", "abstract/scalar", "abstract/tnum", "succ",
		"internal/reach",
	},
	"succ/callgraph": {"cfg/bytecode", "cfg/load", "cfg", "succ"},
	"succ/hazard":    {"cfg/bytecode", "cfg", "succ", "succ/rules", "jit", "jit/rewrite"},
	"jit/x86":        {},
	"jit/machine":    {"cfg/bytecode"},
	"jit":            {"cfg/bytecode", "cfg/kernel", "jit/machine", "jit/x86"},
	"jit/rewrite":    {"cfg/bytecode", "cfg/kernel", "cfg", "jit", "internal/reach"},
	"jit/x86/disasm": {},
	"jit/verify":     {"cfg/bytecode", "cfg/kernel", "cfg", "jit/machine", "jit/x86/disasm"},
	"jit/pipeline": {
		"cfg/bytecode", "cfg/kernel", "cfg", "abstract", "succ", "succ/rules", "jit", "jit/rewrite", "jit/verify",
	},
	"golden":         {"cfg/bytecode", "cfg", "succ", "jit", "jit/layout", "jit/pipeline", "internal/align", "internal/shape"},
	"internal/align": {},
	"internal/diff": {
		"cfg/bytecode", "cfg", "succ", "succ/rules", "jit/layout", "internal/align", "jit/pipeline", "internal/shape",
	},
	"internal/explain": {
		"cfg/bytecode", "cfg", "abstract", "succ", "succ/rules", "jit", "jit/layout", "jit/pipeline",
	},
	"internal/shape":      {"cfg/bytecode"},
	"jit/layout":          {"cfg/bytecode", "cfg", "jit"},
	"render/layered":      {"internal/dominators"},
	"internal/dominators": {},
	"internal/reach":      {},
	"internal/layers":     {"internal/check", "internal/visits", "jit/pipeline", "render", "render/picture"},
	"internal/union": {
		"internal/check", "internal/diff", "internal/layers", "internal/visits", "jit/pipeline", "render", "render/picture",
	},
	"internal/input": {
		"cfg/bytecode", "cfg/load", "cfg/load/target", "internal/ask", "internal/ask/wire", "internal/compare",
		"internal/config", "internal/host", "internal/live", "internal/object", "internal/record", "internal/replay",
		"jit", "jit/pipeline", "jit/rewrite",
	},
	"internal/goldenfiles": {"cfg", "cfg/bytecode", "golden", "internal/input", "internal/object", "jit", "jit/pipeline", "jit/rewrite"},
	"internal/stage": {
		"cfg/bytecode", "cfg", "succ", "succ/hazard", "jit", "jit/rewrite", "jit/pipeline", "jit/x86/disasm", "golden",
		"internal/explain", "internal/jsonstream", "render/picture", "render/textgraph",
	},
	"render/display":              {},
	"render/typeface":             {"render/display"},
	"render/raster":               {"render/display", "render/typeface"},
	"render/pdf":                  {"render/display", "render/typeface"},
	"render/textgraph":            {"render"},
	"internal/atomicfile":         {},
	"internal/record":             {"cfg/bytecode", "cfg/load"},
	"internal/testing/interp":     {"cfg/bytecode", "abstract/scalar"},
	"internal/testing/progen":     {"cfg/bytecode"},
	"internal/testing/runvec":     {},
	"internal/testing/wellformed": {"cfg/bytecode"},
	"internal/testing/marks":      {"cfg/bytecode", "internal/record", "jit", "jit/rewrite"},
	"internal/testing/native":     {"cfg/bytecode", "jit"},
	"internal/pullrequest":        {},
	"internal/cases":              {"cfg/bytecode", "cfg", "succ", "jit/pipeline"},
	"internal/check": {
		"cfg/bytecode", "cfg", "abstract", "succ", "succ/rules", "succ/hazard", "jit", "jit/rewrite", "jit/verify", "jit/pipeline",
		"internal/cases",
	},
	"internal/config":         {"cfg/bytecode"},
	"internal/policy":         {"cfg/bytecode", "internal/check", "internal/config"},
	"internal/report":         {"cfg/bytecode", "internal/check"},
	"internal/manual":         {},
	"internal/object":         {},
	"internal/visible":        {},
	"internal/testing/damage": {},
	"internal/visits":         {},
	"internal/tag":            {"cfg/bytecode"},
	"internal/where":          {"cfg/bytecode", "cfg", "jit/layout", "jit/pipeline", "jit/x86/disasm"},
	"internal/sysbpf":         {},
	"internal/live":           {"cfg/bytecode", "internal/replay", "internal/record", "internal/sysbpf"},
	"internal/host":           {"cfg/bytecode", "cfg/kernel", "jit", "internal/live", "internal/record", "internal/sysbpf"},
	"internal/replay":         {"cfg/bytecode", "cfg/kernel", "jit", "jit/x86/disasm", "internal/reach", "internal/record"},
	"internal/compare": {
		"internal/record", "succ/rules",
		"cfg/bytecode", "cfg", "succ", "jit", "jit/pipeline", "jit/rewrite", "jit/x86/disasm", "internal/replay",
	},

	"internal/ask/wire": {"internal/record"},
	"internal/ask/guest": {
		"cfg/bytecode", "cfg/load", "internal/ask/wire", "internal/host", "internal/live", "internal/record", "jit",
	},
	"internal/ask": {"internal/ask/wire", "internal/record"},
}

// shared may be imported by every package but the leaves.
var shared = []string{"internal/visible"}

// leaves import only the standard library, besides ours as listed in layers.
var leaves = []string{"abstract/tnum", "abstract/arc", "abstract/scalar", "jit/x86"}

func TestImports(t *testing.T) {
	seen := 0
	for _, p := range packages(t) {
		allowed, listed := layers[p.rel]
		if !listed {
			continue
		}
		seen++
		for _, imp := range p.imports {
			rel, ours := strings.CutPrefix(imp, module+"/")
			switch {
			case ours && slices.Contains(allowed, rel), ours && slices.Contains(shared, rel):
			case ours:
				t.Errorf("%s imports %s: not in its row of the import policy", p.rel, rel)
			case slices.Contains(leaves, p.rel) && strings.Contains(strings.SplitN(imp, "/", 2)[0], "."):
				t.Errorf("%s imports %s: a leaf package has the standard library only", p.rel, imp)
			}
		}
	}
	if seen < 10 {
		t.Fatalf("only %d packages of the policy were found", seen)
	}
}

// pictured are the internal packages above the renderer: parts of the command that make
// pictures, and scenes for tests.
var pictured = []string{"internal/layers", "internal/stage", "internal/union", "internal/testing/rendertest"}

// TestNothingImportsTheTop states that pictures and commands are at the end of
// the pipeline.
func TestNothingImportsTheTop(t *testing.T) {
	for _, p := range packages(t) {
		for _, imp := range p.imports {
			rel, ours := strings.CutPrefix(imp, module+"/")
			top := ours && (strings.HasPrefix(rel, "render") || strings.HasPrefix(rel, "cmd/"))
			above := strings.HasPrefix(p.rel, "cmd/") || strings.HasPrefix(p.rel, "render") ||
				slices.Contains(pictured, p.rel) || strings.HasPrefix(p.rel, "tools/")
			if top && !above {
				t.Errorf("%s imports %s: nothing below the renderer may", p.rel, rel)
			}
		}
	}
}

// TestProductAlone states that the product needs neither the test lab nor the
// developers' tools. Test files are not asked.
func TestProductAlone(t *testing.T) {
	lab := func(rel string) bool {
		return strings.HasPrefix(rel, "internal/testing/") || strings.HasPrefix(rel, "tools/")
	}
	for _, p := range packages(t) {
		for _, imp := range p.imports {
			if rel, ours := strings.CutPrefix(imp, module+"/"); ours && lab(rel) && !lab(p.rel) {
				t.Errorf("%s imports %s: that is for tests and tools", p.rel, rel)
			}
		}
	}
}

// TestNoInternalNamesInTheLibrary demands that what the library exports can be
// named by its users: no type of an internal package in a signature, a field or
// a variable.
func TestNoInternalNamesInTheLibrary(t *testing.T) {
	checked := 0
	for _, p := range packages(t) {
		if strings.HasPrefix(p.rel, "internal/") || strings.HasPrefix(p.rel, "cmd/") || strings.HasPrefix(p.rel, "tools/") {
			continue
		}
		checked++
		for _, f := range p.files {
			hidden := internalNames(f)
			for _, d := range f.Decls {
				for _, part := range exportedParts(d) {
					ast.Inspect(part, func(n ast.Node) bool {
						sel, ok := n.(*ast.SelectorExpr)
						if !ok {
							return true
						}
						if x, ok := sel.X.(*ast.Ident); ok && hidden[x.Name] {
							t.Errorf("%s: %s.%s is internal, and part of what is exported", fset.Position(n.Pos()), x.Name, sel.Sel.Name)
						}
						return true
					})
				}
			}
		}
	}
	if checked < 15 {
		t.Errorf("only %d packages of the library were found", checked)
	}
}

// internalNames returns the names under which a file imports internal packages.
func internalNames(f *ast.File) map[string]bool {
	out := map[string]bool{}
	for _, im := range f.Imports {
		path, _ := strconv.Unquote(im.Path.Value)
		if !strings.HasPrefix(path, module+"/internal/") {
			continue
		}
		name := path[strings.LastIndexByte(path, '/')+1:]
		if im.Name != nil {
			name = im.Name.Name
		}
		out[name] = true
	}
	return out
}

// exportedParts returns the parts of a declaration that users see: signatures,
// and types of exported fields, variables and constants.
func exportedParts(d ast.Decl) []ast.Node {
	var out []ast.Node
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && exportedReceiver(d) {
			out = append(out, d.Type)
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				if st, ok := s.Type.(*ast.StructType); s.Name.IsExported() && ok {
					for _, field := range st.Fields.List {
						if len(field.Names) == 0 || slices.ContainsFunc(field.Names, (*ast.Ident).IsExported) {
							out = append(out, field.Type)
						}
					}
				} else if s.Name.IsExported() {
					out = append(out, s.Type)
				}
			case *ast.ValueSpec:
				if s.Type != nil && slices.ContainsFunc(s.Names, (*ast.Ident).IsExported) {
					out = append(out, s.Type)
				}
			}
		}
	}
	return out
}
