package main

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/bpfcfg/bpfcfg/internal/visible"
)

// pictureFormat is a format of verb render.
type pictureFormat struct {
	name   string
	ending string // of the names of files that render chooses
	kind   formatKind
}

// formatKind distinguishes formats by the flags that have an effect on them.
type formatKind uint8

const (
	formatText  formatKind = iota // of other verbs
	formatSheet                   // a picture that does not change: can be folded, has one scheme
	formatPage                    // a page that its viewer folds and searches
	formatGraph                   // a graph without positions, for a program that draws it
	formatData                    // positions, for a program that draws them
)

// pictureFormats are all formats of verb render. The flag --format and its help list them, too.
var pictureFormats = []pictureFormat{
	{"svg", ".svg", formatSheet},
	{"html", ".html", formatPage},
	{"png", ".png", formatSheet},
	{"pdf", ".pdf", formatSheet},
	{"dot", ".dot", formatGraph},
	{"json", ".layout.json", formatData},
	{"mermaid", ".mmd", formatGraph},
}

// pictureFormatNamed returns the format of a name, the zero value for formats of other verbs.
func pictureFormatNamed(name string) pictureFormat {
	i := slices.IndexFunc(pictureFormats, func(f pictureFormat) bool { return f.name == name })
	if i < 0 {
		return pictureFormat{}
	}
	return pictureFormats[i]
}

// isSheet reports whether a format is a picture that does not change.
func isSheet(format string) bool { return pictureFormatNamed(format).kind == formatSheet }

// formatOf returns the format that a file's name implies.
func formatOf(name string) (string, error) {
	ext := strings.ToLower(filepath.Ext(name))
	switch ext {
	case "":
		return "svg", nil
	case ".htm":
		return "html", nil
	case ".gv":
		return "dot", nil
	}
	for _, f := range pictureFormats {
		if filepath.Ext(f.ending) == ext {
			return f.name, nil
		}
	}
	return "", usagef("unknown file ending %s: name the format with --format", ext)
}

// pictureNames returns a name for the picture of each program, in this directory whatever the names
// of the input and its programs: INPUT.PROGRAM.FORMAT. No two are equal, even if case does not
// count.
func pictureNames(input string, programs []string, format string) []string {
	stem := strings.TrimSuffix(visible.FileName(shortName(input)), ".o")
	if strings.HasPrefix(stem, "-") { // tools would take it for a flag
		stem = "_" + stem
	}
	used := map[string]bool{}
	last := map[string]int{} // last number given to a name: 100,000 programs may share one
	var out []string
	for _, p := range programs {
		base := visible.FileName(p)
		name, key := base, strings.ToLower(base)
		for used[strings.ToLower(name)] {
			last[key] = max(2, last[key]+1)
			name = fmt.Sprintf("%s-%d", base, last[key])
		}
		used[strings.ToLower(name)] = true
		out = append(out, stem+"."+name+pictureFormatNamed(format).ending)
	}
	return out
}

// shortName returns the last element of an input's name without its prefix.
func shortName(input string) string {
	if input == "-" {
		return "stdin"
	}
	for _, prefix := range []string{"raw:", "record:"} {
		input = strings.TrimPrefix(input, prefix)
	}
	return filepath.Base(input)
}

// overwrites reports whether an output would replace the input.
func overwrites(output, input string) bool {
	for _, prefix := range []string{"raw:", "record:"} {
		input = strings.TrimPrefix(input, prefix)
	}
	a, err := os.Stat(output)
	if err != nil {
		return false
	}
	b, err := os.Stat(input)
	return err == nil && os.SameFile(a, b)
}

// written reports files that were written, and on a terminal how to view them.
type written struct {
	std   streams
	files []string // that a browser or a viewer shows
}

// add reports a file. Its format decides whether it can be viewed.
func (w *written) add(path, format string, size int) error {
	if kind := pictureFormatNamed(format).kind; kind != formatGraph && kind != formatData {
		w.files = append(w.files, path)
	}
	_, err := fmt.Fprintf(w.std.out, "wrote %s (%d kB)\n", visible.Text(path), (size+999)/1000)
	return err
}

// hint prints how to open the first file, on a terminal only.
func (w *written) hint() {
	if len(w.files) == 0 || terminal(w.std.out) == nil {
		return
	}
	path := w.files[0]
	fmt.Fprintf(w.std.out, "open it: %s\n", visible.Text(openCommand(runtime.GOOS, os.Getenv, path)))
}

// openCommand returns a command line that shows the file, or its address where no screen is near:
// in a remote session, a terminal makes it a link.
func openCommand(system string, env func(string) string, path string) string {
	quoted := quote(path)
	switch {
	case system == "darwin":
		return "open " + quoted
	case system == "windows":
		return `start "" "` + path + `"`
	case env("WSL_DISTRO_NAME") != "":
		return "explorer.exe " + quoted
	case env("DISPLAY") != "" || env("WAYLAND_DISPLAY") != "":
		return "xdg-open " + quoted
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return quoted
	}
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(abs)}).String()
}

// quote returns a word as a shell reads it.
func quote(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+:,@%", r)
	}
	if strings.HasPrefix(s, "-") {
		s = "./" + s
	}
	if s != "" && strings.TrimFunc(s, plain) == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
