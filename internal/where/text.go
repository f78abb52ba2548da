package where

import (
	"fmt"
	"io"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/internal/visible"
)

// Text writes the place for people, a line for each fact.
func (d *Place) Text(w io.Writer) {
	fmt.Fprintf(w, "program   %s, profile %s\n", visible.Text(d.Program), visible.Text(d.title))
	where := d.Kind
	if d.Block >= 0 {
		where = cfg.BlockID(d.Block).String()
	}
	fmt.Fprintf(w, "function  %s+0x%x, %s\n", visible.Text(d.Function), d.Offset, where)
	fmt.Fprintf(w, "x86       +0x%x  %s\n", d.X86.Offset, visible.Text(d.X86.Text))
	d.insns(w, d.Xlated, d.Original, d.Line)
	if c := d.ReturnFrom; c != nil {
		fmt.Fprintf(w, "returns here from the call at +0x%x, %s\n", c.Offset, blockOf(c))
		d.insns(w, c.Xlated, c.Original, c.Line)
	}
}

// insns prints the instructions and the line of a place.
func (d *Place) insns(w io.Writer, xlated, original Slot, line *Line) {
	if xlated.Slot >= 0 {
		fmt.Fprintf(w, "xlated    %d: %s\n", xlated.Slot, visible.Text(xlated.Text))
	}
	switch {
	case original.Slot >= 0:
		fmt.Fprintf(w, "original  %d: %s\n", original.Slot, visible.Text(original.Text))
	case xlated.Slot >= 0 && !d.rewritten:
		fmt.Fprintln(w, "original  none: the verifier inserted it")
	}
	if line != nil {
		fmt.Fprintf(w, "source    %s:%d:%d: %s\n", visible.Text(visible.Base(line.File)), line.Line, line.Column,
			visible.Text(line.Text))
	}
}

// blockOf names the block of a call.
func blockOf(c *Call) string {
	if c.Block < 0 {
		return "-"
	}
	return cfg.BlockID(c.Block).String()
}
