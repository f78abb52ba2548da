package render

import (
	"fmt"

	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/render/display"
)

// legendItem is an entry of the legend: a sign at the left of (x, y), which is
// the base line, and what it means.
type legendItem struct {
	width int // of the sign, with the space after it
	label string
	draw  func(x, y int)
}

// legend explains the lines and signs that the picture has.
func (d *drawing) legend() {
	items := d.legendItems()
	if len(items) == 0 {
		return
	}
	d.group(display.Item{Label: "legend"}, func() {
		d.flow(items, func(it *legendItem, x, y int) {
			it.draw(x, y)
			d.text(x+it.width, y, "small", it.label)
		})
	})
}

// flow calls f for each entry with its place, in rows from left to right, and
// returns the height of all.
func (d *drawing) flow(items []legendItem, f func(it *legendItem, x, y int)) int {
	r := d.l.Legend
	x, y := r.X, r.Y+16
	for i := range items {
		wide := items[i].width + textWidth(columns(items[i].label)) + 6
		if x > r.X && x+wide > r.X+max(r.W, 560) {
			x, y = r.X, y+20
		}
		f(&items[i], x, y)
		x += wide
	}
	return y - r.Y + 10
}

// legendHeight returns the height that the legend takes in l.Legend.
func legendHeight(s *Scene, l *Placement) int {
	d := &drawing{viewer: newViewer(s, l.Detail, l.Given), l: l}
	return max(46, d.flow(d.legendItems(), func(*legendItem, int, int) {}))
}

// legendItems returns the entries that the picture needs.
func (d *drawing) legendItems() []legendItem {
	items := d.lineItems()
	if len(d.l.Blocks) > 0 {
		items = append(items, d.blockItems()...)
	}
	if d.l.Strip != nil {
		items = append(items, d.stripItems()...)
	}
	for _, mark := range d.scene.marksUsed() {
		items = append(items, legendItem{24, markMeaning(mark), func(x, y int) {
			d.rect(Rect{x + 1, y - 10, 16, 12}, "box"+markClass(mark), 0)
			d.rect(Rect{x + 1, y - 10, 16, 12}, "head"+markClass(mark), 0)
			d.text(x+6, y, "small name", markSign(mark))
		}})
	}
	return items
}

// lineItems returns the kinds of line.
func (d *drawing) lineItems() []legendItem {
	used := map[int]bool{}
	for i := range d.l.Lines {
		used[d.style(&d.l.Lines[i])] = true
	}
	if st := d.l.Strip; st != nil {
		for i := range st.Arcs {
			if st.Arcs[i] != (Arc{}) {
				used[kindStyle(d.scene.Image.Jumps[i].Kind)] = true
			}
		}
	}
	var items []legendItem
	names := [...]string{
		"fall-through", "taken", "goto", "indirect (gotox)", "call or other", "never taken", "merely possible",
		"unwinds, with an exception",
	}
	for k, name := range names {
		if !used[k] {
			continue
		}
		items = append(items, legendItem{46, name, func(x, y int) {
			d.path(fmt.Sprintf("e k%d", k), at(x, y-4).H(x+36), "")
			d.legendHead(k, x+38, y-4)
		}})
	}
	return items
}

// sign is an entry whose sign is one shape, drawn from the middle of its left side.
func (d *drawing) sign(label, class string, shape shape) legendItem {
	return legendItem{18, label, func(x, y int) { d.path(class, shape(x, y-4), "") }}
}

// shape makes a sign from the middle of its left side.
type shape func(x, y int) *display.Path

// signBox returns the shape of a rectangle.
func signBox(dx, w, h int) shape {
	return func(x, y int) *display.Path {
		p := display.Rect(x+dx, y-h/2, w, h, 0)
		return &p
	}
}

