// Package visits reads how often the instructions of a program were visited:
// from a log of the kernel's verifier, or from a file of counts.
//
//	c, err := visits.Read(f, "classify", 57)
//	c.Slots[19] // visits of slot 19
//
// A log is what BPF_PROG_LOAD returns at log level 2, in which the verifier
// prints "19: (0d) gotox r2" at every visit (kernel/bpf/verifier.c, do_check).
// Before its walk, recent kernels list the program in the same form; the walk
// begins with the state of the registers, "0: R1=ctx() R10=fp0". veristat and
// libbpf print logs of several programs with a line above each that names it;
// only those of the program asked for count. A file of counts
// has lines "SLOT COUNT" and comments after "#".
//
// The package does not know programs. It notices a log of another build only if that has
// slots which do not exist.
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

	"github.com/bpfcfg/bpfcfg/internal/visible"
)

// maxLine bounds the part of a line that is looked at. States after an
// instruction may be longer; they are skipped.
const maxLine = 4096

// Counts holds the number of visits of each slot of a program.
type Counts struct {
	Slots []uint64
	Total uint64 // visits of all slots
	// Passes counts how often a visit of one slot, the first of the pair, led to a visit of the
	// other, or would have without a known state there. The targets of returns are left out. Nil
	// for a file of counts.
	Passes map[[2]int]uint64
	// Walked is the number of visits that the log reports, 0 if it does not: those of slots, and
	// the Pruned, at which the walk ended since the state was a known one. It is more when the
	// log's buffer was too small for all.
	Walked, Pruned uint64
}

// ErrOther says that a file has logs, but none of the program.
var ErrOther = errors.New("the file has logs of other programs")

// Read returns the visits of a program with so many slots.
func Read(r io.Reader, program string, slots int) (*Counts, error) {
	c := &counter{program: program, prev: -1, exits: map[int]bool{}}
	c.Slots = make([]uint64, slots)
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
			return nil, fmt.Errorf("no log of the program %q: %w", program, ErrOther)
		}
		return nil, errors.New(`no counts: neither a verifier log of level 2 nor lines "SLOT COUNT"`)
	}
	return &c.Counts, nil
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
	Counts
	program string
	format  format
	named   bool // a line named a program
	other   bool // the log is another program's
	walking bool // the listings before the walk are over
	found   bool
	exits   map[int]bool
	prev    int // slot from which the walk goes on, -1 where it begins anew
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
		c.named, c.other, c.walking = true, name != c.program, false
		return nil
	}
	if c.other {
		return nil
	}
	if c.walking {
		if c.walk(line) {
			return nil
		}
	}
	number, rest, _ := strings.Cut(line, ": ")
	if slot, err := strconv.ParseUint(number, 10, 64); err == nil {
		c.walking = c.walking || state(rest)
		if c.walking && visit(rest) {
			return c.visited(slot, rest)
		}
		return nil
	}
	if rest, ok := strings.CutPrefix(line, "processed "); ok {
		number, _, _ := strings.Cut(rest, " insns")
		if n, err := strconv.ParseUint(number, 10, 64); err == nil {
			c.Walked += n
		}
	}
	return nil
}

// walk reads a line of a walk that is not a visit: where the walk resumes, and where it ends. It
// reports whether the line was one.
func (c *counter) walk(line string) bool {
	before, safe := strings.CutSuffix(line, ": safe")
	if safe {
		c.Pruned++
	}
	if strings.HasPrefix(line, "Validating ") { // a global function by itself
		c.prev = -1
		return true
	}
	if rest, ok := strings.CutPrefix(before, "from "); ok {
		from, rest, _ := strings.Cut(rest, " to ")
		to := rest[:digits(rest)]
		i, err1 := strconv.Atoi(from)
		j, err2 := strconv.Atoi(to)
		if err1 == nil && err2 == nil {
			c.pass(i, j)
			c.prev = -1
		}
		return true
	}
	if safe {
		if to, err := strconv.Atoi(before); err == nil {
			c.pass(c.prev, to)
		}
		c.prev = -1
	}
	return safe
}

// digits returns the length of the number that text begins with.
func digits(text string) int {
	n := 0
	for n < len(text) && text[n] >= '0' && text[n] <= '9' {
		n++
	}
	return n
}

// visited counts a visit, and the passage to it. text is the instruction.
func (c *counter) visited(slot uint64, text string) error {
	if err := c.add(slot, 1); err != nil {
		return err
	}
	c.pass(c.prev, int(slot))
	c.prev = int(slot)
	if strings.HasPrefix(text, "(95)") { // exit: the next visit continues something else
		c.prev = -1
		c.exits[int(slot)] = true
	}
	return nil
}

// pass counts a passage between two slots of the program.
func (c *counter) pass(from, to int) {
	if c.exits[from] || from < 0 || from >= len(c.Slots) || to < 0 || to >= len(c.Slots) {
		return
	}
	if c.Passes == nil {
		c.Passes = map[[2]int]uint64{}
	}
	c.Passes[[2]int{from, to}]++
}

// state reports whether text is a state of registers: "R1=ctx() R10=fp0".
func state(text string) bool {
	reg, _, ok := strings.Cut(text, "=")
	number, r := strings.CutPrefix(reg, "R")
	_, err := strconv.ParseUint(strings.TrimSuffix(number, "_w"), 10, 8)
	return ok && r && err == nil
}

// visit reports whether text is an instruction: "(0d) gotox r2".
func visit(text string) bool {
	if len(text) < 4 || text[0] != '(' || text[3] != ')' {
		return false
	}
	_, err := strconv.ParseUint(text[1:3], 16, 8)
	return err == nil
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

func (c *counter) add(slot, n uint64) error {
	if slot >= uint64(len(c.Slots)) {
		return fmt.Errorf("slot %d: the program has only %s; is the log of another program?", slot,
			visible.Count(len(c.Slots), "slot"))
	}
	c.found = true
	c.Slots[slot] = sum(c.Slots[slot], n)
	c.Total = sum(c.Total, n)
	return nil
}

// sum adds with saturation.
func sum(a, b uint64) uint64 {
	s, over := bits.Add64(a, b, 0)
	if over != 0 {
		return math.MaxUint64
	}
	return s
}
