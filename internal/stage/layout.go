package stage

import (
	"io"

	"github.com/bpfcfg/bpfcfg/golden"
)

// layoutText prints the golden form.
func layoutText(w io.Writer, v *View) error {
	in, err := golden.InputOf(v.Analysis)
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, golden.Text(in))
	return err
}

func layoutJSON(v *View) (any, error) {
	in, err := golden.InputOf(v.Analysis)
	if err != nil {
		return nil, err
	}
	type placeDoc struct {
		ID     int    `json:"id"`
		Start  int    `json:"start"`
		End    int    `json:"end"`
		Offset int    `json:"offset"` // byte in the image, -1 when removed
		Len    int    `json:"len"`
		Ending string `json:"ending"`
	}
	out := struct {
		Head
		Profile string     `json:"profile"`
		Hash    string     `json:"sha256"`
		Image   int        `json:"image"`
		Blocks  []placeDoc `json:"blocks"`
	}{HeadOf(v.Program), in.Image.Profile, golden.Hash(in.Program), len(in.Image.Code), []placeDoc{}}
	for _, b := range golden.Blocks(in) {
		out.Blocks = append(out.Blocks, placeDoc{int(b.ID), int(b.Start), int(b.End), b.Offset, b.Len, b.Ending.String()})
	}
	return out, nil
}
