package manual

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// Page returns the manual page in the macros of man(7), section 1.
func Page(app *kong.Application, extra Extra) []byte {
	b := &bytes.Buffer{}
	fmt.Fprintf(b, ".TH %s 1 %s %s\n", quote(strings.ToUpper(app.Name)), quote(extra.Date),
		quote(app.Name+" "+extra.Version))
	purpose := strings.TrimSuffix(app.Help, ".")
	if purpose != "" {
		purpose = strings.ToLower(purpose[:1]) + purpose[1:]
	}
	fmt.Fprintf(b, ".SH NAME\n%s \\- %s\n", text(app.Name), text(purpose))
	b.WriteString(".SH SYNOPSIS\n")
	list := verbs(app)
	br := ""
	for _, v := range list {
		if len(v.node.Children) == 0 {
			fmt.Fprintf(b, "%s.B %s\n%s\n", br, text(app.Name+" "+v.path), text(synopsis(v)))
			br = ".br\n"
		}
	}
	b.WriteString(".SH COMMANDS\n")
	for _, v := range list[1:] {
		fmt.Fprintf(b, ".SS %s\n%s\n", quote(v.path), text(v.node.Help))
		detail(b, v.node.Detail)
		if len(v.node.Children) == 0 {
			options(b, v)
		}
	}
	for _, s := range extra.Sections {
		fmt.Fprintf(b, ".SH %s\n", quote(s.Title))
		for _, e := range s.Lines {
			fmt.Fprintf(b, ".TP\n.B %s\n%s\n", text(e.Term), text(e.Text))
		}
	}
	return b.Bytes()
}

// synopsis returns the arguments of a verb in one line.
func synopsis(v verb) string {
	var parts []string
	for _, p := range v.node.Positional {
		parts = append(parts, p.Summary())
	}
	for _, f := range v.flags() {
		if f.Required {
			parts = append(parts, f.String())
		}
	}
	return strings.Join(append(parts, "[flags]"), " ")
}

// detail writes the longer help of a verb. Indented lines are examples and stay
// as they are.
func detail(b *bytes.Buffer, help string) {
	if help == "" {
		return
	}
	b.WriteString(".PP\n.nf\n")
	for line := range strings.Lines(help) {
		b.WriteString(text(strings.TrimRight(line, "\n")) + "\n")
	}
	b.WriteString(".fi\n")
}

// options writes arguments and flags of a verb.
func options(b *bytes.Buffer, v verb) {
	for _, p := range v.node.Positional {
		fmt.Fprintf(b, ".TP\n.I %s\n%s\n", text(p.Summary()), text(p.Help))
	}
	for _, f := range v.flags() {
		fmt.Fprintf(b, ".TP\n.B %s\n%s\n", text(flagName(f)), text(f.Help))
	}
}

// flagName returns a flag with its short form and its value.
func flagName(f *kong.Flag) string {
	name := "--" + f.Name
	if f.Short != 0 {
		name = "-" + string(f.Short) + ", " + name
	}
	words := enum(f.Value)
	switch {
	case f.IsBool() || f.IsCounter():
		return name
	case f.PlaceHolder != "":
		return name + "=" + f.PlaceHolder
	case len(words) > 0:
		return name + "=" + strings.Join(words, "|")
	}
	return name + "=" + strings.ToUpper(f.Name)
}

// text escapes a line for troff: backslashes and hyphens, and a control
// character at its start.
func text(s string) string {
	s = strings.NewReplacer("\\", "\\e", "-", "\\-", "\n", " ").Replace(s)
	if s == "" || s[0] == '.' || s[0] == '\'' {
		s = "\\&" + s
	}
	return s
}

// quote returns text as one argument of a macro.
func quote(s string) string {
	if s == "" {
		return `""`
	}
	return `"` + strings.ReplaceAll(text(s), `"`, `\(dq`) + `"`
}
