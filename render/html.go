package render

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/bpfcfg/bpfcfg/internal/visible"
)

// The parts of the page.
var (
	//go:embed assets/page.html
	pageHTML string
	//go:embed assets/page.css
	pageCSS string
	//go:embed assets/page/*.js
	pageJS embed.FS
)

// Page is a program of an HTML page.
type Page struct {
	Scene     *Scene
	Placement *Placement // of Scene
}

// HTML writes a page around the drawing of SVG that opens without a network:
// pan, zoom, a small map, search, and all of a block at a click. Its content
// security policy allows the page's own script and style sheets by their
// hashes and nothing else.
func HTML(s *Scene, l *Placement) ([]byte, error) {
	return HTMLPages(s.Title, []Page{{s, l}})
}

// HTMLPages is HTML for several programs in one file, the first of which shows
// at once. The address "#name/b7" is that of block 7 of the program with that
// title; a title that an earlier program has too gets a number: "name~2".
func HTMLPages(title string, pages []Page) ([]byte, error) {
	var p Pages
	for _, page := range pages {
		if err := p.Add(page.Scene, page.Placement); err != nil {
			return nil, err
		}
	}
	return p.HTML(title)
}

// Pages is a page of several programs under construction. It keeps the data of each in a compressed
// form, so that the scenes need not be in memory at once.
type Pages struct {
	keys     []string
	seen     map[string]bool
	first    string   // drawing of the first program
	programs []string // data of each
	texts    texts
	packer   packer
}

// Add adds a program. The error is that of writing its data as JSON.
func (p *Pages) Add(s *Scene, l *Placement) error {
	i := len(p.keys)
	p.keys = append(p.keys, p.key(s.Title))
	data := payloads{program: i, texts: &p.texts, packer: &p.packer}
	if err := data.addProgram(Page{s, l}, p.keys[i]); err != nil {
		return err
	}
	if i == 0 && !windowed(s) {
		p.first = string(pageSVG(s, l))
	}
	p.programs = append(p.programs, data.String())
	return nil
}

// Len returns the number of programs.
func (p *Pages) Len() int { return len(p.keys) }

// HTML returns the page of the programs that were added.
func (p *Pages) HTML(title string) ([]byte, error) {
	if len(p.keys) == 0 {
		return nil, errors.New("page: no program")
	}
	var options strings.Builder
	for _, k := range p.keys {
		fmt.Fprintf(&options, "<option>%s</option>", xmlText(k))
	}
	all := payloads{packer: &p.packer}
	all.addBytes("texts", 0, []byte(strings.Join(p.texts.list, "\n")))
	one, name := "", ""
	if len(p.keys) == 1 {
		one, name = " hidden", "<strong>"+xmlText(p.keys[0])+"</strong>"
	}
	js := pageScript()
	csp := "default-src 'none'; base-uri 'none'; form-action 'none'; style-src " + cspHash(pageCSS) + " " +
		cspHash("\n"+theme().CSS("")) + "; script-src " + cspHash(js)
	return fill(pageHTML, map[string]string{
		"csp": csp, "title": xmlText(title), "css": pageCSS, "theme": theme().CSS(""), "js": js, "one": one, "name": name,
		"options": options.String(), "svg": p.first, "programs": strings.Join(p.programs, ""), "texts": all.String(),
	}), nil
}

// fill puts texts into the places of a template, "{{name}}". A text that contains such a place is
// not filled again.
func fill(template string, texts map[string]string) []byte {
	size := len(template)
	for _, t := range texts {
		size += len(t)
	}
	out := make([]byte, 0, size)
	for {
		before, rest, ok := strings.Cut(template, "{{")
		out = append(out, before...)
		if !ok {
			return out
		}
		name, after, _ := strings.Cut(rest, "}}")
		out = append(out, texts[name]...)
		template = after
	}
}

// key returns a name for a program that none before it has.
func (p *Pages) key(title string) string {
	if p.seen == nil {
		p.seen = map[string]bool{}
	}
	// A select's values lose the spaces around them.
	name := strings.Join(strings.Fields(visible.Text(title)), " ")
	key := name
	for n := 2; p.seen[key] || key == ""; n++ {
		key = fmt.Sprintf("%s~%d", name, n)
	}
	p.seen[key] = true
	return key
}

// windowBlocks is the number of blocks above which a program is windowed.
const windowBlocks = 600

// windowed reports whether a browser gets only those of a scene's blocks that are near the window.
func windowed(s *Scene) bool { return len(s.Blocks) > windowBlocks }

// pageScript joins the files of the page's script into one function.
func pageScript() string {
	var b strings.Builder
	b.WriteString("(() => {\n\"use strict\";\n")
	for _, name := range []string{"payload", "view", "findings", "list", "nest",
		"arrange", "nested", "fold", "far", "labels", "layers", "details",
		"code", "outline", "search", "input", "main"} {
		text, err := pageJS.ReadFile("assets/page/" + name + ".js")
		if err != nil {
			panic("bug: " + err.Error())
		}
		b.Write(text)
	}
	b.WriteString("})();\n")
	return b.String()
}

// cspHash returns the source expression that allows an inline element with
// this content (CSP level 3, section 2.3.1).
func cspHash(content string) string {
	sum := sha256.Sum256([]byte(content))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}
