package scalar

import "testing"

func BenchmarkKernelALU(b *testing.B) {
	x, k := Range(0, 15), Const(3)
	for _, op := range []Op{Add, Mul, Lsh, And} {
		b.Run(op.String(), func(b *testing.B) {
			for b.Loop() {
				KernelALU(op, false, x, k)
			}
		})
	}
}

func BenchmarkALU(b *testing.B) {
	x, k, v := Range(0, 15), Const(3), Range(1, 4)
	for _, op := range []Op{Add, Mul, Lsh, And, Div} {
		b.Run(op.String(), func(b *testing.B) {
			for b.Loop() {
				ALU(op, false, x, k)
			}
		})
	}
	b.Run("constants", func(b *testing.B) {
		for b.Loop() {
			ALU(Add, false, k, k)
		}
	})
	b.Run("lsh by variable", func(b *testing.B) {
		for b.Loop() {
			ALU(Lsh, false, x, v)
		}
	})
	b.Run("add32", func(b *testing.B) {
		for b.Loop() {
			ALU(Add, true, Unknown(), k)
		}
	})
}

func BenchmarkRefine(b *testing.B) {
	x, k := Unknown(), Const(4)
	b.Run("kernel", func(b *testing.B) {
		for b.Loop() {
			KernelRefine(JLE, false, x, k)
		}
	})
	b.Run("kernel decide", func(b *testing.B) {
		for b.Loop() {
			KernelDecide(JLE, false, x, k, false)
		}
	})
	b.Run("ours", func(b *testing.B) {
		for b.Loop() {
			Refine(JLE, false, x, k)
		}
	})
	b.Run("ours 32", func(b *testing.B) {
		for b.Loop() {
			Refine(JLE, true, x, k)
		}
	})
}

func BenchmarkJoin(b *testing.B) {
	x, y := Range(0, 15), Range(100, 200)
	b.Run("join", func(b *testing.B) {
		for b.Loop() {
			Join(x, y)
		}
	})
	b.Run("leq", func(b *testing.B) {
		for b.Loop() {
			x.Leq(y)
		}
	})
	b.Run("widen", func(b *testing.B) {
		for b.Loop() {
			Widen(x, y, 300, 400)
		}
	})
}

func BenchmarkEnumerate(b *testing.B) {
	s := bitSet(0, 0x7f8)
	for b.Loop() {
		s.Enumerate(256)
	}
}
