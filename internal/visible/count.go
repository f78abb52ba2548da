package visible

import "strconv"

// Count returns "1 block" or "4 blocks".
func Count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}
