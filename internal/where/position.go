package where

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/bpfcfg/bpfcfg/jit/pipeline"
)

// Position is a place in machine code, as written by the user or a kernel.
type Position struct {
	Tag  string // of the program, as kernels compute it; empty when it is not stated
	Name string // of the function, cut off after 15 bytes by some kernels; may be empty
	// Offset counts bytes from the function's address, or is an address.
	Offset   uint64
	Len      uint64 // of the function in bytes, 0 when it is not stated
	Absolute bool   // Offset is an address
}

// The forms of a position: "bpf_prog_<tag>_name+0x8a0/0x900 [bpf]" and shorter.
var (
	positionForm = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^(?:bpf_prog_([0-9a-f]{16})(?:_([^+\s]*))?|([^+\s]*))\+` +
			`(0x[0-9a-fA-F]+|[0-9]+)(?:/(0x[0-9a-fA-F]+))?(?:\s*\[bpf\])?$`)
	})
	addressForm = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^0x[0-9a-fA-F]{9,16}$`)
	})
)

// Parse reads a position in any of its forms: "+0x8a0", "name+0x8a0/0x900",
// "bpf_prog_TAG_name+0x8a0/0x900 [bpf]", or an address.
func Parse(s string) (Position, error) {
	s = strings.TrimSpace(s)
	if addressForm().MatchString(s) {
		addr, err := strconv.ParseUint(s, 0, 64)
		return Position{Offset: addr, Absolute: true}, err
	}
	m := positionForm().FindStringSubmatch(s)
	if m == nil {
		return Position{}, fmt.Errorf("position %q: want +0xOFF, name+0xOFF, or bpf_prog_TAG_name+0xOFF as in a stack trace",
			s)
	}
	off, err := strconv.ParseUint(m[4], 0, 32)
	if err != nil {
		return Position{}, fmt.Errorf("position %q: the offset does not fit in 32 bits", s)
	}
	size := uint64(0)
	if m[5] != "" {
		if size, err = strconv.ParseUint(m[5], 0, 32); err != nil {
			return Position{}, fmt.Errorf("position %q: the length does not fit in 32 bits", s)
		}
	}
	return Position{Tag: m[1], Name: m[2] + m[3], Offset: off, Len: size}, nil
}

// SameBuild returns an error when the position belongs to other code than function fn of the
// analysis: its length differs, or, for the entry function, its tag is not among tags, which are
// empty if they are not known.
func (p Position) SameBuild(tags []string, a *pipeline.Analysis, fn int) error {
	if fn == 0 && p.Tag != "" && len(tags) > 0 && !slices.Contains(tags, p.Tag) {
		return fmt.Errorf("the trace is of a program with tag %s, this one has %s: another build, or another loader; "+
			"use name+0xOFF to look anyway", p.Tag, strings.Join(tags, " or "))
	}
	f := a.Image.Funcs[fn]
	if have := uint64(f.Len - f.Entry); p.Len != 0 && p.Len != have {
		return fmt.Errorf("the trace is of a function of %#x bytes, %s has %#x for %s: another build, kernel or profile; "+
			"omit /%#x to look anyway", p.Len, f.Name, have, a.Profile.Name, p.Len)
	}
	return nil
}
