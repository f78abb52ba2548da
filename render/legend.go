package render

import "fmt"

// legendItem is an entry of the legend: a sign at the left of (x, y), which is
// the base line, and what it means.
type legendItem struct {
	width int // of the sign, with the space behind it
	label string
	draw  func(x, y int)
}

// legend explains the lines and signs that the picture has.
func (d *drawing) legend() {
	items := d.legendItems()
	if len(items) == 0 {
		return
	}
	d.s(`<g role="group" aria-label="legend">`)
	d.flow(items, func(it *legendItem, x, y int) {
		it.draw(x, y)
		d.text(x+it.width, y, "small", it.label)
	})
	d.s("</g>\n")
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
func legendHeight(s *Scene, l *Layout) int {
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
			d.f(`<path class="box%s" d="M%d %dh16v12h-16z"/>`, markClass(mark), x+1, y-10)
			d.f(`<path class="head%s" d="M%d %dh16v12h-16z"/>`, markClass(mark), x+1, y-10)
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
	for k, name := range [...]string{"fall-through", "taken", "goto", "indirect (gotox)", "call or other", "never taken"} {
		if !used[k] {
			continue
		}
		items = append(items, legendItem{46, name, func(x, y int) {
			d.f(`<path class="e k%d" d="M%d %dh36"/>`, k, x, y-4)
			d.legendHead(k, x+38, y-4)
		}})
	}
	return items
}

// sign is an entry whose sign is one drawing in a format with x and y.
func (d *drawing) sign(label, format string) legendItem {
	return legendItem{18, label, func(x, y int) { d.f(format, x, y-4) }}
}

// blockItems returns the signs of blocks.
func (d *drawing) blockItems() []legendItem {
	var entry, exit, loop, dead bool
	for _, b := range d.scene.Blocks {
		entry, exit, loop, dead = entry || b.Entry, exit || b.Exit, loop || b.LoopDepth > 0, dead || !b.Reachable
	}
	var items []legendItem
	add := func(on bool, label, format string) {
		if on {
			items = append(items, d.sign(label, format))
		}
	}
	add(entry, "entry", `<path class="solidmark" d="M%d %dm2-5l9 5l-9 5z"/>`)
	add(exit, "exit", `<path class="solidmark" d="M%d %dm2-4h8v8h-8z"/>`)
	add(loop, "loop header", `<path class="mark" d="M%d %dm11 0a4 4 0 1 1-3-2m0-3v4h4"/>`)
	add(loop, "loop depth", `<path class="mark" d="M%d %dm4-4v8m3-8v8"/>`)
	add(dead, "unreachable", `<path class="hatch" d="M%d %dm0-6h14v12h-14z"/>`)
	if d.scene.Counted != "" {
		what, _ := clip(Visible(d.scene.Counted), 60)
		what += fmt.Sprintf(", 0 to %d", d.hottest)
		items = append(items, legendItem{18 + 12*heatLevels, what, func(x, y int) {
			for i := range heatLevels + 1 {
				d.f(`<path class="piece q%d" d="M%d %dh10v12h-10z"/>`, i, x+12*i, y-10)
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
	add := func(on bool, label, format string) {
		if on {
			items = append(items, d.sign(label, format))
		}
	}
	add(len(m.Endbr) > 0, "endbr64", `<path class="endbr" d="M%d %dm2-4l9 4l-9 4z"/>`)
	add(has[BytesEpilogue], "epilogue", `<path class="epilogue" d="M%d %dm3-6h6v12h-6z"/>`)
	add(has[BytesPadding], "nops: padding, patch sites", `<path class="pad" d="M%d %dm3-6h6v12h-6z"/>`)
	add(has[BytesMismatch], "bytes that differ", `<path class="wrong" d="M%d %dm1-6h12v12h-12z"/>`)
	for t := range d.l.Tables {
		if len(d.l.Strip.Aims[t]) > 0 {
			items = append(items, legendItem{32, "table entry", func(x, y int) {
				d.f(`<path class="aim" d="M%d %dh20"/><path class="a3" d="M%d %dl7-3v6z"/>`, x+6, y-4, x, y-4)
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
	if far > 0 {
		items = append(items, legendItem{0, fmt.Sprintf("%d jumps of the code show only under the pointer", far),
			func(int, int) {}})
	}
	return items
}

// legendHead is the head of a line that goes right.
func (d *drawing) legendHead(style, x, y int) {
	switch style {
	case styleFall:
		d.f(`<path class="open" d="M%d %dm-8-4l8 4l-8 4"/>`, x, y)
	case styleIndirect:
		d.f(`<path class="a%d" d="M%d %dl-9-5v10zm-12-6v12h2v-12z"/>`, style, x, y)
	case styleDead:
		d.f(`<path class="open" d="M%d %dm-20-3l6 6m0-6l-6 6"/><path class="a%d" d="M%d %dl-8-4v8z"/>`, x, y, style, x, y)
	default:
		d.f(`<path class="a%d" d="M%d %dl-9-4v8z"/>`, style, x, y)
	}
}
