// Package visits reads how often the instructions of a program were visited:
// from a log of the kernel's verifier, or from a file of counts.
//
//	n, err := visits.Read(f, "classify", 57)
//	n[19] // visits of slot 19
//
// A log is what BPF_PROG_LOAD returns at log level 2, in which the verifier
// prints "19: (0d) gotox r2" at every visit (kernel/bpf/verifier.c, do_check).
// veristat and libbpf print logs of several programs with a line above each
// that names it; only those of the program asked for count. A file of counts
// has lines "SLOT COUNT" and comments behind "#".
//
// The package does not know programs: whether a log is of this build of a
// program nobody can tell but by slots that do not exist.
package visits

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
	"strconv"
	"strings"
)

// maxLine bounds the part of a line that is looked at. States behind an
// instruction may be longer; they are skipped.
const maxLine = 4096

// Read returns the visits of each of a program's slots.
func Read(r io.Reader, program string, slots int) ([]uint64, error) {
	c := &counter{program: program, visits: make([]uint64, slots)}
	in := bufio.NewReaderSize(r, maxLine)
	for n := 1; ; n++ {
		line, err := readLine(in)
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = c.line(line)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	if !c.found {
		if c.named {
			return nil, fmt.Errorf("no log of a program %q: those that are there name others", program)
		}
		return nil, errors.New(`no counts: neither a verifier log of level 2 nor lines "SLOT COUNT"`)
	}
	return c.visits, nil
}

// readLine returns the next line without its end, cut off at maxLine bytes.
func readLine(in *bufio.Reader) (string, error) {
	part, more, err := in.ReadLine()
	line := string(part)
	for more && err == nil {
		_, more, err = in.ReadLine()
	}
	return line, err
}

// counter adds up visits.
type counter struct {
	program string
	visits  []uint64
	format  format
	named   bool // a line named a program
	other   bool // the log is another program's
	found   bool
}

type format uint8

const (
	unknown format = iota
	counts
	log
)

func (c *counter) line(line string) error {
	if c.format != log {
		text, _, _ := strings.Cut(line, "#")
		f := strings.Fields(text)
		if len(f) == 2 {
			slot, err1 := strconv.ParseUint(f[0], 10, 64)
			n, err2 := strconv.ParseUint(f[1], 10, 64)
			if err1 == nil && err2 == nil {
				c.format = counts
				return c.add(slot, n)
			}
		}
		if c.format == counts && len(f) > 0 {
			return fmt.Errorf("%q is not SLOT COUNT", text)
		}
		if len(f) > 0 {
			c.format = log
		}
	}
	if name, ok := heading(line); ok {
		c.named, c.other = true, name != c.program
		return nil
	}
	if slot, ok := visited(line); ok && !c.other {
		return c.add(slot, 1)
	}
	return nil
}

// heading returns the program that a line above a log names, in the words of
// veristat and of libbpf.
func heading(line string) (string, bool) {
	if rest, ok := strings.CutPrefix(line, "PROCESSING "); ok {
		name, _, ok := strings.Cut(rest, ", DURATION")
		return name[strings.LastIndexByte(name, '/')+1:], ok
	}
	if before, ok := strings.CutSuffix(line, "': -- BEGIN PROG LOAD LOG --"); ok {
		_, name, ok := strings.Cut(before, "prog '")
		return name, ok
	}
	return "", false
}

// visited returns the slot of a line "19: (0d) …".
func visited(line string) (uint64, bool) {
	number, rest, ok := strings.Cut(line, ": (")
	if !ok || len(rest) < 3 || rest[2] != ')' {
		return 0, false
	}
	if _, err := strconv.ParseUint(rest[:2], 16, 8); err != nil {
		return 0, false
	}
	slot, err := strconv.ParseUint(number, 10, 64)
	return slot, err == nil
}

func (c *counter) add(slot, n uint64) error {
	if slot >= uint64(len(c.visits)) {
		return fmt.Errorf("slot %d: the program has %d: is it another's?", slot, len(c.visits))
	}
	c.found = true
	sum, over := bits.Add64(c.visits[slot], n, 0)
	if over != 0 {
		sum = math.MaxUint64
	}
	c.visits[slot] = sum
	return nil
}
