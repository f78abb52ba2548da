package record

import "bytes"

// cutLogs returns a JSON object without the text of the strings that have the
// key "log" inside a key "load", "second" or "traced": verifier logs, which
// are nearly all of a long line. It looks at strings and nesting only, copies
// what it does not understand, and may change the bytes of line.
//
// Decoding a line and throwing the log away takes about four times as long:
// encoding/json walks every byte twice.
func cutLogs(line []byte) []byte {
	out := line[:0]
	from := 0 // first byte not yet copied
	parent, key := "", ""
	for i := 0; i < len(line); {
		switch line[i] {
		case '"':
			end := stringEnd(line, i)
			if end < 0 {
				return append(out, line[from:]...)
			}
			text := line[i+1 : end-1]
			isKey := end < len(line) && line[end] == ':'
			switch {
			case isKey:
				key = string(text)
			case key == "log" && isLoad(parent):
				out = append(out, line[from:i+1]...)
				from = end - 1
			}
			i = end
		case '{':
			parent, key = key, ""
			i++
		default:
			i++
		}
	}
	return append(out, line[from:]...)
}

// isLoad reports whether key is one of a Load.
func isLoad(key string) bool { return key == "load" || key == "second" || key == "traced" }

// stringEnd returns the index after the JSON string that begins at i, or -1.
func stringEnd(b []byte, i int) int {
	for j := i + 1; ; {
		n := bytes.IndexByte(b[j:], '"')
		if n < 0 {
			return -1
		}
		j += n
		back := j
		for back > i+1 && b[back-1] == '\\' {
			back--
		}
		j++
		if (j-1-back)%2 == 0 {
			return j
		}
	}
}
