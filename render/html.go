package render

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // for the page's parts
	"encoding/base64"
	"encoding/json"
	"strings"
)

// The parts of the page.
var (
	//go:embed assets/page.html
	pageHTML string
	//go:embed assets/page.css
	pageCSS string
	//go:embed assets/page.js
	pageJS string
)

// HTML writes a page around the drawing of SVG that opens without a network:
// pan, zoom, search, and all of a block at a click. Its content security
// policy allows the page's own script and style sheets by their hashes and
// nothing else.
func HTML(s *Scene, l *Layout) ([]byte, error) {
	data, err := json.Marshal(newPageData(s, l))
	if err != nil {
		return nil, err
	}
	svg := SVG(s, l)
	csp := "default-src 'none'; base-uri 'none'; form-action 'none'; style-src " +
		cspHash(pageCSS) + " " + cspHash(svgStyle(svg)) + "; script-src " + cspHash(pageJS)
	// Each part is put in once, in one pass: a name in the picture that looks
	// like a place holder stays what it is. JSON has no "<", it is escaped.
	page := strings.NewReplacer(
		"{{csp}}", csp, "{{title}}", xmlText(s.Title), "{{css}}", pageCSS, "{{js}}", pageJS,
		"{{svg}}", string(svg), "{{data}}", string(data)).Replace(pageHTML)
	return []byte(page), nil
}

// cspHash returns the source expression that allows an inline element with
// this content (CSP level 3, section 2.3.1).
func cspHash(content string) string {
	sum := sha256.Sum256([]byte(content))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// svgStyle returns the content of the drawing's style element.
func svgStyle(svg []byte) string {
	_, rest, _ := bytes.Cut(svg, []byte("<style>"))
	style, _, _ := bytes.Cut(rest, []byte("</style>"))
	return string(style)
}

// pageData is what the page's script knows of the scene. Strings are Visible.
type pageData struct {
	Funcs   []string    `json:"funcs"`
	Entries []int       `json:"entries"`
	Blocks  []pageBlock `json:"blocks"`
	Edges   []pageEdge  `json:"edges"`
	Boxes   []Rect      `json:"boxes"`
}

type pageBlock struct {
	Name      string     `json:"name"`
	Func      int        `json:"func"`
	Lines     []pageLine `json:"lines"`
	Reachable bool       `json:"reachable"`
	Entry     bool       `json:"entry"`
	Exit      bool       `json:"exit"`
	Header    bool       `json:"header"`
	Depth     int        `json:"depth"`
	Status    string     `json:"status"`
	Reason    string     `json:"reason"`
	Pieces    [][2]int   `json:"pieces"`
}

type pageLine struct {
	Slot   int    `json:"slot"`
	Text   string `json:"text"`
	Source string `json:"source"`
	File   string `json:"file"`
	Line   int    `json:"line"`
	Note   string `json:"note"`
}

type pageEdge struct {
	From  int      `json:"from"`
	To    int      `json:"to"`
	Kind  EdgeKind `json:"kind"`
	Label string   `json:"label"`
	Dead  bool     `json:"dead"`
}

func newPageData(s *Scene, l *Layout) pageData {
	d := pageData{Funcs: []string{}, Entries: []int{}, Blocks: []pageBlock{}, Edges: []pageEdge{}, Boxes: l.Blocks}
	if len(d.Boxes) == 0 {
		d.Boxes = make([]Rect, len(s.Blocks))
	}
	for i, f := range s.Funcs {
		d.Funcs = append(d.Funcs, funcName(f, i))
		d.Entries = append(d.Entries, f.Entry)
	}
	for _, b := range s.Blocks {
		pb := pageBlock{
			Name: Visible(b.Name), Func: b.Func, Reachable: b.Reachable, Entry: b.Entry, Exit: b.Exit,
			Header: b.LoopHeader, Depth: b.LoopDepth, Status: Visible(b.Status), Reason: Visible(b.Reason),
			Lines: []pageLine{}, Pieces: [][2]int{},
		}
		for _, n := range b.Lines {
			pb.Lines = append(pb.Lines, pageLine{
				Slot: n.Slot, Text: Visible(n.Text), Source: Visible(n.Source), File: Visible(n.File),
				Line: n.LineNo, Note: Visible(n.Note),
			})
		}
		d.Blocks = append(d.Blocks, pb)
	}
	for _, e := range s.Edges {
		d.Edges = append(d.Edges, pageEdge{e.From, e.To, EdgeKind(Visible(string(e.Kind))), Visible(e.Label), e.Dead})
	}
	if l.Strip != nil {
		for i, p := range s.Image.Pieces {
			if p.Kind != PieceBlock {
				continue
			}
			pb := &d.Blocks[p.Block]
			pb.Pieces = append(pb.Pieces, [2]int{p.Offset, p.Len})
			if len(l.Blocks) == 0 && len(pb.Pieces) == 1 {
				d.Boxes[p.Block] = l.Strip.Pieces[i]
			}
		}
	}
	return d
}
