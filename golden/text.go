package golden

import (
	"fmt"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg"
)

// rowEntries is the number of table entries in a line. The rows begin at fixed indices, so that
// one changed entry changes one line.
const rowEntries = 16

// unverified follows a profile if nothing was compared with its kernel.
const unverified = " (unverified)"

// Text returns the layout as golden text. Parse is the inverse.
func (l *File) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# bpfcfg layout %d\n", FormatVersion)
	b.WriteString("profile " + l.Profile)
	if l.Unverified {
		b.WriteString(unverified)
	}
	b.WriteByte('\n')
	fmt.Fprintf(&b, "program %s  insns %d  xlated %d  image %d  sha256 %s  code %s", l.Program, l.Insns, l.Xlated, l.Image,
		l.Hash, l.Code)
	if l.Unpredicted > 0 {
		fmt.Fprintf(&b, "  unpredicted %d", l.Unpredicted)
	}
	b.WriteByte('\n')
	for _, p := range l.With {
		fmt.Fprintf(&b, "with %s  %s\n", p.Name, p.Text)
	}
	for _, f := range l.Funcs {
		fmt.Fprintf(&b, "func %s  %s\n", f.Name, place(f.Offset, f.Len))
		for i := f.First; i < f.Last; i++ {
			blk := &l.Blocks[i]
			fmt.Fprintf(&b, "%-5s insn %d..%d  %s  %s  %s\n", blk.ID, blk.Start, blk.End-1, place(blk.Offset, blk.Len),
				blk.Hash, blk.Ending)
		}
	}
	for _, t := range l.Tables {
		fmt.Fprintf(&b, "table %s  %d entries\n", t.Name, len(t.Entries))
		for i, e := range t.Entries {
			if i%rowEntries == 0 {
				fmt.Fprintf(&b, "  %d ", i)
			}
			b.WriteByte(' ')
			b.WriteString(e.String())
			if i%rowEntries == rowEntries-1 || i == len(t.Entries)-1 {
				b.WriteByte('\n')
			}
		}
	}
	return b.String()
}

// place writes the place of code.
func place(off, n int) string {
	if off < 0 {
		return "removed"
	}
	return fmt.Sprintf("code +0x%x..+0x%x  %d", off, off+n, n)
}

// String returns the entry as in the text: "b2", "b2+3" in the middle of b2, "b2:removed",
// "b2@+0x40" if it points to another byte than the block's first, "-" outside the program.
func (e Entry) String() string {
	if e.Block == cfg.NoBlock {
		return "-"
	}
	s := e.Block.String()
	if e.Slots > 0 {
		s += fmt.Sprintf("+%d", e.Slots)
	}
	if e.Removed {
		return s + ":removed"
	}
	if e.Offset >= 0 {
		s += fmt.Sprintf("@+0x%x", e.Offset)
	}
	return s
}
