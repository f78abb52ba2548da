//go:build !linux || !amd64

package native

import (
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit"
)

// Code is an image in executable memory.
type Code struct{}

// Load returns ErrUnsupported on this platform.
func Load(*bytecode.Program, *jit.Program, jit.Profile, Options) (*Code, error) {
	return nil, ErrUnsupported
}

// Run calls the program.
func (c *Code) Run([]byte) (uint64, error) { return 0, ErrUnsupported }

// RunPlain calls the program in the manner of bpf_conformance.
func (c *Code) RunPlain([]byte) (uint64, error) { return 0, ErrUnsupported }

// RunPacket calls the program for a packet.
func (c *Code) RunPacket([]byte) (uint64, error) { return 0, ErrUnsupported }

// Value returns the value of element 0 of the map with this index.
func (c *Code) Value(int) []byte { return nil }

// Element returns the value of an element of the map with this index.
func (c *Code) Element(int, int) []byte { return nil }

// Image returns the image that was placed.
func (c *Code) Image() *jit.Image { return nil }

// Close gives the memory back.
func (c *Code) Close() {}
