package load

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
)

// TestFacts compares with corpus/facts.txt, which a script of another author
// made of the objects: for each function its slots, indirect jumps and calls,
// and the tables that it refers to, with entries and distinct targets.
func TestFacts(t *testing.T) {
	data, err := os.ReadFile(testenv.Path(t, "corpus/facts.txt"))
	if err != nil {
		t.Fatal(err)
	}
	functions := 0
	var object string
	var facts map[string]string
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if path, ok := strings.CutPrefix(line, "== "); ok {
			object = path
			facts = functionFacts(loadFile(t, testenv.Path(t, "corpus/"+path)))
			continue
		}
		head, want, ok := strings.Cut(line, ": ")
		if !ok {
			continue
		}
		name := head[strings.LastIndex(head, "/")+1:]
		if got := facts[name]; got != want {
			t.Errorf("%s: %s: %s, want %s", object, name, got, want)
		}
		functions++
	}
	if functions < 25 {
		t.Errorf("only %d functions compared", functions)
	}
}

// functionFacts describes the functions of an object in the words of facts.txt.
func functionFacts(o *Object) map[string]string {
	res := map[string]string{}
	for _, p := range o.Programs {
		for _, s := range p.Subprogs {
			var gotox, callx int
			var tables []string
			for pc := s.Start; pc < s.End; pc++ {
				if p.Insns[pc].IsGotox() {
					gotox++
				}
				if p.Insns[pc].IsCallx() {
					callx++
				}
				if text := tableFact(p, pc); text != "" && !slices.Contains(tables, text) {
					tables = append(tables, text)
				}
			}
			res[s.Name] = fmt.Sprintf("%d insns gotox=%d callx=%d tables=%d %s",
				s.End-s.Start, gotox, callx, len(tables), strings.Join(tables, " "))
		}
	}
	return res
}

// tableFact describes the table that an instruction refers to: a jump table, or
// code pointers in data.
func tableFact(p *bytecode.Program, pc bytecode.PC) string {
	ref, ok := p.RefAt(pc)
	switch {
	case ok && ref.Kind == bytecode.RefTable:
		tab := p.Tables[ref.Index]
		targets := slices.Clone(tab.Targets)
		slices.Sort(targets)
		return fmt.Sprintf("%s[%d entries,%d distinct]", tab.Name, len(targets), len(slices.Compact(targets)))
	case ok && ref.Kind == bytecode.RefMapValue && len(p.Maps[ref.Index].Code) > 0:
		return fmt.Sprintf("%s+%d", p.Maps[ref.Index].Name, ref.Off)
	}
	return ""
}
