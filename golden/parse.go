package golden

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// The errors of Parse.
var (
	ErrNotGolden = errors.New("not a bpfcfg layout file")
	ErrVersion   = errors.New("layout file of another format version")
)

// Parse reads golden text. It accepts exactly what Text writes. The error names the first line
// that differs, or wraps ErrNotGolden or ErrVersion. Memory is linear in the text.
func Parse(text string) (*File, error) {
	first, _, _ := strings.Cut(text, "\n")
	rest, ok := strings.CutPrefix(first, "# bpfcfg layout ")
	if !ok {
		return nil, fmt.Errorf("%w: it does not begin with \"# bpfcfg layout\"", ErrNotGolden)
	}
	if v := strings.TrimSuffix(rest, "\r"); v != strconv.Itoa(FormatVersion) {
		return nil, fmt.Errorf("%w: %.20q, this bpfcfg reads %d", ErrVersion, v, FormatVersion)
	}
	p := &parser{l: &File{}}
	n := 0
	for line := range strings.Lines(text) {
		n++
		if strings.HasSuffix(line, "\r\n") {
			return nil, fmt.Errorf("line %d ends with CR LF: keep the file as it was written (in git: -text)", n)
		}
		if err := p.line(n, strings.TrimSuffix(line, "\n")); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	if p.l.Program == "" {
		return nil, fmt.Errorf("%w: it ends before the line \"program\"", ErrNotGolden)
	}
	if err := p.same(text); err != nil {
		return nil, err
	}
	return p.l, nil
}

// same checks that Text writes a layout as the text that it was read from.
func (p *parser) same(text string) error {
	again := p.l.Text()
	if again == text {
		return nil
	}
	n := 1 + strings.Count(text[:common(again, text)], "\n")
	return fmt.Errorf("line %d: not in the form that bpfcfg writes; was the file edited or cut off?", n)
}

// common returns the length of the common beginning of two texts.
func common(a, b string) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// parser holds the layout so far.
type parser struct{ l *File }

var errForm = errors.New("not a layout line")

// line reads one line. It is lenient: Parse writes the layout again and requires the same text.
func (p *parser) line(n int, s string) error {
	word, rest, _ := strings.Cut(s, " ")
	switch {
	case n == 1:
		return nil
	case n == 2:
		p.l.Profile, p.l.Unverified = strings.CutSuffix(rest, unverified)
		return expect(word == "profile" && rest != "")
	case n == 3:
		return p.program(word, rest)
	case word == "with":
		name, text, ok := strings.Cut(rest, "  ")
		p.l.With = append(p.l.With, Part{name, text})
		return expect(ok && len(p.l.Funcs) == 0)
	case word == "func":
		return p.function(rest)
	case word == "table":
		name, _, _ := strings.Cut(rest, "  ")
		p.l.Tables = append(p.l.Tables, Table{Name: name})
		return nil
	case strings.HasPrefix(s, "  "):
		return p.entries(s)
	default:
		return p.block(s)
	}
}

// expect returns errForm unless ok.
func expect(ok bool) error {
	if !ok {
		return errForm
	}
	return nil
}

// program reads the line of the program.
func (p *parser) program(word, rest string) error {
	f := strings.Fields(rest)
	if word != "program" || len(f) < 11 || f[1] != "insns" || f[3] != "xlated" || f[5] != "image" || f[7] != "sha256" ||
		f[9] != "code" {
		return errForm
	}
	l := p.l
	var err [4]error
	l.Program, l.Hash, l.Code = f[0], f[8], f[10]
	l.Insns, err[0] = number(f[2])
	l.Xlated, err[1] = number(f[4])
	l.Image, err[2] = number(f[6])
	if len(f) == 13 && f[11] == "unpredicted" {
		l.Unpredicted, err[3] = number(f[12])
	}
	return errors.Join(err[:]...)
}

// function reads the line of a function.
func (p *parser) function(rest string) error {
	name, where, _ := strings.Cut(rest, "  ")
	off, n, _, err := places(where)
	p.l.Funcs = append(p.l.Funcs, Func{Name: name, Offset: off, Len: n, First: len(p.l.Blocks), Last: len(p.l.Blocks)})
	return err
}

// places reads the output of place, and returns the rest.
func places(s string) (off, n int, rest string, err error) {
	if rest, ok := strings.CutPrefix(s, "removed"); ok {
		return -1, 0, strings.TrimPrefix(rest, "  "), nil
	}
	s, ok := strings.CutPrefix(s, "code +0x")
	from, s, ok2 := strings.Cut(s, "..+0x")
	_, s, ok3 := strings.Cut(s, "  ")
	size, rest, _ := strings.Cut(s, "  ")
	if !ok || !ok2 || !ok3 {
		return 0, 0, "", errForm
	}
	at, err := strconv.ParseInt(from, 16, 32)
	if err != nil || at < 0 {
		return 0, 0, "", errForm
	}
	n, err = number(size)
	return int(at), n, rest, err
}

// number reads a decimal number that is not negative and fits 31 bits.
func number(s string) (int, error) {
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%.20q is not a number", s)
	}
	return int(n), nil
}

