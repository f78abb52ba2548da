package report

import (
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"

	"github.com/bpfcfg/bpfcfg/internal/visible"
)

// kernelTable writes the verdict of each kernel on each program, for a check for several kernels.
func kernelTable(w io.Writer, r *Report) error {
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	rows := 0
	for in := range r.inputs() {
		for i := range in.Programs {
			p := &in.Programs[i]
			for k := range p.Profiles {
				if rows++; rows == 1 {
					fmt.Fprintln(tw, "program\tkernel\tslots\tbytes\tverdict")
				}
				o := &p.Profiles[k]
				fmt.Fprintf(tw, "%s#%s\t%s\t%s\t%s\t%s\n", visible.Text(in.Name), visible.Text(p.Name), o.name(),
					orDash(o.Slots), orDash(o.Bytes), o.verdictText())
			}
		}
	}
	return tw.Flush()
}

// name is the profile, marked if nothing was compared with its kernel.
func (o *OnProfile) name() string {
	if !o.Verified {
		return visible.Text(o.Profile) + " (unverified)"
	}
	return visible.Text(o.Profile)
}

// verdictText is the verdict in words.
func (o *OnProfile) verdictText() string {
	text := o.Verdict
	if o.Message != "" {
		text += ": " + visible.Text(o.Message)
	}
	if o.Insn >= 0 {
		text += fmt.Sprintf(" (insn %d)", o.Insn)
	}
	return text
}

// orDash returns a number, or a dash for 0.
func orDash(n int) string {
	if n == 0 {
		return "-"
	}
	return strconv.Itoa(n)
}
