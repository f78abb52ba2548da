package main

import (
	"bytes"
	"fmt"
	"io"

	"github.com/bpfcfg/bpfcfg/jit/pipeline"
)

// tally counts the outcomes of the flips of an image.
type tally struct {
	flips     int      // tried
	addresses int      // left out: bits of addresses known only to a running kernel
	transfers int      // change, add or remove a control transfer
	accepted  int      // accepted by the checker: other encodings of the same
	holes     []string // accepted, and change a control transfer
}

func (t *tally) add(u tally) {
	t.flips += u.flips
	t.addresses += u.addresses
	t.transfers += u.transfers
	t.accepted += u.accepted
	t.holes = append(t.holes, u.holes...)
}

func (t *tally) print(out io.Writer, name string) {
	fmt.Fprintf(out, "%-48s %8d %10d %10d %10d %8d\n", name, t.flips, t.addresses, t.transfers, t.accepted, len(t.holes))
	for _, h := range t.holes {
		fmt.Fprintln(out, "   ", h)
	}
}

// count flips every step-th bit of an image.
func count(a *pipeline.Analysis, step int) (tally, error) {
	if p := a.Verify(); !p.OK() {
		return tally{}, fmt.Errorf("the image as it is does not agree: %s", p.Mismatches[0])
	}
	address := make([]bool, len(a.Image.Code))
	for _, r := range a.Image.Relocs {
		for i := range r.Size {
			address[r.Offset+i] = true
		}
	}
	var t tally
	var list []flip
	for bit := 0; bit < 8*len(address); bit += step {
		if address[bit/8] {
			t.addresses++
			continue
		}
		list = append(list, flip{at: bit / 8, bit: bit % 8})
	}
	t.flips = len(list)
	if err := judge(a.Image.Code, list); err != nil {
		return t, err
	}
	b, img := *a, *a.Image
	b.Image = &img
	img.Code = bytes.Clone(a.Image.Code)
	for _, f := range list {
		img.Code[f.at] ^= 1 << f.bit
		accepted := b.Verify().OK()
		img.Code[f.at] ^= 1 << f.bit
		if f.change != "" {
			t.transfers++
		}
		switch {
		case accepted && f.change != "":
			t.holes = append(t.holes, fmt.Sprintf("+%#x bit %d: %s", f.at, f.bit, f.change))
		case accepted:
			t.accepted++
		}
	}
	return t, nil
}
