package render

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
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
	Scene  *Scene
	Layout *Layout // of Scene
}

// HTML writes a page around the drawing of SVG that opens without a network:
// pan, zoom, a small map, search, and all of a block at a click. Its content
// security policy allows the page's own script and style sheets by their
// hashes and nothing else.
func HTML(s *Scene, l *Layout) ([]byte, error) {
	return HTMLPages(s.Title, []Page{{s, l}})
}

// HTMLPages is HTML for several programs in one file, the first of which shows
// at once. The address "#name/b7" is that of block 7 of the program with that
// title; a title that an earlier program has too gets a number: "name~2".
func HTMLPages(title string, pages []Page) ([]byte, error) {
	if len(pages) == 0 {
		return nil, errors.New("page: no program")
	}
	keys := pageKeys(pages)
	var options, programs strings.Builder
	hashes := cspHash(pageCSS)
	hashes += " " + cspHash("\n"+theme.CSS(""))
	first := ""
	for i, p := range pages {
		data := payloads{program: i}
		if err := data.addProgram(p, keys[i]); err != nil {
			return nil, err
		}
		switch {
		case windowed(p.Scene):
		case i == 0:
			first = string(SVG(p.Scene, p.Layout))
		default:
			fmt.Fprintf(&programs, "<template id=\"svg%d\">%s</template>\n", i,
				strings.TrimSpace(string(SVG(p.Scene, p.Layout))))
		}
		programs.WriteString(data.String())
		fmt.Fprintf(&options, "<option>%s</option>", xmlText(keys[i]))
	}
	one, name := "", ""
	if len(pages) == 1 {
		one, name = " hidden", "<strong>"+xmlText(keys[0])+"</strong>"
	}
	js := pageScript()
	csp := "default-src 'none'; base-uri 'none'; form-action 'none'; style-src " + hashes +
		"; script-src " + cspHash(js)
	// Each part is put in once, in one pass: a name in the picture that looks
	// like a place holder stays what it is.
	page := strings.NewReplacer(
		"{{csp}}", csp, "{{title}}", xmlText(title), "{{css}}", pageCSS, "{{js}}", js, "{{one}}", one,
		"{{name}}", name,
		"{{options}}", options.String(), "{{svg}}", first, "{{programs}}", programs.String()).Replace(pageHTML)
	return []byte(page), nil
}

// windowBlocks is the number of blocks above which a program is windowed.
const windowBlocks = 600

// windowed reports whether a browser gets a scene's blocks only near the
// window.
func windowed(s *Scene) bool { return len(s.Blocks) > windowBlocks }

// pageScript joins the files of the page's script into one function.
func pageScript() string {
	var b strings.Builder
	b.WriteString("(() => {\n\"use strict\";\n")
	for _, name := range []string{"payload", "view", "far", "layers", "details", "search", "input", "main"} {
		text, err := pageJS.ReadFile("assets/page/" + name + ".js")
		if err != nil {
			panic("bug: " + err.Error())
		}
		b.Write(text)
	}
	b.WriteString("})();\n")
	return b.String()
}

// pageKeys returns a name for each program that no other has.
func pageKeys(pages []Page) []string {
	seen := map[string]bool{}
	out := make([]string, len(pages))
	for i, p := range pages {
		// A select's values come without the spaces around them.
		name := strings.Join(strings.Fields(Visible(p.Scene.Title)), " ")
		key := name
		for n := 2; seen[key] || key == ""; n++ {
			key = fmt.Sprintf("%s~%d", name, n)
		}
		seen[key] = true
		out[i] = key
	}
	return out
}

// cspHash returns the source expression that allows an inline element with
// this content (CSP level 3, section 2.3.1).
func cspHash(content string) string {
	sum := sha256.Sum256([]byte(content))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}
