package render

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/render/display"
	"github.com/bpfcfg/bpfcfg/render/layered"
)

// diagramView is a Diagram with its places.
type diagramView struct {
	d       *Diagram
	g       *layered.Graph
	at      *layered.Placement
	legendY int
	labels  []labelPlace // by edge
}

// labelPlace says on which side of a line its label stands, and how high.
type labelPlace struct {
	anchor display.Anchor
	row    int
	tail   bool // at the start of the line, not at its head
}

// crowd is the number of labelled lines into a box above which some labels are put elsewhere.
const crowd = 2

// placeLabels puts the labels of the lines into a box beside the outer lines.
//
// If many labelled lines lead into a box, a label is put at the start of its line if that is the
// only such line out of its box.
func (v *diagramView) placeLabels() {
	v.labels = make([]labelPlace, len(v.d.Edges))
	into, out := make([][]int, len(v.d.Nodes)), make([]int, len(v.d.Nodes))
	for i := range v.d.Edges {
		if v.at.Routes[i].Points != nil && v.d.Edges[i].text() != "" {
			into[v.d.Edges[i].To] = append(into[v.d.Edges[i].To], i)
			out[v.d.Edges[i].From]++
		}
	}
	for to, list := range into {
		if len(list) <= crowd {
			continue
		}
		into[to] = slices.DeleteFunc(list, func(i int) bool {
			if out[v.d.Edges[i].From] > 1 {
				return false
			}
			v.labels[i] = labelPlace{anchor: display.Start, tail: true}
			from := v.d.Edges[i].From
			if 2*(v.at.Routes[i].Points[0].X-v.at.Nodes[from].X) <= v.g.Nodes[from].W {
				v.labels[i].anchor = display.End
			}
			return true
		})
	}
	end := func(i int) int { p := v.at.Routes[i].Points; return p[len(p)-1].X }
	for _, list := range into {
		slices.SortStableFunc(list, func(a, b int) int { return end(a) - end(b) })
		for k, i := range list {
			v.labels[i] = labelPlace{anchor: display.Start, row: min(len(list)-1-k, maxLabels-1)}
			if k < len(list)/2 {
				v.labels[i] = labelPlace{anchor: display.End, row: min(k, maxLabels-1)}
			}
		}
	}
}

// picture returns the list of what to paint.
func (v *diagramView) picture() *display.Picture {
	legend := v.legend()
	w := max(2*margin+v.at.W, margin+textWidth(columns(visible.Text(v.d.Subtitle)))+margin, 640)
	for i := range v.d.Edges {
		if pts := v.at.Routes[i].Points; pts != nil {
			w = max(w, margin+pts[len(pts)-1].X+8+textWidth(columns(v.d.Edges[i].text()))+margin)
		}
	}
	h := v.legendY + 20*len(legend) + 12
	for _, n := range v.d.Notes {
		w = max(w, 2*margin+textWidth(columns(visible.Text(n))))
	}
	p := &display.Picture{W: w, H: h + noteH*len(v.d.Notes) + margin, Title: visible.Text(v.d.Title),
		Desc: visible.Text(v.d.Subtitle)}
	p.Parts = func(yield func(display.Item) bool) {
		items := []display.Item{
			{Class: "page", Box: &display.Box{W: p.W, H: p.H}},
			words("title", margin, margin+22, v.d.Title),
			words("sub", margin, margin+42, v.d.Subtitle),
		}
		for i := range v.d.Edges {
			items = append(items, v.edge(i)...)
		}
		for i := range v.d.Nodes {
			items = append(items, v.node(i))
		}
		items = append(items, legend...)
		for i, n := range v.d.Notes {
			items = append(items, words("note", margin, h+noteH*i, n))
		}
		for _, it := range items {
			if !yield(it) {
				return
			}
		}
	}
	return p
}

// words is a line of text from a point on its base line.
func words(class string, x, y int, text string) display.Item {
	return display.Item{Class: class, At: display.Pt{X: float64(x), Y: float64(y)},
		Runs: []display.Run{{Text: visible.Text(text)}}}
}

// node draws a box.
func (v *diagramView) node(i int) display.Item {
	n, at, size := &v.d.Nodes[i], v.at.Nodes[i], v.g.Nodes[i]
	x, y, radius := margin+at.X, diagramTop+at.Y, 3
	class := "box"
	switch n.Look {
	case NodeStrong:
		class = "box strong"
	case NodeRound:
		radius = 12
	case NodeDashed:
		class = "box away"
	case NodeDead:
		class = "box deadbox"
	}
	box := display.Box{X: x, Y: y, W: size.W, H: size.H, R: radius}
	it := display.Item{Label: visible.Text(n.Name), Items: []display.Item{{Class: class, Box: &box}}}
	if n.Look == NodeDead {
		it.Items = append(it.Items, display.Item{Class: "hatch", Box: &box})
	}
	name, cut := clip(visible.Text(n.Name), diagramCols)
	head := words("name", x+boxPad, y+15, name)
	if cut {
		head.Title = visible.Text(n.Name)
	}
	it.Items = append(it.Items, head)
	for k, l := range n.Lines {
		text, _ := clip(visible.Text(l), diagramCols)
		it.Items = append(it.Items, words("note", x+boxPad, y+headRow+11+rowHeight*k, text))
	}
	return it
}

