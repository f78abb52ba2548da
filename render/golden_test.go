package render_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/bpfcfg/bpfcfg/internal/testing/rendertest"
	"github.com/bpfcfg/bpfcfg/render"
	"github.com/bpfcfg/bpfcfg/render/layered"
)

var update = flag.Bool("update", false, "rewrite the goldens in testdata")

// TestGolden compares the layout and the drawing of each sample with those
// kept in testdata, which were looked at.
func TestGolden(t *testing.T) {
	for _, s := range rendertest.Samples() {
		t.Run(s.Name, func(t *testing.T) {
			l, err := render.Place(s.Scene, render.PlaceOptions{})
			if err != nil {
				t.Fatal(err)
			}
			golden(t, s.Name+".layout.json", render.PlacementJSON(l))
			golden(t, s.Name+".svg", render.SVG(s.Scene, l))
		})
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; go test -update rewrites it, then look at the picture:\n%s",
			name, cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")))
	}
}

// checkSVG parses a drawing and reports what must not be in it: scripts,
// references to the outside, characters that do not show, coordinates that are
// no integers.
func checkSVG(t *testing.T, svg []byte) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(svg))
	ids := map[string]bool{}
	var refs, open []string
	described := map[string]bool{} // children of the root
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("not XML: %v", err)
		}
		switch tok := tok.(type) {
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.StartElement:
			switch tok.Name.Local {
			case "script", "foreignObject", "image", "use", "iframe":
				t.Errorf("element %s", tok.Name.Local)
			}
			if len(open) == 1 {
				described[tok.Name.Local] = true
			}
			spoken(t, tok, len(open))
			open = append(open, tok.Name.Local)
			for _, a := range tok.Attr {
				checkAttr(t, a)
				switch a.Name.Local {
				case "id":
					if ids[a.Value] {
						t.Errorf("id %q twice", a.Value)
					}
					ids[a.Value] = true
				case "href":
					refs = append(refs, a.Value)
				}
			}
		case xml.CharData:
			checkText(t, string(tok))
		}
	}
	if !described["title"] || !described["desc"] {
		t.Error("no title or no description")
	}
	for _, r := range refs {
		if !ids[strings.TrimPrefix(r, "#")] {
			t.Errorf("reference %q leads nowhere", r)
		}
	}
}

// spoken checks what a screen reader needs: the picture has a role, and each group has a role and
// a name. Blocks of the largest pictures have neither, because that would be most of the file.
func spoken(t *testing.T, e xml.StartElement, depth int) {
	t.Helper()
	attr := map[string]string{}
	for _, a := range e.Attr {
		attr[a.Name.Local] = a.Value
	}
	switch {
	case depth == 0 && attr["role"] != "graphics-document":
		t.Errorf("the picture has the role %q", attr["role"])
	case depth == 1 && e.Name.Local == "g" && attr["class"] != "b" && (attr["role"] != "group" || attr["aria-label"] == ""):
		t.Errorf("group %v without a role or a name", e.Attr)
	case attr["role"] == "group" && attr["aria-label"] == "":
		t.Errorf("group %v without a name", e.Attr)
	}
}

func checkAttr(t *testing.T, a xml.Attr) {
	t.Helper()
	checkText(t, a.Value)
	if strings.HasPrefix(a.Name.Local, "on") {
		t.Errorf("handler %s", a.Name.Local)
	}
	if a.Name.Local == "href" && !strings.HasPrefix(a.Value, "#") {
		t.Errorf("reference to the outside: %q", a.Value)
	}
	switch a.Name.Local {
	case "x", "y", "width", "height", "d", "viewBox":
		if strings.ContainsAny(a.Value, ".eE") {
			t.Errorf("%s=%q is no list of integers", a.Name.Local, a.Value)
		}
	}
}

func checkText(t *testing.T, s string) {
	t.Helper()
	for _, r := range s {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Errorf("character %U in %q", r, s)
			return
		}
	}
}

