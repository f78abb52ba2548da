package render_test

import (
	"bytes"
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"unicode"

	"github.com/bpfcfg/bpfcfg/internal/testing/rendertest"
	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/render"
)

// names are texts that break out of a format whose writer does not escape them.
var names = []string{"", "f", "<&>\"'", "\x00\r\n\t", "\u202e\u2066\u200b\ufeff\u2069\u061c", "a\u0301", "\xff\xfe", "漢字",
	"שלום", "]]>", "-->", "\ufffe\uffff", "&#0;", "</script><script>alert(1)</script>", "</style>", "\\", "\\\"", `\N\l`,
	"\"];x-->y\n%%{init}`", "#59;", "${x}", "`", "\u2028\u2029", "\x1b[31m", "javascript:alert(1)", "{}<br/>|a|"}

// These marks enclose the fuzzed text; nothing else in a picture contains them.
const open, end = "Zq7", "7qZ"

// FuzzNames draws a program all of whose texts are the given one, in each format
// that can be read without another program.
func FuzzNames(f *testing.F) {
	for _, s := range names {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		scene := rendertest.Hostile(open + s + end)
		l, err := render.Place(scene, render.PlaceOptions{})
		if err != nil {
			t.Fatal(err)
		}
		svg := render.SVG(scene, l)
		checkSVG(t, svg)
		wraps := strings.ContainsAny(s, ",;") // labels go on in another element
		if !wraps {
			between(t, string(svg), "<>\"'")
		}
		page, err := render.HTML(scene, l)
		if err != nil {
			t.Fatal(err)
		}
		if !wraps {
			between(t, string(page), "<>")
		}
		for name, write := range map[string]func(*render.Scene) ([]byte, error){"DOT": render.DOT, "Mermaid": render.Mermaid} {
			got, err := write(scene)
			if err != nil {
				t.Fatal(err)
			}
			plain, err := write(rendertest.Hostile(open + end))
			if err != nil {
				t.Fatal(err)
			}
			if x, y := bytes.Count(got, []byte("\n")), bytes.Count(plain, []byte("\n")); x != y {
				t.Errorf("%s: %d lines, %d with a plain name", name, x, y)
			}
			if name == "Mermaid" {
				between(t, string(got), "<>\"'`[](){}|%&\\")
			} else {
				between(t, string(got), "")
				quoted(t, string(got))
			}
		}
	})
}

// between checks the text between the marks, or from the first mark to the sign that it is cut
// off: it has no invisible character, and none of those in not.
func between(t *testing.T, text, not string) {
	t.Helper()
	for i, part := range strings.Split(text, open)[1:] {
		name, _, whole := strings.Cut(part, end)
		cut, _, ok := strings.Cut(part, "…")
		if ok && (!whole || len(cut) < len(name)) {
			name, whole = cut, true
		}
		if !whole {
			t.Fatalf("place %d: neither end nor cut: %.100q", i, part)
		}
		for _, r := range name {
			if r == 0 || !unicode.IsPrint(r) || strings.ContainsRune(not, r) {
				t.Fatalf("place %d: %q in %.100q", i, r, name)
			}
		}
	}
}

// quoted checks that the parts of a DOT file outside of quotes consist of words of this package.
func quoted(t *testing.T, dot string) {
	t.Helper()
	in := false
	for i := 0; i < len(dot); i++ {
		switch c := dot[i]; {
		case in && c == '\\':
			i++
		case c == '"':
			in = !in
		case !in && strings.HasPrefix(dot[i:], open):
			t.Fatal("a name outside of quotes")
		case in && c == '\n':
			t.Fatal("a quoted string over the end of a line")
		}
	}
	if in {
		t.Fatal("a quote is not closed")
	}
}

// TestHostileFields checks that the hostile scene has its text in each field for text of Scene and
// of all types that it contains, so that no field is forgotten.
func TestHostileFields(t *testing.T) {
	const text = "the text"
	want, got := map[string]bool{}, map[string]bool{}
	fieldsOf(reflect.TypeFor[render.Scene](), "Scene", want)
	textIn(reflect.ValueOf(rendertest.Hostile(text)), "Scene", text, got)
	for field := range want {
		if !got[field] {
			t.Errorf("no %s is hostile", field)
		}
	}
	if len(want) < 30 {
		t.Errorf("only %d fields found", len(want))
	}
}

// fieldsOf collects the fields of a type that hold text, by type and name.
func fieldsOf(ty reflect.Type, name string, out map[string]bool) {
	switch ty.Kind() {
	case reflect.String:
		out[name] = true
	case reflect.Pointer, reflect.Slice:
		fieldsOf(ty.Elem(), name, out)
	case reflect.Struct:
		for i := range ty.NumField() {
			fieldsOf(ty.Field(i).Type, ty.Name()+"."+ty.Field(i).Name, out)
		}
	}
}

// textIn collects the fields of a value that hold the text.
func textIn(v reflect.Value, name, text string, out map[string]bool) {
	switch v.Kind() {
	case reflect.String:
		if v.String() == text {
			out[name] = true
		}
	case reflect.Pointer:
		if !v.IsNil() {
			textIn(v.Elem(), name, text, out)
		}
	case reflect.Slice:
		for i := range v.Len() {
			textIn(v.Index(i), name, text, out)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			textIn(v.Field(i), v.Type().Name()+"."+v.Type().Field(i).Name, text, out)
		}
	}
}

// TestDOTNames has Graphviz read every hostile name and give it back.
func TestDOTNames(t *testing.T) {
	dot, err := exec.LookPath("dot")
	if err != nil {
		t.Skip("Graphviz is not installed: DOT with hostile names is not checked against it")
	}
	for _, name := range names {
		src, err := render.DOT(rendertest.Hostile(open + name + end))
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(dot, "-Tsvg")
		cmd.Stdin = bytes.NewReader(src)
		var msg bytes.Buffer
		cmd.Stderr = &msg
		out, err := cmd.Output()
		if err != nil || msg.Len() > 0 {
			t.Errorf("%q: dot: %v: %s", name, err, msg.String())
			continue
		}
		texts, nodes, _ := readGraphviz(t, out)
		if nodes != 5 || !texts[visible.Text(open+name+end)] {
			t.Errorf("%q: %d nodes, texts %v", name, nodes, texts)
		}
	}
}
