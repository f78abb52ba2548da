package stage

import (
	"fmt"
	"io"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/internal/explain"
	"github.com/bpfcfg/bpfcfg/internal/jsonstream"
	"github.com/bpfcfg/bpfcfg/internal/visible"
)

// factsText prints the facts at the start of each block.
func factsText(w io.Writer, v *View) error {
	Title(w, v.Program, "")
	x := explain.New(v.Analysis)
	for i, b := range v.Analysis.Graph.Blocks {
		if v.Analysis.Graph.Entry(b.Sub) == cfg.BlockID(i) {
			fmt.Fprintf(w, "%s:\n", FuncName(v.Program, b.Sub))
		}
		if !v.Analysis.Succ.Facts.Reached(b.Start) {
			when := ""
			if x.Death(cfg.BlockID(i)) == explain.Here {
				when = " " + string(explain.Here)
			}
			fmt.Fprintf(w, "  b%d  insn %d  never executes%s\n", i, b.Start, when)
			continue
		}
		fmt.Fprintf(w, "  b%d  insn %d\n", i, b.Start)
		for _, t := range v.Analysis.Succ.Facts.EntryText(cfg.BlockID(i)) {
			if _, err := fmt.Fprintf(w, "      %s\n", visible.Text(t)); err != nil {
				return err // the reader has gone, and the rest may be long
			}
		}
	}
	return nil
}

func factsJSON(v *View) (any, error) {
	type blockFacts struct {
		ID        int      `json:"id"`
		Start     int      `json:"start"`
		Reachable bool     `json:"reachable"`
		States    []string `json:"states"`
	}
	out := struct {
		Head
		Blocks jsonstream.Series `json:"blocks"` // of blockFacts
	}{HeadOf(v.Program), series(len(v.Analysis.Graph.Blocks), func(i int) any {
		start, f := v.Analysis.Graph.Blocks[i].Start, v.Analysis.Succ.Facts
		return &blockFacts{i, int(start), f.Reached(start), append([]string{}, f.EntryText(cfg.BlockID(i))...)}
	})}
	return out, nil
}
