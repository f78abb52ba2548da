// Package tidy holds the rules of the source tree that no compiler checks: who
// may import whom, how long a function may be, that names are documented, and
// that documents name only paths that exist.
//
// It has only tests:
//
//	go test ./internal/testing/tidy
package tidy
