package rendertest

import (
	"fmt"
	"math/rand/v2"
	"reflect"

	"github.com/bpfcfg/bpfcfg/render"
)

// Three is the smallest program with a branch.
func Three() *render.Scene {
	b := New("three")
	f := b.Func("classify")
	b.Block(f, "// int ret = 1;", "r0 = 1", "// if (ctx->len == 0)", "r1 = *(u32 *)(r1 +0)", "if r1 == 0 goto +1")
	b.Block(f, "// ret = 2;", "r0 = 2")
	b.Block(f, "// return ret;", "exit")
	b.Fall(0, 1)
	b.Taken(0, 2, "r1 == 0")
	b.Fall(1, 2)
	return b.Scene()
}

// Switch is a program around one jump table with n targets, of which every
// fourth entry is the default.
func Switch(n int) *render.Scene {
	b := New(fmt.Sprintf("switch %d", n))
	f := b.Func("dispatch")
	b.Block(f, "// __u32 op = ctx->op;", "w1 = *(u32 *)(r1 +0)", fmt.Sprintf("// switch (op) { /* %d cases */", n),
		fmt.Sprintf("if w1 > %d goto +%d", n-1, 3*n))
	b.Block(f, "r2 = BPF.JT.0.0 ll", "w1 <<= 3", "r2 += r1", "r2 = *(u64 *)(r2 +0)", "gotox r2")
	b.Fall(0, 1)
	var cases, targets []int
	for i := range n {
		c := b.Block(f, fmt.Sprintf("// case %d: return handle_%d(ctx);", i, i), fmt.Sprintf("r0 = %d", i*3), "goto +9")
		cases = append(cases, c)
	}
	def := b.Block(f, "// default: return -1;", "r0 = -1")
	exit := b.Block(f, "exit")
	for i, c := range cases {
		b.Goto(c, exit)
		if i%4 == 3 {
			targets = append(targets, def)
		}
		targets = append(targets, c)
	}
	b.Taken(0, def, fmt.Sprintf("w1 > %d", n-1))
	b.Fall(def, exit)
	b.Switch("BPF.JT.0.0", 1, targets...)
	return b.Scene()
}

// Loops has a loop with a break inside a loop.
func Loops() *render.Scene {
	b := New("nested loops")
	f := b.Func("scan")
	b.Block(f, "// for (i = 0; i < n; i++)", "r6 = r1", "r7 = 0")
	b.Block(f, "if r7 >= r8 goto +9")
	b.Block(f, "// for (j = 0; j < m; j++)", "r9 = 0")
	b.Block(f, "if r9 >= 16 goto +5")
	b.Block(f, "// if (data[j] == key) break;", "r1 = *(u8 *)(r6 +0)", "if r1 == r5 goto +4")
	b.Block(f, "r6 += 1", "r9 += 1", "goto -5")
	b.Block(f, "// total += j;", "r0 += r9")
	b.Block(f, "r7 += 1", "goto -9")
	b.Block(f, "// return total;", "exit")
	b.Fall(0, 1)
	b.Taken(1, 8, "r7 >= r8")
	b.Fall(1, 2)
	b.Fall(2, 3)
	b.Taken(3, 6, "r9 >= 16")
	b.Fall(3, 4)
	b.Taken(4, 7, "r1 == r5")
	b.Fall(4, 5)
	b.Goto(5, 3)
	b.Fall(6, 7)
	b.Goto(7, 1)
	b.Loop(1, 2, 3, 4, 5, 6, 7)
	b.Loop(3, 4, 5)
	return b.Scene()
}

