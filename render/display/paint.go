package display

// Paint resolves the looks of a picture as it is without a pointer: things that only show on
// hovering are left out.
func Paint(p *Picture, t *Theme, scheme Scheme) *Drawing {
	d := &Drawing{W: float64(p.W), H: float64(p.H), Title: p.Title}
	r := newResolver(t, scheme)
	for it := range p.Parts {
		r.paint(d, &it)
	}
	return d
}

// paint adds an item. It recurses to the depth of groups, which is small.
func (r *resolver) paint(d *Drawing, it *Item) {
	switch {
	case len(it.Runs) > 0:
		st := r.style(nil, true, it.Class)
		if st.Hidden {
			return
		}
		text := &Text{At: it.At, Anchor: it.Anchor}
		for _, run := range it.Runs {
			s := st
			if run.Class != "" {
				s = r.style(st, true, run.Class)
			}
			text.Runs = append(text.Runs, StyledRun{run.Text, s})
		}
		d.Items = append(d.Items, Painted{Text: text, Style: st})
	case len(it.Items) > 0:
		for i := range it.Items {
			r.paint(d, &it.Items[i])
		}
	default:
		st := r.style(nil, false, it.Class)
		path := it.Path
		if b := it.Box; b != nil {
			if b.W <= 0 || b.H <= 0 {
				return
			}
			path = Rect(b.X, b.Y, b.W, b.H, b.R)
		}
		if st.Hidden || len(path.Ops) == 0 || !st.Fill.On && !st.Stroke.On {
			return
		}
		d.Items = append(d.Items, Painted{Path: path, Style: st})
	}
}