func TestSVGIsClean(t *testing.T) {
	scenes := append(rendertest.Samples(),
		rendertest.Sample{Name: "hostile", Scene: rendertest.Hostile(
			"</text><script>alert(1)</script>&\"'\x00\x1b[31m\u202eevil\xff]]>")},
		rendertest.Sample{Name: "fan", Scene: rendertest.Switch(300)},
		rendertest.Sample{Name: "random", Scene: rendertest.Random(1000, 1)})
	for _, s := range scenes {
		for _, v := range []render.View{render.ViewBoth, render.ViewCFG, render.ViewLayout} {
			t.Run(s.Name+"/"+string(v), func(t *testing.T) {
				l, err := render.Place(s.Scene, render.PlaceOptions{View: v})
				if err != nil {
					t.Fatal(err)
				}
				svg := render.SVG(s.Scene, l)
				checkSVG(t, svg)
				again, err := render.Place(s.Scene, render.PlaceOptions{View: v})
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(svg, render.SVG(s.Scene, again)) {
					t.Error("drawing twice gives different bytes")
				}
			})
		}
	}
}

func TestPlaceRefuses(t *testing.T) {
	ok := func() *render.Scene { return rendertest.Three() }
	for name, spoil := range map[string]func(*render.Scene){
		"block without function": func(s *render.Scene) { s.Blocks[1].Func = 3 },
		"edge to nowhere":        func(s *render.Scene) { s.Edges[0].To = 99 },
		"edge from outside":      func(s *render.Scene) { s.Edges[0].From = render.Outside },
		"entry":                  func(s *render.Scene) { s.Funcs[0].Entry = -1 },
		"piece outside":          func(s *render.Scene) { s.Image.Pieces[0].Len = 1 << 30 },
		"pieces overlap":         func(s *render.Scene) { s.Image.Pieces[1].Offset = 0 },
		"jump outside":           func(s *render.Scene) { s.Image.Jumps[0].To = -5 },
		"endbr outside":          func(s *render.Scene) { s.Image.Endbr = []int{1 << 30} },
		"entry of other func":    func(s *render.Scene) { s.Funcs = append(s.Funcs, render.Func{Entry: 1}) },
	} {
		s := ok()
		spoil(s)
		if l, err := render.Place(s, render.PlaceOptions{}); err == nil || l != nil {
			t.Errorf("%s: layout %v, error %v", name, l != nil, err)
		}
	}
}

// TestEmpty draws scenes without blocks, code or functions.
func TestEmpty(t *testing.T) {
	for name, s := range map[string]*render.Scene{
		"nothing":     {},
		"no image":    {Title: "t", Funcs: []render.Func{{}}, Blocks: []render.Block{{Reachable: true}}},
		"empty image": {Image: &render.Image{}},
		"table only":  {Image: &render.Image{}, Tables: []render.Table{{}}},
	} {
		for _, v := range []render.View{"", render.ViewCFG, render.ViewLayout} {
			t.Run(name+"/"+string(v), func(t *testing.T) {
				l, err := render.Place(s, render.PlaceOptions{View: v})
				if err != nil {
					t.Fatal(err)
				}
				checkSVG(t, render.SVG(s, l))
			})
		}
	}
}

// TestDetail draws one scene at every level of detail: with less detail the picture is smaller.
func TestDetail(t *testing.T) {
	s := rendertest.Random(200, 2)
	last := 1 << 30
	for _, d := range []render.Detail{render.DetailFull, render.DetailMedium, render.DetailCompact} {
		l, err := render.Place(s, render.PlaceOptions{Detail: d})
		if err != nil {
			t.Fatal(err)
		}
		svg := render.SVG(s, l)
		checkSVG(t, svg)
		if len(svg) >= last {
			t.Errorf("%s: %d bytes, not fewer than %d", d, len(svg), last)
		}
		last = len(svg)
	}
}

// TestFold checks that a long block keeps its first and last instructions and
// says how many it leaves out.
func TestFold(t *testing.T) {
	b := rendertest.New("long")
	f := b.Func("f")
	var insns []string
	for i := range 64 {
		insns = append(insns, "r1 += "+strconv.Itoa(1000+i))
	}
	b.Block(f, insns...)
	s := b.Scene()
	l, err := render.Place(s, render.PlaceOptions{})
	if err != nil {
		t.Fatal(err)
	}
	svg := string(render.SVG(s, l))
	for _, want := range []string{"r1 += 1000<", "r1 += 1015<", "… 40 more", "16 r1 += 1016;", "r1 += 1056<", "r1 += 1063<"} {
		if !strings.Contains(svg, want) {
			t.Errorf("no %q", want)
		}
	}
	for _, not := range []string{"r1 += 1016<", "r1 += 1055<"} {
		if strings.Contains(svg, not) {
			t.Errorf("%q is not folded", not)
		}
	}
}