// Funcs has several functions, calls, a tail call, dead code and an unresolved
// jump.
func Funcs() *render.Scene {
	b := New("several functions")
	f := b.Func("entry")
	g := b.Func("parse_ipv4")
	h := b.Func("count")
	u := b.Func("cold")
	b.s.Funcs[u].Note = "never called"
	b.s.Funcs[f].Entry = 0
	b0 := b.Block(f, "// if (parse(ctx))", "r6 = r1", "call parse_ipv4", "if r0 == 0 goto +3")
	b1 := b.Block(f, "// count(ctx);", "r1 = r6", "call count", "goto +2")
	b2 := b.Block(f, "// bpf_tail_call(ctx, &jmp, 3);", "r2 = map[jmp_table] ll", "r3 = 3", "call bpf_tail_call#12")
	b3 := b.Block(f, "r0 = 1")
	b4 := b.Block(f, "exit")
	b.Fall(b0, b1)
	b.Taken(b0, b2, "r0 == 0")
	b.Goto(b1, b4)
	b.Fall(b2, b3)
	b.Fall(b3, b4)
	b.Edge(render.Edge{From: b2, To: render.Outside, Kind: render.TailCall, Label: "jmp_table[3]"})
	b.s.Funcs[g].Entry = len(b.s.Blocks)
	g0 := b.Block(g, "// struct iphdr *ip = data;", "r2 = *(u64 *)(r1 +80)", "if r2 > r3 goto +4")
	g1 := b.Block(g, "// goto *handlers[ip->protocol];", "r4 = *(u8 *)(r2 +9)", "gotox r4")
	g2 := b.Block(g, "// return 0; /* too short */", "r0 = 0", "exit")
	b.Fall(g0, g1)
	b.Taken(g0, g2, "")
	b.Edge(render.Edge{From: g1, To: render.Outside, Kind: render.Indirect})
	b.s.Blocks[g1].Status, b.s.Blocks[g1].Reason = "unresolved", "r4 is not an address from a jump table"
	b.s.Funcs[h].Entry = len(b.s.Blocks)
	h0 := b.Block(h, "r1 = 0", "if r1 == 1 goto +2")
	h1 := b.Block(h, "r0 = 0", "exit")
	h2 := b.Block(h, "// unreachable: r1 is 0", "r0 = 7", "exit")
	b.Fall(h0, h1)
	b.Taken(h0, h2, "r1 == 1")
	b.Dead(h2, "r1 is 0 at slot 13")
	b.s.Funcs[u].Entry = len(b.s.Blocks)
	u0 := b.Block(u, "r0 = 0", "exit")
	b.Dead(u0, "no call leads here")
	for i := range b.s.Blocks {
		b.s.Blocks[i].Entry = b.s.Funcs[b.s.Blocks[i].Func].Entry == i
	}
	b.Call(b0, g)
	b.Call(b1, h)
	b.s.Notes = append(b.s.Notes, "gotox at slot 12 is unresolved: every block could follow it")
	b.s.Mismatches = append(b.s.Mismatches, "b3 has 7 bytes here and 9 in the kernel's image")
	return b.Scene()
}

// Threaded is an interpreter whose n handlers each end in a gotox over the same
// table.
func Threaded(n int) *render.Scene {
	b := New(fmt.Sprintf("threaded interpreter %d", n))
	f := b.Func("run")
	b.Block(f, "r6 = r1", "r2 = *(u64 *)(r6 +0)", "gotox r2")
	var hs []int
	for i := range n {
		hs = append(hs, b.Block(f,
			fmt.Sprintf("// op_%d: NEXT;", i), fmt.Sprintf("r0 += %d", i), "r2 = *(u64 *)(r6 +8)", "gotox r2"))
	}
	end := b.Block(f, "// op_halt: return acc;", "exit")
	targets := append(hs, end)
	b.Switch("handlers", 0, targets...)
	for _, h := range hs {
		b.s.Tables[0].Jumps = append(b.s.Tables[0].Jumps, h)
		for i, to := range targets {
			b.Edge(render.Edge{From: h, To: to, Kind: render.Indirect, Label: fmt.Sprint(i), Back: to <= h})
		}
	}
	b.Loop(hs...)
	return b.Scene()
}

// Random is a program of n blocks like those compilers make: mostly local
// branches, loops, a few switches, a common exit.
func Random(n int, seed uint64) *render.Scene {
	r := rand.New(rand.NewPCG(seed, 7))
	b := New(fmt.Sprintf("random %d", n))
	f := b.Func("main")
	ops := []string{
		"r1 += r2", "w3 = w1", "r2 = *(u32 *)(r10 -16)", "*(u64 *)(r10 -8) = r1", "r4 <<= 32", "call bpf_map_lookup_elem#1",
	}
	for i := range n {
		var insns []string
		for range 1 + r.IntN(7) {
			insns = append(insns, ops[r.IntN(len(ops))])
		}
		if r.IntN(3) == 0 {
			insns = append([]string{fmt.Sprintf("// x = f(x, %d);", i)}, insns...)
		}
		b.Block(f, insns...)
	}
	near := func(v, d int) int { return min(n-1, max(0, v+d)) }
	for v := range n - 1 {
		switch k := r.IntN(40); {
		case k == 0:
			b.Taken(v, n-1, "")
			b.Fall(v, v+1)
		case k == 1 && v+9 < n:
			var ts []int
			for range 5 + r.IntN(12) {
				ts = append(ts, near(v, 1+r.IntN(12)))
			}
			b.Switch(fmt.Sprintf("BPF.JT.0.%d", v), v, append(ts, v+1)...)
		case k < 5:
			b.Fall(v, v+1)
			b.Taken(v, near(v, -r.IntN(8)), "")
		case k < 8:
			b.Goto(v, near(v, 2+r.IntN(4)))
			b.Edge(render.Edge{From: v, To: v + 1, Kind: render.Taken, Label: "may_goto"})
		case k < 28:
			b.Fall(v, v+1)
			b.Taken(v, near(v, 2+r.IntN(5)), "")
		default:
			b.Fall(v, v+1)
		}
	}
	return b.Scene()
}

