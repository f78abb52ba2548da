package render

import (
	"fmt"
	"math/bits"
)

// heatLevels is the number of tints of counts above zero.
const heatLevels = 5

// heat returns the class of a count's tint with a space in front, "" without
// count. Tints go by the count's length in bits: counts of loops spread over
// many powers of two, and a linear scale would show the hottest block alone.
func (d *drawing) heat(count *uint64) string {
	if count == nil {
		return ""
	}
	return fmt.Sprintf(" q%d", heatLevel(*count, d.hottest))
}

// heatLevel returns 0 for 0, else 1 to heatLevels.
func heatLevel(count, most uint64) int {
	if count == 0 {
		return 0
	}
	if most <= 1 {
		return 1
	}
	return 1 + (heatLevels-1)*(bits.Len64(count)-1)/(bits.Len64(most)-1)
}

// hottest returns the greatest count of the scene.
func (s *Scene) hottest() uint64 {
	var most uint64
	for i := range s.Blocks {
		if c := s.Blocks[i].Count; c != nil {
			most = max(most, *c)
		}
	}
	return most
}

// countText writes a count in few characters: "×17", "×1.2k", "×3.4M".
func countText(count *uint64) string {
	if count == nil {
		return ""
	}
	n, unit := *count, ""
	for _, u := range []string{"k", "M", "G", "T", "P", "E"} {
		if n < 1000 {
			break
		}
		if n < 10_000 {
			return fmt.Sprintf("×%d.%d%s", n/1000, n%1000/100, u)
		}
		n, unit = n/1000, u
	}
	return fmt.Sprintf("×%d%s", n, unit)
}

// countTexts writes a block's count, and what it was before: "×17 (×3)".
func countTexts(b *Block) string {
	switch now, before := countText(b.Count), countText(b.CountBefore); {
	case before == "":
		return now
	case now == "":
		return "(" + before + ")"
	default:
		return now + " (" + before + ")"
	}
}