// edge draws a line, its head and its label.
func (v *diagramView) edge(i int) []display.Item {
	e, r := &v.d.Edges[i], &v.at.Routes[i]
	if r.Points == nil {
		return nil
	}
	pts := make([]Pt, len(r.Points))
	for k, q := range r.Points {
		pts[k] = Pt{margin + q.X, diagramTop + q.Y}
	}
	never := ""
	if e.Dead {
		never = " never"
	}
	title := fmt.Sprintf("%s → %s, %s", v.d.Nodes[e.From].Name, v.d.Nodes[e.To].Name,
		strings.TrimSpace(e.Kind+" "+e.Label))
	items := []display.Item{{Class: fmt.Sprintf("l%d%s", e.Line, never),
		Path:  *roundedPath(new(display.Path), pts, r.First, r.Last),
		Title: visible.Text(title)}}
	end := pts[len(pts)-1]
	if r.Last == len(pts)-1 {
		items = append(items, e.Line.head(end.X, end.Y)...)
	}
	if text := e.text(); text != "" {
		l := v.labels[i]
		x, y := end.X, end.Y-8-labelHeight*l.row
		if l.tail {
			x, y = pts[0].X, pts[0].Y+labelHeight+1
		}
		if x += 8; l.anchor == display.End {
			x -= 16
		}
		it := words("lab", x, y, text)
		it.Anchor = l.anchor
		items = append(items, it)
	}
	return items
}

// head draws the head of a line that arrives at a point from above.
func (l LineLook) head(x, y int) []display.Item {
	fill, open := fmt.Sprintf("h%d", l), fmt.Sprintf("o%d", l)
	triangle := func(class string, y int) display.Item {
		return display.Item{Class: class, Path: *at(x, y).By(-4, -9, 8, 0).Close()}
	}
	switch l {
	case LineThick:
		bar := display.Item{Class: fill, Path: *at(x-6, y-12).By(12, 0, 0, 2, -12, 0).Close()}
		return []display.Item{triangle(fill, y), bar}
	case LineLong:
		return []display.Item{triangle(fill, y), triangle(fill, y-8)}
	case LineDashDot:
		return []display.Item{triangle(fill, y), {Class: fill, Path: *at(x-5, y-16).By(10, 6).Skip(0, -6).By(-10, 6)}}
	case LineUnwind:
		return []display.Item{{Class: fill, Path: *at(x, y).By(-4, -6, 4, -6, 4, 6).Close()}}
	case LineHollow:
		return []display.Item{{Class: open, Path: *at(x, y).By(-6, -11, 12, 0).Close()}}
	case LineCircle:
		return []display.Item{{Class: open, Box: &display.Box{X: x - 4, Y: y - 8, W: 8, H: 8, R: 4}}}
	case LinePale:
		return nil
	}
	return []display.Item{triangle(fill, y)}
}

// legend explains the lines and boxes in the picture, one per row.
func (v *diagramView) legend() []display.Item {
	var out []display.Item
	row := func(text string, sign func(x, y int) []display.Item) {
		y := v.legendY + 20*len(out)
		it := display.Item{Items: append(sign(margin, y), words("small", margin+52, y+4, text))}
		out = append(out, it)
	}
	seen := map[LineLook]bool{}
	for look := range LineLook(LineLooks) {
		for i := range v.d.Edges {
			e := &v.d.Edges[i]
			if e.Line != look || seen[look] {
				continue
			}
			seen[look] = true
			row(e.Kind, func(x, y int) []display.Item {
				line := display.Item{Class: fmt.Sprintf("l%d", look), Path: *at(x, y-4).H(x + 36).V(y + 6)}
				return append([]display.Item{line}, look.head(x+36, y+8)...)
			})
		}
	}
	names := [...]string{"", "program", "map", "of another object", "never called"}
	used := map[NodeLook]bool{}
	for i := range v.d.Nodes {
		used[v.d.Nodes[i].Look] = true
	}
	for look, name := range names {
		if name == "" || !used[NodeLook(look)] {
			continue
		}
		row(name, func(x, y int) []display.Item {
			class := [...]string{"", "box strong", "box", "box away", "box deadbox"}[look]
			r := [...]int{3, 3, 7, 3, 3}[look]
			box := &display.Box{X: x, Y: y - 8, W: 36, H: 14, R: r}
			items := []display.Item{{Class: class, Box: box}}
			if NodeLook(look) == NodeDead {
				items = append(items, display.Item{Class: "hatch", Box: box})
			}
			return items
		})
	}
	return out
}
