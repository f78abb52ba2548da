package visible

import (
	"fmt"
	"strings"
)

// Base returns the last element of a path as a compiler wrote it, on any system. The result
// is not yet safe to print.
func Base(file string) string { return file[strings.LastIndexAny(file, `/\`)+1:] }

// Markdown returns s as plain text in GitHub's Markdown, with Text applied: every
// character of punctuation that can mean something is escaped with a backslash
// (CommonMark 0.31, section 2.4), so that a name makes no link, picture, mention or
// row of a table.
func Markdown(s string) string {
	var b strings.Builder
	for _, c := range Text(s) {
		if strings.ContainsRune("\\`*_{}[]<>()#+!|~&$@:", c) {
			fmt.Fprintf(&b, "\\%c", c)
			continue
		}
		b.WriteRune(c)
	}
	return b.String()
}

// GitHubMessage returns the message of a workflow command of GitHub Actions. Lines of
// s stay lines.
func GitHubMessage(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = Text(lines[i])
	}
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(strings.Join(lines, "\n"))
}

// GitHubProperty returns the value of a property of a workflow command.
func GitHubProperty(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C").Replace(Text(s))
}