// blockItems returns the signs of blocks.
func (d *drawing) blockItems() []legendItem {
	var entry, exit, loop, dead, maybe bool
	for _, b := range d.scene.Blocks {
		entry, exit, loop, dead = entry || b.Entry, exit || b.Exit, loop || b.LoopDepth > 0, dead || !b.Reachable
		maybe = maybe || b.Maybe
	}
	var items []legendItem
	add := func(on bool, label, class string, shape shape) {
		if on {
			items = append(items, d.sign(label, class, shape))
		}
	}
	add(entry, "entry", "solidmark", func(x, y int) *display.Path { return at(x+2, y-5).By(9, 5, -9, 5).Close() })
	add(exit, "exit", "solidmark", signBox(2, 8, 8))
	add(loop, "loop header", "mark", func(x, y int) *display.Path { return ring(at(x+11, y), x+7, y) })
	add(loop, "loop depth", "mark", func(x, y int) *display.Path { return bars(at(x+7, y-4), 2) })
	add(dead, "dead", "hatch", signBox(0, 14, 12))
	add(maybe, "possibly reached", "maybebox box", signBox(0, 14, 12))
	if d.scene.Counted != "" {
		what, _ := clip(visible.Text(d.scene.Counted), 60)
		what += fmt.Sprintf(", 0 to %d", d.hottest)
		items = append(items, legendItem{18 + 12*heatLevels, what, func(x, y int) {
			for i := range heatLevels + 1 {
				d.rect(Rect{x + 12*i, y - 10, 10, 12}, fmt.Sprintf("piece q%d", i), 0)
			}
		}})
	}
	return items
}

// stripItems returns the signs of the machine code half.
func (d *drawing) stripItems() []legendItem {
	var items []legendItem
	m := d.scene.Image
	has := map[ByteMarkKind]bool{}
	for _, img := range []*Image{m, d.scene.Before} {
		if img == nil {
			continue
		}
		for _, k := range img.Marks {
			has[k.Kind] = true
		}
	}
	add := func(on bool, label, class string, shape shape) {
		if on {
			items = append(items, d.sign(label, class, shape))
		}
	}
	add(len(m.Endbr) > 0, "endbr64", "endbr", func(x, y int) *display.Path { return at(x+2, y-4).By(9, 4, -9, 4).Close() })
	add(has[BytesEpilogue], "epilogue", "epilogue", signBox(3, 6, 12))
	add(has[BytesPadding], "nops: padding, patch sites", "pad", signBox(3, 6, 12))
	add(has[BytesMismatch], "bytes that differ", "wrong", signBox(1, 12, 12))
	for t := range d.l.Tables {
		if len(d.l.Strip.Aims[t]) > 0 {
			items = append(items, legendItem{32, "table entry", func(x, y int) {
				d.path("aim", at(x+6, y-4).H(x+26), "")
				d.path("a3", at(x, y-4).By(7, -3, 0, 6).Close(), "")
			}})
			break
		}
	}
	far := 0
	for _, a := range d.l.Strip.Arcs {
		if a.Far {
			far++
		}
	}
	if n := len(d.l.Strip.Columns); n > 0 {
		items = append(items, legendItem{0, fmt.Sprintf("code in %d columns; jumps into another one end at the edge", n),
			func(int, int) {}})
	}
	if far > 0 {
		items = append(items, legendItem{0, fmt.Sprintf("%d further jumps of the code show on hover", far),
			func(int, int) {}})
	}
	return items
}

// legendHead is the head of a line that goes right.
func (d *drawing) legendHead(style, x, y int) {
	fill := fmt.Sprintf("a%d", style)
	switch style {
	case styleFall:
		d.path("open", at(x-8, y-4).By(8, 4, -8, 4), "")
	case styleIndirect:
		d.path(fill, at(x, y).By(-9, -5, 0, 10).Close().At(x-12, y-6).By(0, 12, 2, 0, 0, -12).Close(), "")
	case styleDead:
		d.path("open", at(x-20, y-3).By(6, 6).Skip(0, -6).By(-6, 6), "")
		d.path(fill, at(x, y).By(-8, -4, 0, 8).Close(), "")
	case styleMaybe:
		d.path(fill, at(x, y).By(-10, -5, 0, 10).Close(), "")
	case styleUnwind:
		d.path(fill, at(x, y).By(-7, -5, -7, 5, 7, 5).Close(), "")
	default:
		d.path(fill, at(x, y).By(-9, -4, 0, 8).Close(), "")
	}
}
