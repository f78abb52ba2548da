package render

import "fmt"

// Check reports the first index in the scene that names nothing, or byte
// range that is not inside the image. A scene that passes can be drawn.
func (s *Scene) Check() error {
	in := func(i, n int, outside bool) bool { return i >= 0 && i < n || outside && i == Outside }
	for i, f := range s.Funcs {
		if !in(f.Entry, len(s.Blocks), false) {
			return fmt.Errorf("scene: function %d: no block %d", i, f.Entry)
		}
		if s.Blocks[f.Entry].Func != i {
			return fmt.Errorf("scene: function %d: block %d is of function %d", i, f.Entry, s.Blocks[f.Entry].Func)
		}
	}
	for i, b := range s.Blocks {
		if !in(b.Func, len(s.Funcs), false) {
			return fmt.Errorf("scene: block %d: no function %d", i, b.Func)
		}
	}
	for i, e := range s.Edges {
		if !in(e.From, len(s.Blocks), false) || !in(e.To, len(s.Blocks), true) {
			return fmt.Errorf("scene: edge %d: no block %d or %d", i, e.From, e.To)
		}
	}
	for i, t := range s.Tables {
		for _, b := range t.Jumps {
			if !in(b, len(s.Blocks), false) {
				return fmt.Errorf("scene: table %d: no block %d", i, b)
			}
		}
		for j, e := range t.Entries {
			if !in(e.Block, len(s.Blocks), true) {
				return fmt.Errorf("scene: table %d: entry %d: no block %d", i, j, e.Block)
			}
			if e.Offset < -1 || s.Image != nil && e.Offset > s.Image.Len {
				return fmt.Errorf("scene: table %d: entry %d: offset %d outside the image", i, j, e.Offset)
			}
		}
	}
	for i, c := range s.Code {
		if !in(c.Block, len(s.Blocks), true) {
			return fmt.Errorf("scene: code %d: no block %d", i, c.Block)
		}
	}
	for _, m := range []*Image{s.Image, s.Before} {
		if m == nil {
			continue
		}
		if err := m.check(len(s.Blocks), len(s.Funcs), len(s.Edges)); err != nil {
			return err
		}
	}
	return nil
}

func (m *Image) check(blocks, funcs, edges int) error {
	end := 0
	for i, p := range m.Pieces {
		if p.Offset < end || p.Len < 0 || p.Len > m.Len || p.Offset > m.Len-p.Len {
			return fmt.Errorf("scene: image piece %d: bytes %d+%d out of order or outside", i, p.Offset, p.Len)
		}
		end = p.Offset + p.Len
		if p.Kind == PieceBlock && (p.Block < 0 || p.Block >= blocks) {
			return fmt.Errorf("scene: image piece %d: no block %d", i, p.Block)
		}
	}
	end = 0
	for i, f := range m.Funcs {
		if f.Offset < end || f.Len < 0 || f.Len > m.Len || f.Offset > m.Len-f.Len {
			return fmt.Errorf("scene: image function %d: bytes %d+%d out of order or outside", i, f.Offset, f.Len)
		}
		end = f.Offset + f.Len
		if f.Func < -1 || f.Func >= funcs {
			return fmt.Errorf("scene: image function %d: no function %d", i, f.Func)
		}
	}
	for i, j := range m.Jumps {
		if j.From < 0 || j.From > m.Len || j.To < 0 || j.To > m.Len || j.Edge < -1 || j.Edge >= edges {
			return fmt.Errorf("scene: image jump %d: %d to %d, edge %d: outside", i, j.From, j.To, j.Edge)
		}
	}
	for i, k := range m.Marks {
		if k.Offset < 0 || k.Len < 0 || k.Len > m.Len || k.Offset > m.Len-k.Len {
			return fmt.Errorf("scene: image mark %d: bytes %d+%d outside", i, k.Offset, k.Len)
		}
	}
	for _, o := range m.Endbr {
		if o < 0 || o > m.Len {
			return fmt.Errorf("scene: image: endbr at %d: outside", o)
		}
	}
	return nil
}
