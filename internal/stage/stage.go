// Package stage prints the stages of an analysis, as text and as JSON: instructions, graph, facts,
// targets, tables, rewritten program, machine code and layout.
//
//	s := stage.All()["succ"]
//	err := s.Text(os.Stdout, &stage.View{Program: a.Program, Analysis: a})
//
// The JSON is for one program; docs/formats.md describes it. The package analyses nothing.
package stage

import (
	"fmt"
	"io"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
	"github.com/bpfcfg/bpfcfg/render/textgraph"
)

// Stage holds the two writers of a stage.
type Stage struct {
	Analysed bool // it prints an analysis, and not only the loaded program
	Text     func(w io.Writer, v *View) error
	JSON     func(v *View) (any, error)
}

// View is a program to print.
type View struct {
	Program  *bytecode.Program
	Analysis *pipeline.Analysis // nil for a stage that is not analysed

	Programs []*bytecode.Program // all of the input
	Options  rewrite.Options     // that the program was analysed with

	Brief bool // stage cfg: no drawing
	All   bool // nothing is left out
	Graph textgraph.Options
}

// All returns the stages by name.
func All() map[string]Stage {
	return map[string]Stage{
		"insns":  {false, insnsText, insnsJSON},
		"cfg":    {true, cfgText, cfgJSON},
		"facts":  {true, factsText, factsJSON},
		"succ":   {true, succText, succJSON},
		"tables": {true, tablesText, tablesJSON},
		"xlated": {true, xlatedText, xlatedJSON},
		"jit":    {true, jitText, jitJSON},
		"layout": {true, layoutText, layoutJSON},
	}
}

// Title prints the first line of a program's text.
func Title(w io.Writer, p *bytecode.Program, more string) {
	name := visible.Text(p.Name)
	if p.Section != "" {
		name = visible.Text(p.Section) + "/" + name
	}
	fmt.Fprintf(w, "%s: %s%s\n", name, visible.Count(len(p.Insns), "insn"), more)
}

// FuncName returns a subprogram's name, or where it starts.
func FuncName(p *bytecode.Program, sub int) string {
	return visible.Text(p.Subprogs[sub].Label())
}

// sourceLine returns a C line as a comment: "; x = 1; @ file.c:12".
func sourceLine(l bytecode.Line) string {
	text := strings.TrimSpace(l.Text)
	return fmt.Sprintf("; %s @ %s:%d", visible.Text(text), visible.Text(visible.Base(l.File)), l.Line)
}
