package arc

import "testing"

// TestCover: on circles of 4 and 8 points Cover includes what Intersect returns for each
// pair of parts, which Intersect itself does not; and it mostly is Intersect where that does.
func TestCover(t *testing.T) {
	for _, most := range []uint8{3, 7} {
		c := circle[uint8]{max: most}
		all := arcsOf(c)
		var torn, more, pairs int
		for _, a := range all {
			for _, b := range all {
				for _, fixed := range []bool{false, true} {
					covers := coversParts(t, c, all, a, b, fixed)
					pairs++
					if !covers {
						torn++
					} else if c.covers(a, b, fixed) != kernelMeet(c, a, b) {
						more++
					}
				}
			}
		}
		t.Logf("circle of %d: %d pairs, Intersect does not cover the parts of %d, Cover says less than it could of %d",
			most+1, pairs, torn, more)
		if torn == 0 || more > pairs/20 {
			t.Error("want some, and at most one in 20")
		}
	}
}

// arcsOf returns every normal arc of a circle.
func arcsOf(c circle[uint8]) []Arc[uint8] {
	list := []Arc[uint8]{c.full(), c.empty()}
	for base := range int(c.max) + 1 {
		for size := range int(c.max) {
			list = append(list, Arc[uint8]{uint8(base), uint8(size)})
		}
	}
	return list
}

// kernelMeet is Arc.Intersect on a small circle.
func kernelMeet(c circle[uint8], a, b Arc[uint8]) Arc[uint8] {
	m, one := c.intersect(a, b)
	switch {
	case one:
		return m
	case b.Size < a.Size || b.Size == a.Size && b.Base < a.Base:
		return b
	}
	return a
}

// coversParts checks Cover of a and b with all of their parts, and returns whether
// Intersect covers them, too.
func coversParts(t *testing.T, c circle[uint8], all []Arc[uint8], a, b Arc[uint8], fixed bool) bool {
	t.Helper()
	got, meet, covers := c.covers(a, b, fixed), kernelMeet(c, a, b), true
	for _, x := range all {
		for _, y := range all {
			if !c.includes(a, x) || !c.includes(b, y) || fixed && y != b {
				continue
			}
			k := kernelMeet(c, x, y)
			if !c.includes(got, k) {
				t.Fatalf("%v and %v, fixed %v: %v does not include %v of %v and %v", a, b, fixed, got, k, x, y)
			}
			covers = covers && c.includes(meet, k)
		}
	}
	return covers
}
