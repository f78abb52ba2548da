package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/report"
)

// TestFormatFlags compares the flags --format, their help and their rows in docs/cli.md with the
// formats that there are.
func TestFormatFlags(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "cli.md"))
	if err != nil {
		t.Fatal(err)
	}
	var pictures []string
	for _, f := range pictureFormats {
		pictures = append(pictures, f.name)
	}
	for _, c := range []struct {
		verb    any
		formats []string
		row     string
		enum    bool
	}{
		{renderCmd{}, pictures, "| `--format FORMAT` | ", true},
		{checkCmd{}, report.Formats(), "| `--format FORMAT[=FILE]` | ", false},
	} {
		field, _ := reflect.TypeOf(c.verb).FieldByName("Format")
		last := len(c.formats) - 1
		help := strings.Join(c.formats[:last], ", ") + " or " + c.formats[last]
		if got := field.Tag.Get("help"); !strings.HasPrefix(got, help) {
			t.Errorf("%T: the help of Format is %q, want %q first", c.verb, got, help)
		}
		if got, want := field.Tag.Get("enum"), strings.Join(c.formats, ",")+","; c.enum && got != want {
			t.Errorf("%T: the enum of Format is %q, want %q", c.verb, got, want)
		}
		if row := c.row + "`" + strings.Join(c.formats, "`, `") + "`"; !strings.Contains(string(doc), row) {
			t.Errorf("docs/cli.md has no row %q", row)
		}
	}
}
