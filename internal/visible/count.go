package visible

import (
	"strconv"
	"strings"
)

// Count returns "1 block", "4 blocks" or "4 entries".
func Count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	if stem, ok := strings.CutSuffix(what, "ry"); ok {
		return strconv.Itoa(n) + " " + stem + "ries"
	}
	return strconv.Itoa(n) + " " + what + "s"
}
