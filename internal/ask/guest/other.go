//go:build !linux || !amd64

package guest

// Wanted returns false: guests are Linux on x86-64.
func Wanted() bool { return false }

// Main returns: there is nothing to do.
func Main() {}
