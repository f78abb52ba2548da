package main

import (
	"io"
	"testing"
)

func TestAsciiLocale(t *testing.T) {
	for _, c := range []struct {
		env    map[string]string
		system string
		want   bool
	}{
		{nil, "linux", false},
		{nil, "windows", false},
		{map[string]string{"LANG": "C"}, "linux", true},
		{map[string]string{"LANG": "C"}, "windows", false},
		{map[string]string{"LANG": "C.UTF-8"}, "linux", false},
		{map[string]string{"LANG": "de_DE.utf8"}, "linux", false},
		{map[string]string{"LANG": "de_DE.UTF-8", "LC_CTYPE": "POSIX"}, "linux", true},
		{map[string]string{"LANG": "C", "LC_ALL": "en_US.UTF-8"}, "linux", false},
	} {
		if got := asciiLocale(func(k string) string { return c.env[k] }, c.system); got != c.want {
			t.Errorf("%v on %s: %v, want %v", c.env, c.system, got, c.want)
		}
	}
}

func TestGraphWidth(t *testing.T) {
	columns := func(v string) func(string) string {
		return func(k string) string { return map[string]string{"COLUMNS": v}[k] }
	}
	for _, c := range []struct {
		flag int
		env  string
		want int
	}{{0, "", 0}, {0, "72", 72}, {50, "72", 50}, {0, "wide", 0}, {0, "-4", 0}} {
		if got, err := (graphFlags{Width: c.flag}).options(io.Discard, columns(c.env)); err != nil || got.Width != c.want {
			t.Errorf("--width %d, COLUMNS=%s: %d, %v, want %d", c.flag, c.env, got.Width, err, c.want)
		}
	}
}
