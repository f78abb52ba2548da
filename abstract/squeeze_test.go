package abstract

import "testing"

// TestSqueeze gives a value more alternatives than are kept. It may still point to whatever one of
// them pointed to, above all to the stack.
func TestSqueeze(t *testing.T) {
	for _, objects := range []int{1, maxAlts - 2, 2 * maxAlts} {
		var alts []Alt
		for i := range 3 * maxAlts {
			alts = append(alts, pointer(MapValue, i%objects, int64(8*i)).Alt)
		}
		alts = append(alts, pointer(Stack, 0, -8).Alt)
		v := fromAlts(alts)
		if n := len(v.alts()); n > maxAlts {
			t.Errorf("%d objects: %d alternatives", objects, n)
		}
		for i := range alts {
			if !v.has(func(b *Alt) bool {
				return alts[i].leq(b) || b.Kind == Number && b.flags&maybePtr != 0 && (!isStack(&alts[i]) || isStack(b))
			}) {
				t.Errorf("%d objects: %v is lost in %v", objects, &Value{Alt: alts[i]}, v)
				break
			}
		}
	}
}
