package manual

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// shellHead is the part of the bash script that does not depend on the command
// line: it finds the word to complete, the word before it and the verb. Bash
// takes "=" for a word of its own. The script runs on bash 3.2, which macOS has:
// no mapfile, and compopt may be missing.
const shellHead = `# bash completion of NAME: source <(NAME completion bash)
_NAME() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} path='' word
	COMPREPLY=()
	if [ "$cur" = = ]; then
		cur=''
	elif [ "$prev" = = ]; then
		prev=${COMP_WORDS[COMP_CWORD-2]}
	fi
	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		case "$path $word" in
		VERBS) path=${path:+$path }$word ;;
		esac
	done
`

// shellFiles completes names of files.
const shellFiles = "compopt -o filenames 2>/dev/null; local IFS=$'\\n'; COMPREPLY=($(compgen -f -- \"$cur\"))"

// Bash returns a script that completes the command in bash.
func Bash(app *kong.Application, extra Extra) []byte {
	b := &bytes.Buffer{}
	list := verbs(app)
	var paths []string
	for _, v := range list[1:] {
		up, name, nested := strings.Cut(v.path, " ")
		if !nested {
			up, name = "", up
		}
		paths = append(paths, "'"+up+" "+name+"'")
	}
	b.WriteString(strings.NewReplacer("NAME", app.Name, "VERBS", strings.Join(paths, " | ")).Replace(shellHead))
	b.WriteString("\tcase \"$path $prev\" in\n")
	for _, v := range list {
		for _, f := range v.flags() {
			bashFlag(b, v, f, extra)
		}
	}
	b.WriteString("\tesac\n\tcase \"$cur\" in\n\t-*)\n\t\tcase \"$path\" in\n")
	for _, v := range list {
		var names []string
		for _, f := range v.flags() {
			names = append(names, "--"+f.Name)
		}
		fmt.Fprintf(b, "\t\t'%s') %s ;;\n", v.path, bashWords(names))
	}
	b.WriteString("\t\tesac\n\t\treturn\n\t\t;;\n\tesac\n\tcase \"$path\" in\n")
	for _, v := range list {
		words, any := v.arguments()
		switch {
		case len(v.node.Children) > 0:
			fmt.Fprintf(b, "\t'%s') %s ;;\n", v.path, bashWords(v.children()))
		case len(words) > 0:
			fmt.Fprintf(b, "\t'%s') %s ;;\n", v.path, bashWords(words))
		case any:
			fmt.Fprintf(b, "\t'%s') %s ;;\n", v.path, shellFiles)
		}
	}
	fmt.Fprintf(b, "\tesac\n}\ncomplete -F _%s %[1]s\n", app.Name)
	return b.Bytes()
}

// bashFlag writes the completion of the value of a flag.
func bashFlag(b *bytes.Buffer, v verb, f *kong.Flag, extra Extra) {
	if f.IsBool() || f.IsCounter() {
		return
	}
	names := []string{"'" + v.path + " --" + f.Name + "'"}
	if f.Short != 0 {
		names = append(names, "'"+v.path+" -"+string(f.Short)+"'")
	}
	words, files := extra.words(v, f)
	do := ""
	switch {
	case len(words) > 0:
		do = bashWords(words) + "; "
	case files:
		do = shellFiles + "; "
	}
	fmt.Fprintf(b, "\t%s) %sreturn ;;\n", strings.Join(names, " | "), do)
}

// bashWords completes one of the words.
func bashWords(words []string) string {
	return "COMPREPLY=($(compgen -W '" + strings.Join(words, " ") + "' -- \"$cur\"))"
}