// blockID reads b7.
func blockID(s string) (cfg.BlockID, error) {
	digits, ok := strings.CutPrefix(s, "b")
	if !ok {
		return 0, fmt.Errorf("%.20q is not a block", s)
	}
	n, err := number(digits)
	return cfg.BlockID(n), err
}

// block reads the line of a block.
func (p *parser) block(s string) error {
	if len(p.l.Funcs) == 0 || len(p.l.Tables) > 0 {
		return errForm
	}
	name, s, _ := strings.Cut(s, " ")
	s = strings.TrimLeft(s, " ")
	insns, s, _ := strings.Cut(s, "  ")
	id, err := blockID(name)
	if err != nil {
		return err
	}
	from, to, ok := strings.Cut(strings.TrimPrefix(insns, "insn "), "..")
	start, err1 := number(from)
	last, err2 := number(to)
	off, n, rest, err3 := places(s)
	hash, ending, ok2 := strings.Cut(rest, "  ")
	if err := errors.Join(err1, err2, err3); err != nil || !ok || !ok2 || int(id) != len(p.l.Blocks) {
		return errForm
	}
	b := Block{ID: id, Start: bytecode.PC(start), End: bytecode.PC(last + 1), Offset: off, Len: n, Hash: hash,
		Reachable: off >= 0}
	if b.Ending, err = parseEnding(ending); err != nil {
		return err
	}
	p.l.Blocks = append(p.l.Blocks, b)
	p.l.Funcs[len(p.l.Funcs)-1].Last = len(p.l.Blocks)
	return nil
}

// parseEnding reads the output of Ending.String.
func parseEnding(s string) (Ending, error) {
	var e Ending
	if body, detail, ok := strings.Cut(s, " ("); ok {
		e.Detail, s = strings.TrimSuffix(detail, ")"), body
	}
	op, list, ok := strings.Cut(s, "→")
	e.Op = strings.TrimSuffix(op, " ")
	if !ok {
		e.Op, e.Long = strings.CutSuffix(s, " long")
		return e, nil
	}
	to, next, _ := strings.Cut(list, " |")
	if e.Op == "" {
		to, next = "", list
	}
	to, e.Long = strings.CutSuffix(to, " long")
	to, e.More = strings.CutSuffix(to, " …")
	var err [2]error
	e.To, err[0] = blockIDs(to)
	e.Next, err[1] = blockIDs(next)
	return e, errors.Join(err[:]...)
}

// blockIDs reads names of blocks with spaces between.
func blockIDs(s string) ([]cfg.BlockID, error) {
	var out []cfg.BlockID
	for _, w := range strings.Fields(s) {
		id, err := blockID(w)
		if err != nil {
			return nil, err
		}
		out = append(out, id)
	}
	return out, nil
}

// entries reads a row of a table.
func (p *parser) entries(s string) error {
	f := strings.Fields(s)
	if len(p.l.Tables) == 0 || len(f) < 2 {
		return errForm
	}
	t := &p.l.Tables[len(p.l.Tables)-1]
	for _, w := range f[1:] {
		e, err := parseEntry(w)
		if err != nil {
			return err
		}
		t.Entries = append(t.Entries, e)
	}
	return nil
}

// parseEntry reads the output of Entry.String.
func parseEntry(s string) (Entry, error) {
	if s == "-" {
		return Entry{Block: cfg.NoBlock, Offset: -1}, nil
	}
	e := Entry{Offset: -1}
	var err error
	s, e.Removed = strings.CutSuffix(s, ":removed")
	if name, at, ok := strings.Cut(s, "@+0x"); ok {
		n, err := strconv.ParseInt(at, 16, 32)
		if err != nil || n < 0 {
			return e, errForm
		}
		s, e.Offset = name, int(n)
	}
	if name, slots, ok := strings.Cut(s, "+"); ok {
		if e.Slots, err = number(slots); err != nil {
			return e, err
		}
		s = name
	}
	e.Block, err = blockID(s)
	return e, err
}
