package display

import (
	"math"
	"strconv"
)

// pathReader reads path data (SVG 2, section 9.3).
type pathReader struct {
	s        string
	out      Path
	at       Pt // current point
	start    Pt // of the subpath
	relative bool
	bad      bool
}

// readPath returns the path of an attribute d, and whether all of it was
// understood.
func readPath(s string) (Path, bool) {
	p := pathReader{s: s}
	cmd := byte(0)
	for p.skip(); p.s != "" && !p.bad; p.skip() {
		c := p.s[0]
		if c|0x20 >= 'a' && c|0x20 <= 'z' {
			cmd = c
			p.s = p.s[1:]
		} else if cmd == 'M' {
			cmd = 'L'
		} else if cmd == 'm' {
			cmd = 'l'
		} else if cmd|0x20 == 'z' {
			p.bad = true
			break
		}
		p.relative = cmd >= 'a'
		p.step(cmd | 0x20)
	}
	return p.out, !p.bad && (len(p.out.Ops) == 0 || p.out.Ops[0] == Move)
}

func (p *pathReader) step(cmd byte) {
	switch cmd {
	case 'm':
		p.at = p.point()
		p.start = p.at
		p.out.add(Move, p.at)
	case 'l':
		p.at = p.point()
		p.out.add(Line, p.at)
	case 'h':
		x := p.number()
		if p.relative {
			x += p.at.X
		}
		p.at.X = x
		p.out.add(Line, p.at)
	case 'v':
		y := p.number()
		if p.relative {
			y += p.at.Y
		}
		p.at.Y = y
		p.out.add(Line, p.at)
	case 'q':
		a, b := p.point(), p.point()
		p.at = b
		p.out.add(Quad, a, b)
	case 'c':
		a, b, c := p.point(), p.point(), p.point()
		p.at = c
		p.out.add(Cube, a, b, c)
	case 'a':
		rx, ry, _, large, sweep := p.number(), p.number(), p.number(), p.flag(), p.flag()
		to := p.point()
		p.arc(max(rx, ry), large, sweep, to)
		p.at = to
	case 'z':
		p.at = p.start
		p.out.add(Close)
	default:
		p.bad = true
	}
}

func (p *pathReader) skip() {
	for p.s != "" && (p.s[0] == ' ' || p.s[0] == ',' || p.s[0] == '\n') {
		p.s = p.s[1:]
	}
}

func (p *pathReader) point() Pt {
	q := Pt{p.number(), p.number()}
	if p.relative {
		q.X += p.at.X
		q.Y += p.at.Y
	}
	return q
}

func (p *pathReader) number() float64 {
	p.skip()
	n, dot := 0, false
	for n < len(p.s) {
		c := p.s[n]
		digit := c >= '0' && c <= '9'
		sign := n == 0 && (c == '-' || c == '+')
		if !digit && !sign && (c != '.' || dot) {
			break
		}
		dot = dot || c == '.'
		n++
	}
	f, err := strconv.ParseFloat(p.s[:n], 64)
	if err != nil || !finite(f) {
		p.bad = true
		return 0
	}
	p.s = p.s[n:]
	return f
}

// flag reads a flag of an arc, one digit that the next number may touch.
func (p *pathReader) flag() bool {
	p.skip()
	if p.s == "" || p.s[0] != '0' && p.s[0] != '1' {
		p.bad = true
		return false
	}
	on := p.s[0] == '1'
	p.s = p.s[1:]
	return on
}

// arc adds a piece of a circle as cubic curves, one a quarter turn at most. The
// centre is found as in SVG 2, appendix B.2.4.
func (p *pathReader) arc(r float64, large, sweep bool, to Pt) {
	dx, dy := (p.at.X-to.X)/2, (p.at.Y-to.Y)/2
	half := math.Hypot(dx, dy)
	if half == 0 || r <= 0 {
		p.out.add(Line, to)
		return
	}
	r = max(r, half)
	off := math.Sqrt(max(0, r*r-half*half)) / half
	if large == sweep {
		off = -off
	}
	c := Pt{(p.at.X+to.X)/2 + off*dy, (p.at.Y+to.Y)/2 - off*dx}
	a0 := math.Atan2(p.at.Y-c.Y, p.at.X-c.X)
	turn := math.Atan2(to.Y-c.Y, to.X-c.X) - a0
	if sweep && turn < 0 {
		turn += 2 * math.Pi
	} else if !sweep && turn > 0 {
		turn -= 2 * math.Pi
	}
	n := int(math.Ceil(math.Abs(turn)/(math.Pi/2) - 1e-9))
	for i := range max(n, 1) {
		p.quarter(c, r, a0+turn*float64(i)/float64(n), turn/float64(n))
	}
	p.out.Pts[len(p.out.Pts)-1] = to
}

// quarter adds the curve for a turn of at most a right angle.
func (p *pathReader) quarter(c Pt, r, from, turn float64) {
	k := 4.0 / 3 * math.Tan(turn/4)
	on := func(a, along float64) Pt {
		sin, cos := math.Sincos(a)
		return Pt{c.X + r*(cos-along*sin), c.Y + r*(sin+along*cos)}
	}
	p.out.add(Cube, on(from, k), on(from+turn, -k), on(from+turn, 0))
}

// rectPath returns a rectangle with corners of radius rx.
func rectPath(x, y, w, h, rx float64) Path {
	var p Path
	rx = max(0, min(rx, w/2, h/2))
	if rx == 0 {
		p.add(Move, Pt{x, y})
		p.add(Line, Pt{x + w, y})
		p.add(Line, Pt{x + w, y + h})
		p.add(Line, Pt{x, y + h})
		p.add(Close)
		return p
	}
	const k = 0.44771525016920655 // 1 - 4/3·tan(π/8): how far a control is from the corner
	p.add(Move, Pt{x + rx, y})
	p.add(Line, Pt{x + w - rx, y})
	p.add(Cube, Pt{x + w - k*rx, y}, Pt{x + w, y + k*rx}, Pt{x + w, y + rx})
	p.add(Line, Pt{x + w, y + h - rx})
	p.add(Cube, Pt{x + w, y + h - k*rx}, Pt{x + w - k*rx, y + h}, Pt{x + w - rx, y + h})
	p.add(Line, Pt{x + rx, y + h})
	p.add(Cube, Pt{x + k*rx, y + h}, Pt{x, y + h - k*rx}, Pt{x, y + h - rx})
	p.add(Line, Pt{x, y + rx})
	p.add(Cube, Pt{x, y + k*rx}, Pt{x + k*rx, y}, Pt{x + rx, y})
	p.add(Close)
	return p
}
