package render

import "encoding/json"

// PlacementJSON returns a placement as JSON: integers and index lists, one line
// for each element of the long lists, so that two placements can be compared with
// diff.
func PlacementJSON(l *Placement) []byte {
	type document struct {
		Schema string `json:"schema"`
		*Placement
	}
	out, err := json.Marshal(document{"bpfcfg/1", l})
	if err != nil {
		panic("bug: layout does not marshal: " + err.Error()) // plain integers and strings
	}
	return breakLines(out)
}

// breakLines puts the elements of the document's lists on lines of their own.
// No string in a layout holds a bracket.
func breakLines(in []byte) []byte {
	out := make([]byte, 0, len(in)+len(in)/16)
	depth := 0
	var last byte
	for _, c := range in {
		switch c {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		out = append(out, c)
		if c == ',' && (depth == 1 || depth == 2 && last == '}') || c == '{' && depth == 1 {
			out = append(out, '\n')
		}
		last = c
	}
	return append(out, '\n')
}
