package main

import (
	"io"
	"runtime"
	"strings"

	"github.com/bpfcfg/bpfcfg/render/textgraph"
)

// graphFlags choose how show --stage cfg draws.
type graphFlags struct {
	Brief bool  `help:"Stage cfg: print one line for each block, no drawing."`
	ASCII *bool `name:"ascii" negatable:"" help:"Stage cfg: draw in ASCII (default: depends on the locale)."`
	Width int   `help:"Stage cfg: width of the drawing in columns (default: the terminal's, else 100)." placeholder:"N"`
}

// options returns how to draw on w.
func (f graphFlags) options(w io.Writer, env func(string) string) (textgraph.Options, error) {
	if f.Width < 0 || f.Width > maxWidth {
		return textgraph.Options{}, usagef("--width %d: a number of columns up to %d", f.Width, maxWidth)
	}
	opt := textgraph.Options{Width: f.Width, ASCII: asciiLocale(env, runtime.GOOS), Colour: coloured(w)}
	if f.ASCII != nil {
		opt.ASCII = *f.ASCII
	}
	if opt.Width == 0 {
		opt.Width = textWidth(w, env)
	}
	return opt, nil
}

// asciiLocale reports whether the locale names another set of characters than UTF-8 (POSIX,
// "Internationalization Variables"). Without a locale, as in most containers, everything else is
// written in UTF-8, too.
func asciiLocale(env func(string) string, system string) bool {
	if system == "windows" {
		return false
	}
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := strings.ToLower(env(name)); v != "" {
			return !strings.Contains(v, "utf-8") && !strings.Contains(v, "utf8")
		}
	}
	return false
}
