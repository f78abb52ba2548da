package visible

import (
	"iter"
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

// Runs yields the first and the last of each run of consecutive numbers in an ascending list.
func Runs(s []int) iter.Seq2[int, int] {
	return func(yield func(first, last int) bool) {
		for i, j := 0, 0; i < len(s); i = j {
			for j = i + 1; j < len(s) && s[j] == s[j-1]+1; j++ {
			}
			if !yield(s[i], s[j-1]) {
				return
			}
		}
	}
}
