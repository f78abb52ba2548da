package record

import (
	"fmt"
	"io"
)

// Limits on what a compressed file may unpack to: freeUnpacked bytes, and
// maxRatio for each byte of the file that has been read. Records of kernels
// reach 33; gzip can do 1032, so a megabyte could ask for a gigabyte.
const (
	freeUnpacked = 16 << 20
	maxRatio     = 200
)

// counter counts the bytes that are read.
type counter struct {
	in io.Reader
	n  int64
}

// Read implements io.Reader.
func (c *counter) Read(b []byte) (int, error) {
	n, err := c.in.Read(b)
	c.n += int64(n)
	return n, err
}

// unpacked is a decompressed stream that ends with an error beyond the limits.
type unpacked struct {
	in     io.Reader
	packed *counter
	n      int64 // bytes so far
}

// Read implements io.Reader.
func (u *unpacked) Read(b []byte) (int, error) {
	n, err := u.in.Read(b)
	u.n += int64(n)
	if u.n > freeUnpacked+maxRatio*u.packed.n {
		return n, fmt.Errorf("gzip: expands to more than %d MiB and %d times the file: decompress it first if you trust it",
			freeUnpacked>>20, maxRatio)
	}
	return n, err
}
