// Package browser tests the page of package render in a browser: that it loads
// without an error or a request, finds, shows, moves, prints and answers keys.
//
// It has only tests. They need Chromium on PATH and are skipped without it:
//
//	apt-get install chromium
//	go test ./internal/testing/browser
//	PAGE_BLOCKS=10000 go test ./internal/testing/browser -run Large -v   # with times
//	PAGE_FILE=x.html go test ./internal/testing/browser -run Large -v    # of another page
//	PICTURES=/tmp/p go test ./internal/testing/browser                   # what windows show
package browser
