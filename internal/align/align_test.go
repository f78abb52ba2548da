package align

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestPairs(t *testing.T) {
	for _, c := range []struct {
		name string
		a, b []uint64
		want []Pair
	}{
		{"equal", []uint64{1, 2, 1}, []uint64{1, 2, 1}, []Pair{{0, 0}, {1, 1}, {2, 2}}},
		{"empty", nil, []uint64{1}, nil},
		{"changed in the middle", []uint64{1, 2, 3}, []uint64{1, 9, 3}, []Pair{{0, 0}, {2, 2}}},
		{"inserted", []uint64{1, 3}, []uint64{1, 2, 3}, []Pair{{0, 0}, {1, 2}}},
		{"moved to the end", []uint64{7, 1, 2, 3}, []uint64{1, 2, 3, 7}, []Pair{{1, 0}, {2, 1}, {3, 2}}},
		{"nothing unique", []uint64{8, 5, 5, 9, 8, 9}, []uint64{9, 5, 5, 8, 9, 8}, []Pair{{1, 1}, {2, 2}, {4, 3}, {5, 4}}},
		{"nothing common", []uint64{1, 2}, []uint64{3, 4}, nil},
	} {
		got := Pairs(c.a, c.b)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// lcs is the length of a longest common subsequence, by the textbook table.
func lcs(a, b []uint64) int {
	row := make([]int, len(b)+1)
	for i := range a {
		diag := 0
		for j := range b {
			up := row[j+1]
			if a[i] == b[j] {
				row[j+1] = diag + 1
			} else {
				row[j+1] = max(row[j+1], row[j])
			}
			diag = up
		}
	}
	return row[len(b)]
}

// TestPairsProperties: pairs ascend, join equal keys, are no more than there can
// be, and are all there is when an element was only added or taken away.
func TestPairsProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seq := func(name string) []uint64 {
			return rapid.SliceOfN(rapid.Uint64Range(0, 6), 0, 30).Draw(t, name)
		}
		a, b := seq("a"), seq("b")
		prev := Pair{-1, -1}
		got := Pairs(a, b)
		for _, p := range got {
			if p.A <= prev.A || p.B <= prev.B || a[p.A] != b[p.B] {
				t.Fatalf("%v after %v for %v and %v", p, prev, a, b)
			}
			prev = p
		}
		if most := lcs(a, b); len(got) > most || most > 0 && len(got) == 0 {
			t.Fatalf("%d pairs of at most %d for %v and %v", len(got), most, a, b)
		}
		if n := len(b); n > 0 {
			i := rapid.IntRange(0, n-1).Draw(t, "i")
			if got := Pairs(b, slices.Delete(slices.Clone(b), i, i+1)); len(got) != n-1 {
				t.Fatalf("%d pairs for %v without element %d", len(got), b, i)
			}
		}
	})
}

// TestBest: with a score of 1 for equal elements the pairs are a longest common
// subsequence.
func TestBest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.SliceOfN(rapid.Uint64Range(0, 4), 0, 12).Draw(t, "a")
		b := rapid.SliceOfN(rapid.Uint64Range(0, 4), 0, 12).Draw(t, "b")
		got := Best(len(a), len(b), func(i, j int) int {
			if a[i] == b[j] {
				return 1
			}
			return -1
		})
		prev := Pair{-1, -1}
		for _, p := range got {
			if p.A <= prev.A || p.B <= prev.B || a[p.A] != b[p.B] {
				t.Fatalf("%v after %v for %v and %v", p, prev, a, b)
			}
			prev = p
		}
		if want := lcs(a, b); len(got) != want {
			t.Fatalf("%d pairs for %v and %v, want %d", len(got), a, b, want)
		}
	})
	if Best(MaxBest, 2, func(int, int) int { return 1 }) != nil {
		t.Error("no limit")
	}
}

// BenchmarkPairs aligns sequences with few different keys, of which every
// hundredth differs.
func BenchmarkPairs(b *testing.B) {
	for _, n := range []int{10_000, 1_000_000} {
		x, y := make([]uint64, n), make([]uint64, n)
		for i := range x {
			x[i] = uint64(i*i%977) % 50
			y[i] = x[i]
			if i%100 == 0 {
				y[i] = 99
			}
		}
		b.Run(map[int]string{10_000: "10k", 1_000_000: "1M"}[n], func(b *testing.B) {
			for b.Loop() {
				Pairs(x, y)
			}
		})
	}
}
