package textgraph

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bpfcfg/bpfcfg/internal/testing/rendertest"
	"github.com/bpfcfg/bpfcfg/render"
)

func text(t testing.TB, s *render.Scene, opt Options) string {
	t.Helper()
	var b strings.Builder
	if err := Write(&b, s, opt); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// three is the graph of the package comment.
func three() *render.Scene {
	b := rendertest.New("three")
	f := b.Func("main")
	b.Block(f, "r0 = 0", "if r1 == 0 goto pc+1")
	b.Block(f, "r0 += 1")
	b.Block(f, "exit")
	b.Fall(0, 1)
	b.Taken(0, 2, "")
	b.Fall(1, 2)
	return b.Scene()
}

func TestThree(t *testing.T) {
	want := `▼ fall-through   ┆╌╌► taken

main:
   ┌ b0  0..1  entry
   │   0  r0 = 0
╭╌╌┤   1  if r1 == 0 goto pc+1  → b2
┆  ▼
┆  ┌ b1  2..2
┆  │   2  r0 += 1
┆  ▼
╰╌►┌ b2  3..3  exit
   └   3  exit
`
	if diff := cmp.Diff(want, text(t, three(), Options{})); diff != "" {
		t.Error(diff)
	}
	ascii := `v fall-through   :--> taken

main:
   [ b0  0..1  entry
   |   0  r0 = 0
,--|   1  if r1 == 0 goto pc+1  -> b2
:  v
:  [ b1  2..2
:  |   2  r0 += 1
:  v
` + "`->[ b2  3..3  exit\n   |   3  exit\n"
	if diff := cmp.Diff(ascii, text(t, three(), Options{ASCII: true})); diff != "" {
		t.Error(diff)
	}
}

// TestSource has a C line above the instructions that it was compiled to, once.
func TestSource(t *testing.T) {
	s := three()
	for i, source := range []string{"x = 0;", "x = 0;"} {
		s.Blocks[0].Lines[i].Source, s.Blocks[0].Lines[i].LineNo = source, 41
	}
	s.Blocks[1].Lines[0].Source = "\tx++;" // of an unknown number
	want := `   ┌ b0  0..1  entry
   │ ; 41: x = 0;
   │   0  r0 = 0
╭╌╌┤   1  if r1 == 0 goto pc+1  → b2
┆  ▼
┆  ┌ b1  2..2
┆  │ ; x++;
┆  │   2  r0 += 1
`
	if got := text(t, s, Options{}); !strings.Contains(got, want) {
		t.Errorf("want\n%sin\n%s", want, got)
	}
}

// canvas is a drawing as a reader sees it: characters in rows and columns.
type canvas struct {
	rows  [][]rune
	block map[int]int // by row: the block whose head is there
	tail  map[int]int // by row: the block whose lines leave there
	side  int         // column of the borders
}

// armsOf returns where the strokes of a character lead; cross says that two
// lines go straight through.
func armsOf(r rune) (a arms, cross bool) {
	switch r {
	case '┆', '│', '║', '┊', '┇', '┃', ':', '|', '#', '.', '^':
		return up | down, false
	case '╌', '─', '═', '┈', '╍', '━', '-', '=':
		return left | right, false
	case '╬', '*':
		return up | down | left | right, false
	case '┼', '╂', '┿', '╋', '╫', '╪', '+':
		return up | down | left | right, true
	case ',':
		return down | left | right, false
	case '`':
		return up | left | right, false
	}
	for a, all := range boxes {
		if slices.Contains(all, r) {
			return arms(a), false
		}
	}
	return 0, false
}

// readCanvas finds the heads and tails of the blocks of one function.
func readCanvas(t *testing.T, rows []string, s *render.Scene) *canvas {
	t.Helper()
	c := &canvas{block: map[int]int{}, tail: map[int]int{}, side: -1}
	names := map[string]int{}
	for b := range s.Blocks {
		names[s.Blocks[b].Name] = b
	}
	current := -1
	for y, line := range rows {
		row := []rune(line)
		c.rows = append(c.rows, row)
		x := slices.IndexFunc(row, func(r rune) bool { return r == '┌' || r == '[' })
		if x >= 0 && (c.side < 0 || x == c.side) {
			c.side = x
			word, _, _ := strings.Cut(strings.TrimSpace(string(row[x+1:])), " ")
			b, ok := names[word]
			if !ok {
				t.Fatalf("row %d names no block: %s", y, line)
			}
			c.block[y], current = b, b
			continue
		}
		if x := c.side; x > 0 && x < len(row) && strings.ContainsRune("╌─═┈╍━-=.", row[x-1]) && row[x] != ' ' {
			c.tail[y] = current
		}
	}
	return c
}

// at returns the character of a cell.
func (c *canvas) at(x, y int) rune {
	if y < 0 || y >= len(c.rows) || x < 0 || x >= len(c.rows[y]) {
		return ' '
	}
	return c.rows[y][x]
}

// spot is a cell, and how the line comes into it.
type spot struct{ x, y, dx, dy int }

// follow returns the blocks to which the lines lead that leave in a row.
func (c *canvas) follow(t *testing.T, y int) []int {
	t.Helper()
	var out []int
	seen := map[spot]bool{}
	todo := []spot{{c.side - 1, y, -1, 0}}
	for len(todo) > 0 {
		p := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen[p] {
			continue
		}
		seen[p] = true
		r := c.at(p.x, p.y)
		_, head := c.block[p.y]
		if head && p.dx == 1 && (r == '►' || r == '>') {
			out = append(out, c.block[p.y])
			continue
		}
		a, cross := armsOf(r)
		if r == '.' && p.dy == 0 { // a dot of a line that is never taken runs either way
			a = left | right
		}
		if a == 0 {
			t.Fatalf("a line from row %d ends at column %d of row %d, at %q:\n%s", y, p.x, p.y, r, c)
		}
		straight := cross || a == up|down || a == left|right
		go1 := func(on bool, dx, dy int) {
			if on && (dx != -p.dx || dy != -p.dy) {
				todo = append(todo, spot{p.x + dx, p.y + dy, dx, dy})
			}
		}
		switch {
		case straight:
			go1(true, p.dx, p.dy)
		case head: // lines come in: to the right, and further up or down in a fan
			go1(true, 1, 0)
			go1(p.dy > 0 && a&down != 0, 0, 1)
			go1(p.dy < 0 && a&up != 0, 0, -1)
		case c.isTail(p.y) && p.dy != 0: // another block's line joins
			go1(p.dy > 0 && a&down != 0 || p.dy < 0 && a&up != 0, 0, p.dy)
		case c.isTail(p.y): // lines leave: to all sides but the right
			go1(a&left != 0 && c.more(p), -1, 0)
			go1(a&up != 0, 0, -1)
			go1(a&down != 0, 0, 1)
		default:
			t.Fatalf("corner %q in row %d, where no line begins or ends:\n%s", r, p.y, c)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (c *canvas) isTail(y int) bool { _, ok := c.tail[y]; return ok }

// more reports whether the line continues to the left, which a corner in ASCII leaves open.
func (c *canvas) more(p spot) bool {
	r := c.at(p.x-1, p.y)
	a, _ := armsOf(r)
	return a&right != 0 || r == '.' && a == up|down
}

func (c *canvas) String() string {
	var b strings.Builder
	for y, r := range c.rows {
		fmt.Fprintf(&b, "%3d %s\n", y, string(r))
	}
	return b.String()
}

// readBack follows every line of a drawing, adds what the text names instead, and
// compares with the edges of the scene.
func readBack(t *testing.T, s *render.Scene, opt Options) {
	t.Helper()
	drawing := text(t, s, opt)
	body := drawing
	if first, rest, _ := strings.Cut(drawing, "\n\n"); strings.ContainsAny(first, " ") && !strings.Contains(first, "\n") {
		body = rest // after the legend
	}
	var parts []string // functions
	for _, line := range strings.Split(body, "\n") {
		if len([]rune(line)) > max(opt.Width, minWidth) {
			t.Fatalf("%d columns, more than %d: %s", len([]rune(line)), opt.Width, line)
		}
		if len(line) > 1 && strings.HasSuffix(line, ":") && !strings.ContainsAny(line, " │|") {
			parts = append(parts, "")
			continue
		}
		if len(parts) > 0 {
			parts[len(parts)-1] += line + "\n"
		}
	}
	got := map[[2]int]bool{}
	named := map[[2]int]bool{}
	from, to := "← ", "→ "
	if opt.ASCII {
		from, to = "<- ", "-> "
	}
	for _, part := range parts {
		c := readCanvas(t, strings.Split(part, "\n"), s)
		current := -1
		for y, row := range c.rows {
			if b, ok := c.block[y]; ok {
				current = b
			}
			if b, ok := c.tail[y]; ok {
				for _, to := range c.follow(t, y) {
					got[[2]int{b, to}] = true
				}
			}
			line := string(row)
			for _, ref := range strings.Split(line, from)[1:] {
				named[[2]int{number(t, ref), current}] = true
			}
			for _, ref := range strings.Split(line, to)[1:] {
				if strings.HasPrefix(ref, "b") {
					named[[2]int{current, number(t, ref)}] = true
				}
			}
		}
	}
	for i := range s.Edges {
		e := &s.Edges[i]
		if e.To == render.Outside || falls(s, e) {
			continue
		}
		k := [2]int{e.From, e.To}
		if !got[k] && !named[k] {
			t.Fatalf("no line and no name for the edge b%d -> b%d:\n%s", e.From, e.To, drawing)
		}
		if e.Kind != render.Indirect && !named[k] {
			t.Fatalf("b%d does not name its target b%d:\n%s", e.From, e.To, drawing)
		}
	}
	edges := map[[2]int]bool{}
	for _, e := range s.Edges {
		edges[[2]int{e.From, e.To}] = true
	}
	for k := range got {
		if !edges[k] {
			t.Fatalf("a line leads from b%d to b%d, where no edge is:\n%s", k[0], k[1], drawing)
		}
	}
	for k := range named {
		if !edges[k] {
			t.Fatalf("the text names an edge b%d -> b%d, which is not there:\n%s", k[0], k[1], drawing)
		}
	}
}

func number(t *testing.T, ref string) int {
	t.Helper()
	digits := strings.TrimPrefix(ref, "b")
	if i := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
		digits = digits[:i]
	}
	n, err := strconv.Atoi(digits)
	if err != nil {
		t.Fatalf("reference %q: %v", ref, err)
	}
	return n
}

// randomScene makes functions of blocks with edges of all kinds, to anywhere.
func randomScene(rng *rand.Rand) *render.Scene {
	b := rendertest.New("random")
	n := 2 + rng.IntN(24)
	f := b.Func("f0")
	starts := []int{0}
	for i := range n {
		if i > 1 && rng.IntN(12) == 0 {
			f = b.Func(fmt.Sprintf("f%d", len(starts)))
			starts = append(starts, i)
		}
		b.Block(f, "r0 = 1", "jump")
	}
	s := b.Scene()
	in := func(i int) (lo, hi int) { // blocks of the function
		for k, at := range starts {
			hi = n
			if k+1 < len(starts) {
				hi = starts[k+1]
			}
			if i < hi {
				return at, hi
			}
			lo = hi
		}
		return lo, n
	}
	s.Edges = nil
	for i := range n {
		lo, hi := in(i)
		target := func() int { return lo + rng.IntN(hi-lo) }
		edge := func(to int, k render.EdgeKind) {
			s.Edges = append(s.Edges, render.Edge{From: i, To: to, Kind: k, Dead: rng.IntN(8) == 0,
				Back: to <= i && rng.IntN(3) > 0})
		}
		if i+1 < hi && rng.IntN(3) > 0 {
			edge(i+1, render.FallThrough)
		}
		switch rng.IntN(5) {
		case 0:
			edge(target(), render.Taken)
		case 1:
			edge(target(), render.Goto)
		case 2:
			for to := lo; to < hi; to++ {
				if rng.IntN(2) == 0 {
					edge(to, render.Indirect)
				}
			}
		case 3:
			edge(starts[rng.IntN(len(starts))], render.Call)
		}
		s.Blocks[i].Reachable = rng.IntN(6) > 0
	}
	return s
}

func TestEveryLineCanBeFollowed(t *testing.T) {
	for seed := range uint64(1500) {
		s := randomScene(rand.New(rand.NewPCG(seed, 7)))
		for _, opt := range []Options{{Width: 120}, {Width: 60}, {Width: 56, ASCII: true}, {Width: 120, ASCII: true}} {
			readBack(t, s, opt)
		}
	}
	for _, s := range rendertest.Samples() {
		readBack(t, s.Scene, Options{Width: 130})
		readBack(t, s.Scene, Options{Width: 80, ASCII: true})
	}
}

// TestLanes compares the choice of lanes with a slow version: no two lines of a
// lane share a place, and each has the lowest lane that shorter ones left free.
func TestLanes(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		const places = 60
		ws := make([]wire, rng.IntN(40))
		for i := range ws {
			a, b := rng.IntN(places), rng.IntN(places)
			ws[i] = wire{lo: min(a, b), hi: max(a, b), lane: -1}
		}
		giveLanes(ws, places, 5)
		for i, w := range ws {
			lane := 0
			for ; lane < 5; lane++ {
				free := true
				for j, v := range ws {
					before := v.hi-v.lo < w.hi-w.lo || v.hi-v.lo == w.hi-w.lo && j < i
					if before && v.lane == lane && v.lo <= w.hi && w.lo <= v.hi {
						free = false
					}
				}
				if free {
					break
				}
			}
			if lane == 5 {
				lane = -1
			}
			if w.lane != lane {
				t.Fatalf("line %d of %v has lane %d, want %d", i, ws, w.lane, lane)
			}
		}
	}
}

// TestBoxes checks that each character of the table is for one use.
func TestBoxes(t *testing.T) {
	seen := map[rune]bool{}
	for _, all := range boxes {
		if n := len(all); n != 7 && n != 0 {
			t.Errorf("%s has %d characters", string(all), n)
		}
		for _, r := range all {
			if seen[r] {
				t.Errorf("%c is there twice", r)
			}
			seen[r] = true
		}
	}
}

func TestHostile(t *testing.T) {
	for _, bad := range []string{"\x1b[31m", "a\nb", "\u202e", "漢字", strings.Repeat("x", 5000)} {
		for _, opt := range []Options{{}, {ASCII: true}} {
			out := text(t, rendertest.Hostile(bad), opt)
			if strings.ContainsAny(out, "\x1b\u202e") {
				t.Errorf("%q is in the output", bad)
			}
			if opt.ASCII && strings.IndexFunc(out, func(r rune) bool { return r > '~' }) >= 0 {
				t.Errorf("%q: not ASCII", bad)
			}
		}
	}
	if err := Write(io.Discard, &render.Scene{Edges: []render.Edge{{From: 3}}}, Options{}); err == nil {
		t.Error("a broken scene is no error")
	}
}

// TestColour checks that colours change nothing else.
func TestColour(t *testing.T) {
	s := rendertest.Loops()
	coloured := text(t, s, Options{Colour: true})
	var plain strings.Builder
	for i, part := range strings.Split(coloured, "\x1b[") {
		if i > 0 {
			_, part, _ = strings.Cut(part, "m")
		}
		plain.WriteString(part)
	}
	if diff := cmp.Diff(text(t, s, Options{}), plain.String()); diff != "" || !strings.Contains(coloured, "\x1b[34m") {
		t.Error(diff)
	}
}

// TestLook prints the samples when LOOK is set.
func TestLook(t *testing.T) {
	if os.Getenv("LOOK") == "" {
		t.Skip("LOOK is not set")
	}
	for _, s := range rendertest.Samples() {
		fmt.Println(text(t, s.Scene, Options{ASCII: os.Getenv("LOOK") == "ascii"}))
	}
}

func BenchmarkWrite(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		s := rendertest.Random(n, 1)
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			for b.Loop() {
				if err := Write(io.Discard, s, Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
