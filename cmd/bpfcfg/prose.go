package main

import "strings"

// prose reports whether a verb prints lines of text, which may be broken on a narrow terminal: no
// drawing, no columns of code, nothing for other programs.
func prose(verb any) bool {
	switch c := verb.(type) {
	case *checkCmd:
		return textOnly(c.Format) && !c.PolicySchema
	case *mergeCmd:
		return textOnly(c.Format)
	case *diffCmd:
		return textOnly(c.Format)
	case *listCmd:
		return c.Format == "text"
	case *explainCmd:
		return c.Format == "text"
	case *goldenCheckCmd:
		return c.Format == "text"
	case *goldenUpdateCmd:
		return c.Format == "text"
	case *verifyCmd:
		return c.Format == "text"
	case *whereCmd:
		return c.Format == "text"
	case *replayCmd:
		return c.Format == "text"
	case *askCmd:
		return c.Format == "text"
	case *showCmd:
		return c.Format == "text" && (c.Stage == "succ" || c.Stage == "facts")
	}
	return false
}

// textOnly reports whether standard output gets text and nothing else.
func textOnly(formats []string) bool {
	for _, f := range formats {
		if name, file, _ := strings.Cut(f, "="); name != "text" && (file == "" || file == "-") {
			return false
		}
	}
	return true
}
