package render

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/render/display"
)

// numbers is a list of numbers in the page, small ones in a byte each (varints as in
// encoding/binary).
type numbers struct{ out []byte }

func (n *numbers) add(values ...int) {
	for _, v := range values {
		n.out = binary.AppendVarint(n.out, int64(v))
	}
}

// columns adds a table column by column, each number less the one above it: that
// compresses best.
func (n *numbers) columns(by int, table []int) {
	n.out = slices.Grow(n.out, len(table)+binary.MaxVarintLen64)
	n.add(len(table) / by)
	for c := range by {
		last := 0
		for i := c; i < len(table); i += by {
			n.add(table[i] - last)
			last = table[i]
		}
	}
}

// texts holds each text of a page once, visible; the first is empty. Programs of one
// object share most of theirs.
type texts struct {
	index map[string]int
	list  []string
}

// column gives the numbers of texts that often repeat the text before, such as file names.
type column struct {
	*texts
	last   string
	number int
}

func (c *column) of(s string) int {
	if s != c.last {
		c.last, c.number = s, c.texts.of(s)
	}
	return c.number
}

func (t *texts) of(s string) int {
	if s == "" {
		return 0
	}
	if t.index == nil {
		t.index, t.list = map[string]int{"": 0}, []string{""}
	}
	i, ok := t.index[s]
	if !ok {
		i = len(t.list)
		t.index[s] = i
		t.list = append(t.list, visible.Text(s))
	}
	return i
}

// ofBytes is of for a text that is not kept.
func (t *texts) ofBytes(b []byte) int {
	if i, ok := t.index[string(b)]; ok {
		return i
	}
	return t.of(string(b))
}

// listWriter writes the items of a drawing as numbers, and the strings that they
// name: places are counted from those of the item before, and a path is the place of
// its start and the shape, which many have in common. The script makes SVG of them.
type listWriter struct {
	numbers
	texts   *texts // of the page: what runs say
	strings texts  // of this list: classes, shapes, titles
	shaper  display.Shaper
	x, y    int // place of the last item

	classes, looks column // in strings, of items and of runs
}

// Kinds of items: the lower two bits of its first number. The third says that there
// is a title, the fourth that the part and its index follow; the rest is the class.
const (
	listBox = iota
	listPath
	listText
	listGroup
)

// Bits of a group's second number.
const (
	listBlock = 1 << iota // its index follows, which is its id; the script adds a label
	listLink
	listID
	listLabel
)

// bytes returns the list in two parts: the length of its strings and the strings with
// line ends between them; and the numbers.
func (w *listWriter) bytes() (text, items []byte) {
	n := max(0, len(w.strings.list)-1)
	for _, s := range w.strings.list {
		n += len(s)
	}
	text = binary.AppendVarint(make([]byte, 0, n+binary.MaxVarintLen64), int64(n))
	for i, s := range w.strings.list {
		if i > 0 {
			text = append(text, '\n')
		}
		text = append(text, s...)
	}
	return text, w.out
}

// item writes an item; of a group without a look of its own, only the items in it.
func (w *listWriter) item(it *display.Item) {
	switch {
	case it.Box != nil:
		w.head(listBox, it)
		w.place(it.Box.X, it.Box.Y)
		w.add(it.Box.W, it.Box.H, it.Box.R)
	case len(it.Path.Ops) > 0:
		w.head(listPath, it)
		x, y := math.Trunc(it.Path.Pts[0].X), math.Trunc(it.Path.Pts[0].Y)
		w.place(int(x), int(y))
		w.add(w.strings.ofBytes(w.shaper.Shape(&it.Path, display.Pt{X: x, Y: y})))
	case len(it.Runs) > 0:
		w.head(listText, it)
		w.place(int(it.At.X), int(it.At.Y))
		w.add(int(it.Anchor)<<8 | len(it.Runs))
		for _, r := range it.Runs {
			w.add(w.looks.of(r.Class), w.texts.of(r.Text))
		}
	case display.Named(it):
		w.group(it)
	default:
		for i := range it.Items {
			w.item(&it.Items[i])
		}
	}
}

func (w *listWriter) head(kind int, it *display.Item) {
	head := w.classes.of(it.Class)<<4 | kind
	about := it.Title == "" && (it.Part == display.Edge || it.Part == display.Piece)
	switch {
	case it.Title != "":
		w.add(head|4, w.strings.of(it.Title))
	case about:
		w.add(head|8, int(it.Part), it.Index)
	default:
		w.add(head)
	}
}

func (w *listWriter) place(x, y int) {
	w.add(x-w.x, y-w.y)
	w.x, w.y = x, y
}

func (w *listWriter) group(it *display.Item) {
	w.head(listGroup, it)
	if it.Part == display.Block {
		w.add(listBlock, it.Index)
	} else {
		bits, named := 0, []int{}
		for i, s := range []string{it.Link, it.ID, it.Label} {
			if s != "" {
				bits |= listLink << i
				named = append(named, w.strings.of(s))
			}
		}
		w.add(bits)
		w.add(named...)
	}
	w.add(shown(it.Items))
	for i := range it.Items {
		w.item(&it.Items[i])
	}
}

// shown is the number of items that item writes for a list.
func shown(items []display.Item) int {
	n := 0
	for i := range items {
		it := &items[i]
		if it.Box == nil && len(it.Path.Ops)+len(it.Runs) == 0 && !display.Named(it) {
			n += shown(it.Items)
		} else {
			n++
		}
	}
	return n
}
