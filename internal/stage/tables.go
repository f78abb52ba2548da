package stage

import (
	"fmt"
	"io"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
)

// entryDoc is a table entry in the JSON of show --stage tables.
type entryDoc struct {
	Index    int  `json:"index"`
	Original int  `json:"original"` // slot
	Xlated   *int `json:"xlated"`   // slot, -1 when deleted, null when unknown
	Jitted   *int `json:"jitted"`   // byte offset in the function, 0 when deleted, null when unknown
	Block    int  `json:"block"`    // -1 when the entry is outside the program

	Key *keyJumpDoc `json:"key,omitempty"` // of a static key
}

// keyJumpDoc holds the default and both targets of a jump of a static key.
type keyJumpDoc struct {
	Default string `json:"default"` // "jump" or "nop"
	Target  int    `json:"target"`
	Next    int    `json:"next"`
}

// tableDoc is a jump table, or a static key with its jumps as entries.
type tableDoc struct {
	Name    string     `json:"name"`
	Kind    string     `json:"kind"` // "jump-table" or "static-key"
	Entries []entryDoc `json:"entries"`
	// Programs are those of the input that have jumps of the key.
	Programs []string `json:"programs,omitempty"`
}

// tablesDoc is a program in the JSON of show --stage tables.
type tablesDoc struct {
	Head
	Profile string     `json:"profile"`
	Tables  []tableDoc `json:"tables"`
	// Unknown says why places are unknown, Predicted on what they depend.
	Unknown   string `json:"unknown,omitempty"`
	Predicted string `json:"predicted,omitempty"`
}

// keysAreJumps names the assumption behind the places in a program with static keys.
const keysAreJumps = "as if each static key were a plain jump; no kernel has static keys"

// tablesOf returns tables and static keys with the places of their entries.
func tablesOf(v *View) tablesDoc {
	a := v.Analysis
	d := tablesDoc{Head: HeadOf(v.Program), Profile: a.Profile.Name, Tables: []tableDoc{}}
	keys := bytecode.Keys(v.Program)
	if len(keys) > 0 {
		if a = a.KeysAsJumps(v.Options); a.ImageErr == nil {
			d.Predicted = keysAreJumps
		}
	}
	switch {
	case a.RewriteErr != nil:
		d.Unknown = a.RewriteErr.Error()
	case a.ImageErr != nil:
		d.Unknown = a.ImageErr.Error()
	}
	for i, t := range v.Program.Tables {
		doc := tableDoc{Name: t.Name, Kind: "jump-table", Entries: []entryDoc{}}
		for j, pc := range t.Targets {
			e := entryAt(a, j, pc)
			if a.Rewrite != nil {
				setPlace(&e, a, a.Rewrite.Program.Tables[i][j], func() int { return int(a.Image.Tables[i][j]) })
			}
			doc.Entries = append(doc.Entries, e)
		}
		d.Tables = append(d.Tables, doc)
	}
	for _, k := range keys {
		doc := tableDoc{Name: k.Name, Kind: "static-key", Programs: v.sharing(k.Name)}
		for j, jump := range k.Jumps {
			e := entryAt(a, j, jump.PC)
			e.Key = &keyJumpDoc{"nop", int(jump.Target), int(jump.Next)}
			if jump.Taken {
				e.Key.Default = "jump"
			}
			if a.Rewrite != nil {
				x := a.Rewrite.Xlated[jump.PC]
				setPlace(&e, a, x, func() int { return int(a.Image.Offsets[x]) })
			}
			doc.Entries = append(doc.Entries, e)
		}
		d.Tables = append(d.Tables, doc)
	}
	return d
}

// entryAt returns an entry that leads to pc. The block is the one that holds the
// instruction, which begins there only if some jump selects it.
func entryAt(a *pipeline.Analysis, i int, pc bytecode.PC) entryDoc {
	e := entryDoc{Index: i, Original: int(pc), Block: -1}
	if b, ok := a.Graph.BlockAt(pc); ok {
		e.Block = int(b)
	}
	return e
}

// setPlace fills in the xlated and jitted place of an entry. jitted is called only for a remaining
// entry of a program that could be compiled.
func setPlace(e *entryDoc, a *pipeline.Analysis, xlated bytecode.PC, jitted func() int) {
	x, off := int(xlated), 0
	if xlated == jit.Deleted {
		x = -1
	}
	e.Xlated = &x
	if x >= 0 && a.Image == nil {
		return
	}
	if x >= 0 {
		off = jitted()
	}
	e.Jitted = &off
}