// TestMarks draws every mark, and looks for the word, the sign at lines and edges,
// and the row of the legend; a block that is folded counts what it hides.
func TestMarks(t *testing.T) {
	marks := []string{render.MarkAdded, render.MarkRemoved, render.MarkChanged, render.MarkMoved, render.MarkMismatch, "odd"}
	b := rendertest.New("marks")
	f := b.Func("f")
	for range marks {
		b.Block(f, "r0 = 0", "r1 = 0")
	}
	var long []string
	for range 60 {
		long = append(long, "r2 += 1")
	}
	b.Block(f, long...)
	for i := range marks {
		b.Fall(i, i+1)
	}
	s := b.Scene()
	for i, m := range marks {
		s.Blocks[i].Mark, s.Blocks[i].Why = m, "why "+m
		s.Blocks[i].Lines[1].Mark = m
		s.Edges[i].Mark = m
	}
	for i := 20; i < 25; i++ {
		s.Blocks[6].Lines[i].Mark = []string{render.MarkAdded, render.MarkRemoved}[i%2]
	}
	l, err := render.Place(s, render.PlaceOptions{})
	if err != nil {
		t.Fatal(err)
	}
	svg := render.SVG(s, l)
	checkSVG(t, svg)
	for i, want := range []string{"+ added", "− removed", "~ changed", "> moved", "≠ mismatch", "* odd"} {
		want = strings.ReplaceAll(want, ">", "&gt;")
		sign, _, _ := strings.Cut(want, " ")
		for _, text := range []string{"  " + want + "<", "<title>why " + marks[i] + "</title>", `class="name">` + sign + "<",
			`class="lab">` + sign + "<"} {
			if !strings.Contains(string(svg), text) {
				t.Errorf("%s: no %q", marks[i], text)
			}
		}
	}
	for _, want := range []string{`class="small">added<`, `class="small">removed<`, `class="small">changed<`,
		`class="small">moved<`, `class="small">does not agree, see above<`, "… 36 more, +3, −2<"} {
		if !strings.Contains(string(svg), want) {
			t.Errorf("no %q", want)
		}
	}
	for name, write := range map[string]func(*render.Scene) ([]byte, error){"DOT": render.DOT, "Mermaid": render.Mermaid} {
		out, err := write(s)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range marks {
			if !strings.Contains(string(out), m) {
				t.Errorf("%s: no %q", name, m)
			}
		}
	}
}

// TestGivenEdges checks that edges without lines are named in their blocks.
func TestGivenEdges(t *testing.T) {
	s := rendertest.Random(300, 9)
	e := render.Layered{Options: layered.Options{MaxCells: 100}}
	l, err := render.Place(s, render.PlaceOptions{Engine: e, Detail: render.DetailFull})
	if err != nil {
		t.Fatal(err)
	}
	if len(l.Given) == 0 {
		t.Fatal("no edge was given up")
	}
	svg := string(render.SVG(s, l))
	checkSVG(t, []byte(svg))
	lines := map[int]bool{}
	for _, w := range l.Lines {
		for _, i := range w.Edges {
			lines[i] = true
		}
	}
	for _, i := range l.Given {
		if lines[i] {
			t.Errorf("edge %d has a line", i)
		}
		want := string(s.Edges[i].Kind) + " → " + s.Blocks[s.Edges[i].To].Name
		if !strings.Contains(svg, want) {
			t.Errorf("no %q", want)
		}
	}
	if len(lines)+len(l.Given) != len(s.Edges) {
		t.Errorf("%d edges with lines, %d without, of %d", len(lines), len(l.Given), len(s.Edges))
	}
}

func BenchmarkSVG(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 5000, 50_000} {
		s := rendertest.Random(n, 1)
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			for b.Loop() {
				l, err := render.Place(s, render.PlaceOptions{})
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(len(render.SVG(s, l))))
			}
		})
	}
}
