package render

import "fmt"

// legend explains the lines and signs that the picture has.
func (d *drawing) legend() {
	r := d.l.Legend
	x, y := r.X, r.Y+16
	item := func(width int, label string, draw func()) {
		if x+width+textWidth(columns(label)) > r.X+max(r.W, 560) && y < r.Y+30 {
			x, y = r.X, y+20
		}
		draw()
		d.text(x+width, y, "small", label)
		x += width + textWidth(columns(label)) + 6
	}
	used := map[int]bool{}
	for i := range d.l.Lines {
		used[d.style(&d.l.Lines[i])] = true
	}
	names := [...]string{"fall-through", "taken", "goto", "indirect (gotox)", "other", "never taken"}
	for k, name := range names {
		if !used[k] {
			continue
		}
		item(46, name, func() {
			d.f(`<path class="e k%d" d="M%d %dh36"/>`, k, x, y-4)
			d.legendHead(k, x+38, y-4)
		})
	}
	var entry, exit, loop, dead bool
	for _, b := range d.scene.Blocks {
		entry, exit, loop, dead = entry || b.Entry, exit || b.Exit, loop || b.LoopDepth > 0, dead || !b.Reachable
	}
	if len(d.l.Blocks) == 0 {
		return
	}
	sign := func(on bool, label, format string) {
		if on {
			item(18, label, func() { d.f(format, x, y-4) })
		}
	}
	sign(entry, "entry", `<path class="solidmark" d="M%d %dm2-5l9 5l-9 5z"/>`)
	sign(exit, "exit", `<path class="solidmark" d="M%d %dm2-4h8v8h-8z"/>`)
	sign(loop, "loop header", `<path class="mark" d="M%d %dm11 0a4 4 0 1 1-3-2m0-3v4h4"/>`)
	sign(loop, "loop depth", `<path class="mark" d="M%d %dm4-4v8m3-8v8"/>`)
	if d.scene.Counted != "" {
		what, _ := clip(Visible(d.scene.Counted), 60)
		what += fmt.Sprintf(", 0 to %d", d.hottest)
		item(18+12*heatLevels, what, func() {
			for i := range heatLevels + 1 {
				d.f(`<path class="piece q%d" d="M%d %dh10v12h-10z"/>`, i, x+12*i, y-10)
			}
		})
	}
	sign(dead, "unreachable", `<path class="hatch" d="M%d %dm0-6h14v12h-14z"/>`)
	d.s("\n")
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
