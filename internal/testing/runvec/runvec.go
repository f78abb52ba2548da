// Package runvec reads run vectors: inputs of programs, and the results of a real kernel.
//
//	vectors, err := runvec.Read("testdata/corpus/expect-6.18/13_subprog_switch.txt")
//	v := vectors[0]
//	v.Program, v.Ctx, v.Result.Ret             // main_, the context handed in, 680678
//
// A line is a vector, or one with its result:
//
//	PROG ctx=HEX data=HEX [map=NAME:KEY:VALUE]... [=> ret=N ctx=HEX [bss=HEX]]
//
// where HEX is hexadecimal or "-" for nothing. Other lines of a file, which
// report the load or hold dumps, are passed over. The package runs nothing.
package runvec

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// Vector is the input of one run.
type Vector struct {
	Line    int // in the file, from 1
	Program string
	Ctx     []byte
	Data    []byte // packet
	Maps    []MapValue
	Result  *Result // nil in a file without results, and for a run that failed
}

// MapValue is a value that a map gets before the run.
type MapValue struct {
	Name       string
	Key, Value []byte
}

// Result is the result of a run.
type Result struct {
	Ret uint32
	Ctx []byte // of the length of the input's
	BSS []byte // value of the map .bss; nil when there is none, or a large one
}

// Read reads the file at path, which may be compressed with gzip. An error names
// the line.
func Read(path string) ([]Vector, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if bytes.HasPrefix(data, []byte("\x1f\x8b")) {
		z, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if data, err = io.ReadAll(z); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	var out []Vector
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, len(data)+1)
	for n := 1; lines.Scan(); n++ {
		v, ok, err := parse(lines.Text())
		if err != nil {
			return nil, fmt.Errorf("%s: line %d: %w", path, n, err)
		}
		if ok {
			v.Line = n
			out = append(out, v)
		}
	}
	return out, lines.Err()
}

// parse reads one line. ok is false for a line that is no vector.
func parse(line string) (v Vector, ok bool, err error) {
	input, result, done := strings.Cut(line, " => ")
	words := strings.Fields(input)
	if len(words) < 3 || !strings.HasPrefix(words[1], "ctx=") || !strings.HasPrefix(words[2], "data=") {
		return v, false, nil
	}
	v.Program = words[0]
	for _, w := range words[1:] {
		key, value, _ := strings.Cut(w, "=")
		switch key {
		case "ctx":
			v.Ctx, err = unhex(value)
		case "data":
			v.Data, err = unhex(value)
		case "map":
			err = v.addMap(value)
		default:
			err = fmt.Errorf("unknown field %q", key)
		}
		if err != nil {
			return v, false, err
		}
	}
	if done && !strings.HasPrefix(result, "ERR ") {
		v.Result, err = parseResult(result)
	}
	return v, err == nil, err
}

// addMap reads NAME:KEY:VALUE.
func (v *Vector) addMap(s string) error {
	f := strings.Split(s, ":")
	if len(f) != 3 {
		return fmt.Errorf("map %q is not NAME:KEY:VALUE", s)
	}
	key, err := unhex(f[1])
	if err != nil {
		return err
	}
	value, err := unhex(f[2])
	v.Maps = append(v.Maps, MapValue{f[0], key, value})
	return err
}

// parseResult reads what follows the arrow.
func parseResult(s string) (*Result, error) {
	r := &Result{}
	for _, w := range strings.Fields(s) {
		key, value, _ := strings.Cut(w, "=")
		var err error
		switch key {
		case "ret":
			var n uint64
			n, err = strconv.ParseUint(value, 10, 32)
			r.Ret = uint32(n)
		case "ctx":
			r.Ctx, err = unhex(value)
		case "bss":
			r.BSS, err = unhex(value)
		default:
			err = fmt.Errorf("unknown result %q", key)
		}
		if err != nil {
			return nil, err
		}
	}
	return r, nil
}

// unhex reads hexadecimal digits; "-" is nothing.
func unhex(s string) ([]byte, error) {
	if s == "-" {
		return nil, nil
	}
	return hex.DecodeString(s)
}
