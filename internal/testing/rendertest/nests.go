package rendertest

import (
	"fmt"

	"github.com/bpfcfg/bpfcfg/render"
)

// Nests makes a program of functions that are loops in loops: each loop that is not of
// the innermost level holds so many of the next one, with branches around them.
func Nests(funcs, depth, inner int) *render.Scene {
	b := New(fmt.Sprintf("nests of %d", depth))
	type loop struct{ header, level, done int }
	for fn := range funcs {
		f := b.Func(fmt.Sprintf("walk%d", fn))
		var pending []int // headers of loops that have ended: they leave to the next block
		open := []*loop{}
		next := func(insns ...string) int {
			i := b.Block(f, insns...)
			for _, h := range pending {
				b.Taken(h, i, "")
			}
			pending = nil
			return i
		}
		last := next("r6 = r1", "r7 = 0")
		enter := func(level int) {
			source := fmt.Sprintf("// for (int i%d = 0; i%d < n; i%d++) {", level, level, level)
			h := next(source, "w1 = w7", fmt.Sprintf("if w1 > %d goto +9", 10*level))
			if last >= 0 {
				b.Fall(last, h)
			}
			open = append(open, &loop{header: h, level: level})
			last = h
		}
		enter(1)
		for len(open) > 0 {
			l := open[len(open)-1]
			if l.level < depth && l.done < inner {
				l.done++
				enter(l.level + 1)
				continue
			}
			if l.level == depth {
				test := next(fmt.Sprintf("// if (a[%d])", l.header), "r2 = *(u32 *)(r6 +8)", "if r2 == 0 goto +1")
				b.Fall(last, test)
				add := next("// sum += a[i];", "r7 += r2", "r8 ^= r7")
				b.Fall(test, add)
				last = add
				pending = append(pending, test)
			}
			latch := next("r7 += 1", "goto -8")
			if last >= 0 {
				b.Fall(last, latch)
			}
			b.Goto(latch, l.header)
			var body []int
			for i := l.header; i <= latch; i++ {
				body = append(body, i)
			}
			b.Loop(body...)
			pending, last = append(pending, l.header), -1
			open = open[:len(open)-1]
		}
		next("r0 = r7", "exit")
	}
	return b.Scene()
}