// sharing returns the programs of the input that have jumps of the key with this
// name, in order, when there are several.
func (v *View) sharing(key string) []string {
	if key == "" {
		return nil
	}
	var names []string
	for _, p := range v.Programs {
		for _, k := range bytecode.Keys(p) {
			if k.Name == key {
				names = append(names, p.Name)
			}
		}
	}
	if len(names) < 2 {
		return nil
	}
	return names
}

func tablesJSON(v *View) (any, error) { return tablesOf(v), nil }

// tablesText prints where each table entry and each jump of a static key ends up.
func tablesText(w io.Writer, v *View) error {
	d := tablesOf(v)
	Title(w, v.Program, fmt.Sprintf(", %s, profile %s", tablesCount(d.Tables), v.Analysis.Profile.Title()))
	if d.Unknown != "" {
		fmt.Fprintf(w, "  xlated and jitted places are unknown: %s\n", visible.Text(d.Unknown))
	}
	if d.Predicted != "" {
		fmt.Fprintf(w, "  places are predicted %s\n", d.Predicted)
	}
	for _, t := range d.Tables {
		if t.Kind == "static-key" {
			keyText(w, v, t)
			continue
		}
		fmt.Fprintf(w, "  table %s, %s\n", visible.Text(t.Name), visible.Count(len(t.Entries), "entry"))
		fmt.Fprintf(w, "    %5s  %8s  %7s  %7s  %-5s  %s\n", "index", "original", "xlated", "jitted", "block", "line")
		for _, e := range t.Entries {
			xl, ji := places(e)
			row := fmt.Sprintf("    %5d  %8d  %7s  %7s  %-5s  %s", e.Index, e.Original, xl, ji, blockName(e.Block),
				entryLine(v, e))
			fmt.Fprintln(w, strings.TrimRight(row, " "))
		}
	}
	return nil
}

// tablesCount returns "2 tables, 1 static key".
func tablesCount(docs []tableDoc) string {
	keys := 0
	for _, d := range docs {
		if d.Kind == "static-key" {
			keys++
		}
	}
	text := visible.Count(len(docs)-keys, "table")
	if keys > 0 {
		text += ", " + visible.Count(keys, "static key")
	}
	return text
}

// keyText prints a static key.
func keyText(w io.Writer, v *View, t tableDoc) {
	name := "without a name"
	if t.Name != "" {
		name = visible.Text(t.Name)
	}
	fmt.Fprintf(w, "  static key %s, %s", name, visible.Count(len(t.Entries), "jump"))
	if len(t.Programs) > 0 {
		fmt.Fprintf(w, ", shared by programs %s", visible.Text(strings.Join(t.Programs, ", ")))
	}
	fmt.Fprintf(w, "\n    %5s  %8s  %7s  %7s  %-5s  %-7s  %6s  %6s  %s\n", "index", "original", "xlated", "jitted",
		"block",
		"default", "jump", "nop", "line")
	for _, e := range t.Entries {
		xl, ji := places(e)
		row := fmt.Sprintf("    %5d  %8d  %7s  %7s  %-5s  %-7s  %6d  %6d  %s", e.Index, e.Original, xl, ji,
			blockName(e.Block),
			e.Key.Default, e.Key.Target, e.Key.Next, entryLine(v, e))
		fmt.Fprintln(w, strings.TrimRight(row, " "))
	}
}

// places returns the texts of an entry's xlated and jitted place.
func places(e entryDoc) (xlated, jitted string) {
	switch {
	case e.Xlated == nil:
		return "?", "?"
	case *e.Xlated < 0:
		return "deleted", "-"
	case e.Jitted == nil:
		return fmt.Sprint(*e.Xlated), "?"
	}
	return fmt.Sprint(*e.Xlated), fmt.Sprintf("+0x%x", *e.Jitted)
}

// entryLine returns the C line of an entry's instruction, if known.
func entryLine(v *View, e entryDoc) string {
	if l, ok := v.Program.LineAt(bytecode.PC(e.Original)); ok && e.Block >= 0 {
		return fmt.Sprintf("%s:%d", visible.Text(visible.Base(l.File)), l.Line)
	}
	return ""
}

// blockName names a block, or says that there is none.
func blockName(b int) string {
	if b < 0 {
		return "-"
	}
	return cfg.BlockID(b).String()
}