// Hostile is a program in which every string tries to break out of a drawing: each string of the
// scene is text. Types of strings with a meaning, such as kinds of edges, have one such value each.
func Hostile(text string) *render.Scene {
	b := New(text)
	f := b.Func("f")
	b.Block(f, "// c", "r1 = 0", "gotox r1")
	b.Block(f, "exit")
	b.Block(f, "exit")
	b.Switch("t", 0, 1, 1, 0)
	b.Taken(0, 1, "r1 == 0")
	b.Edge(render.Edge{From: 1, To: render.Outside, Kind: render.TailCall, Label: "x"})
	b.Edge(render.Edge{From: 1, To: render.Outside, Kind: render.EdgeKind(text), Label: "x"})
	s := b.Scene()
	s.Blocks[1].Reachable = false
	s.Blocks[2].Folded = &render.Folded{Kind: "loop"}
	for i := range s.Blocks {
		n := uint64(i)
		s.Blocks[i].Count = &n
		s.Blocks[i].Details = []render.Section{{Title: "t", Lines: []string{"l"}}}
	}
	s.Notes, s.Mismatches, s.Unsure = []string{"n"}, []string{"m"}, []string{"u"}
	s.Image.Marks = []render.ByteMark{{Kind: render.BytesMismatch, Offset: 1, Len: 2},
		{Kind: render.ByteMarkKind(text), Len: 1}}
	last := s.Image.Pieces[len(s.Image.Pieces)-1]
	s.Image.Pieces = append(s.Image.Pieces, render.Piece{Kind: render.PieceKind(text), Block: -1,
		Offset: last.Offset + last.Len})
	s.Image.Jumps = append(s.Image.Jumps, render.Jump{To: 30, Kind: render.EdgeKind(text), Edge: -1})
	s.Aside = []render.Section{{Title: "t", Lines: []string{"l"}}}
	s.Findings = []render.Finding{{Block: 1, Slot: 1, Level: "error", ID: "i", Message: "m", Fix: "f"}, {Level: "l"}}
	s.Groups = []render.Group{{Kind: render.GroupRounds, Text: "2 rounds", Blocks: []int{0, 2}}}
	s.Code = []render.Code{{Block: 0, Slot: 0, Text: "r1 = 0", State: render.CodeChanged,
		X86: []render.X86{{Offset: 4, Text: "xor %edi,%edi"}}}}
	before := *s.Image
	s.Before = &before
	fill(reflect.ValueOf(s).Elem(), text)
	return s
}

// fill sets every field of type string below v.
func fill(v reflect.Value, text string) {
	todo := []reflect.Value{v}
	for len(todo) > 0 {
		v, todo = todo[len(todo)-1], todo[:len(todo)-1]
		switch v.Kind() {
		case reflect.String:
			if v.Type() == reflect.TypeFor[string]() {
				v.SetString(text)
			}
		case reflect.Pointer:
			if !v.IsNil() {
				todo = append(todo, v.Elem())
			}
		case reflect.Slice:
			for i := range v.Len() {
				todo = append(todo, v.Index(i))
			}
		case reflect.Struct:
			for i := range v.NumField() {
				todo = append(todo, v.Field(i))
			}
		}
	}
}

// Sample is a scene with a file name.
type Sample struct {
	Name  string
	Scene *render.Scene
}

// Samples returns the scenes that goldens are kept of.
func Samples() []Sample {
	return []Sample{
		{"three", Three()},
		{"switch15", Switch(15)},
		{"loops", Loops()},
		{"funcs", Funcs()},
		{"threaded", Threaded(12)},
		{"random60", Random(60, 3)},
	}
}
