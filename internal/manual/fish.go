package manual

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// Fish returns a script that completes the command in fish.
func Fish(app *kong.Application, extra Extra) []byte {
	b := &bytes.Buffer{}
	fmt.Fprintf(b, "# fish completion of %s: %[1]s completion fish | source\ncomplete -c %[1]s -f\n", app.Name)
	list := verbs(app)
	for _, v := range list {
		when := fishCondition(v, list)
		for _, c := range v.node.Children {
			if !c.Hidden {
				fmt.Fprintf(b, "complete -c %s -n %s -a %s -d %s\n", app.Name, fishQuote(when), c.Name, fishQuote(c.Help))
			}
		}
		for _, f := range v.flags() {
			fmt.Fprintf(b, "complete -c %s -n %s -l %s", app.Name, fishQuote(when), f.Name)
			if f.Short != 0 {
				fmt.Fprintf(b, " -s %c", f.Short)
			}
			words, files := extra.words(v, f)
			switch {
			case f.IsBool() || f.IsCounter():
			case len(words) > 0:
				fmt.Fprintf(b, " -x -a %s", fishQuote(strings.Join(words, " ")))
			case files:
				b.WriteString(" -r -F")
			default:
				b.WriteString(" -x")
			}
			fmt.Fprintf(b, " -d %s\n", fishQuote(f.Help))
		}
		switch words, any := v.arguments(); {
		case len(words) > 0:
			fmt.Fprintf(b, "complete -c %s -n %s -a %s\n", app.Name, fishQuote(when), fishQuote(strings.Join(words, " ")))
		case any:
			fmt.Fprintf(b, "complete -c %s -n %s -F\n", app.Name, fishQuote(when))
		}
	}
	return b.Bytes()
}

// fishCondition says in fish that the verb, and none below it, was typed. Fish
// looks for the words anywhere, so a verb whose name is also that of one below
// another is ruled out by that other.
func fishCondition(v verb, list []verb) string {
	if v.path == "" {
		return "__fish_use_subcommand"
	}
	var parts []string
	for name := range strings.FieldsSeq(v.path) {
		parts = append(parts, "__fish_seen_subcommand_from "+name)
	}
	for _, other := range list {
		if up, name, nested := strings.Cut(other.path, " "); nested && name == v.path {
			parts = append(parts, "not __fish_seen_subcommand_from "+up)
		}
	}
	if below := v.children(); len(below) > 0 {
		parts = append(parts, "not __fish_seen_subcommand_from "+strings.Join(below, " "))
	}
	return strings.Join(parts, "; and ")
}

// fishQuote returns a word in single quotes, for fish.
func fishQuote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
}
