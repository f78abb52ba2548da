package manual

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// zshTail runs the function when the script is one of fpath, and else makes it
// known.
const zshTail = `if [ "$funcstack[1]" = "_NAME" ]; then
	_NAME "$@"
else
	compdef _NAME NAME
fi
`

// Zsh returns a script that completes the command in zsh, as a file of fpath or
// to be sourced.
func Zsh(app *kong.Application, extra Extra) []byte {
	b := &bytes.Buffer{}
	fmt.Fprintf(b, "#compdef %s\n# zsh completion of %[1]s: %[1]s completion zsh > \"${fpath[1]}/_%[1]s\"\n", app.Name)
	list := verbs(app)
	for i := len(list) - 1; i >= 0; i-- {
		zshVerb(b, app.Name, list[i], extra)
	}
	b.WriteString(strings.ReplaceAll(zshTail, "NAME", app.Name))
	return b.Bytes()
}

// zshVerb writes the function of a verb.
func zshVerb(b *bytes.Buffer, name string, v verb, extra Extra) {
	function := zshName(name, v.path)
	fmt.Fprintf(b, "%s() {\n\tlocal curcontext=\"$curcontext\" state line\n\t_arguments -C \\\n", function)
	for _, f := range v.flags() {
		zshFlag(b, v, f, extra)
	}
	words, any := v.arguments()
	switch {
	case len(v.node.Children) > 0:
		b.WriteString("\t\t'1:command:->command' '*::argument:->argument'\n\tcase $state in\n")
		b.WriteString("\tcommand)\n\t\tlocal -a names=(\n")
		for _, c := range v.node.Children {
			if !c.Hidden {
				fmt.Fprintf(b, "\t\t\t%s\n", shellQuote(c.Name+":"+zshText(c.Help)))
			}
		}
		b.WriteString("\t\t)\n\t\t_describe command names\n\t\t;;\n\targument)\n\t\tcase $words[1] in\n")
		for _, c := range v.children() {
			fmt.Fprintf(b, "\t\t%s) %s ;;\n", c, zshName(name, strings.TrimSpace(v.path+" "+c)))
		}
		b.WriteString("\t\tesac\n\t\t;;\n\tesac\n")
	case len(words) > 0:
		fmt.Fprintf(b, "\t\t'1:argument:(%s)'\n", strings.Join(words, " "))
	case any:
		b.WriteString("\t\t'*:input:_files'\n")
	default:
		b.WriteString("\t\t'*: :'\n")
	}
	b.WriteString("}\n")
}

// zshName returns the name of a verb's function.
func zshName(name, path string) string {
	return strings.TrimSuffix("_"+name+"_"+strings.ReplaceAll(path, " ", "_"), "_")
}

// zshFlag writes one specification of _arguments. Flags may be repeated.
func zshFlag(b *bytes.Buffer, v verb, f *kong.Flag, extra Extra) {
	value := ""
	if !f.IsBool() && !f.IsCounter() {
		words, files := extra.words(v, f)
		switch {
		case len(words) > 0:
			value = ":" + f.Name + ":(" + strings.Join(words, " ") + ")"
		case files:
			value = ":" + f.Name + ":_files"
		default:
			value = ":" + f.Name + ":"
		}
	}
	names := []string{"--" + f.Name}
	if f.Short != 0 {
		names = append(names, "-"+string(f.Short))
	}
	for _, n := range names {
		equals := ""
		if value != "" && strings.HasPrefix(n, "--") {
			equals = "="
		}
		fmt.Fprintf(b, "\t\t%s \\\n", shellQuote("*"+n+equals+"["+zshText(f.Help)+"]"+value))
	}
}

// zshText escapes a description.
func zshText(s string) string {
	return strings.NewReplacer("\\", "\\\\", "[", "\\[", "]", "\\]", ":", "\\:").Replace(s)
}

// shellQuote returns a word in single quotes, for zsh.
func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
