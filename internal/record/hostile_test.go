package record_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/record"
)

// pack returns text compressed.
func pack(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestGzipBomb reads lines that compress a thousandfold: the reader stops before
// it holds them, also where blank lines hold nothing.
func TestGzipBomb(t *testing.T) {
	for name, text := range map[string]string{
		"one line":    env + `{"kind":"result","job":{"name":"a","insns":["` + strings.Repeat(`","`, 20<<20) + `"]}}`,
		"blank lines": env + strings.Repeat("\n", 100<<20),
	} {
		data := pack(t, text)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r, err := record.NewReader(bytes.NewReader(data), record.Options{SkipLogs: true})
		for err == nil {
			_, err = r.Next()
		}
		runtime.ReadMemStats(&after)
		if !strings.Contains(err.Error(), "times the file") {
			t.Errorf("%s: %v", name, err)
		}
		if cost := after.TotalAlloc - before.TotalAlloc; cost > 256<<20 {
			t.Errorf("%s: %d bytes took %d bytes of memory", name, len(data), cost)
		}
	}
}

// program returns the program of a job with the fields, and what making it cost
// in bytes.
func program(t *testing.T, fields string) (diags []string, cost uint64, err error) {
	t.Helper()
	r, err := record.NewReader(strings.NewReader(env+job(fields)), record.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	rec, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	p, err := rec.Job.Program()
	runtime.ReadMemStats(&after)
	if p != nil {
		diags = p.Diags
	}
	return diags, after.TotalAlloc - before.TotalAlloc, err
}

// TestMapBombs asks for tables and values in a few bytes each.
func TestMapBombs(t *testing.T) {
	var maps, names []string
	for i := range 1000 {
		names = append(names, fmt.Sprintf(`"m%d"`, i))
		maps = append(maps, fmt.Sprintf(`{"name":"m%d","type":"34","max_entries":1000000}`, i))
	}
	use := `"insns":[` + exit + `],"fd_array":[` + strings.Join(names, ",") + `],"maps":[`
	_, cost, err := program(t, use+strings.Join(maps, ",")+"]")
	if err == nil || !strings.Contains(err.Error(), "tables of the program") || cost > 64<<20 {
		t.Errorf("tables: %v, %d bytes", err, cost)
	}
	for i := range maps {
		maps[i] = fmt.Sprintf(`{"name":"m%d","type":"array","max_entries":1,"value_size":16777216}`, i)
	}
	if _, cost, err = program(t, use+strings.Join(maps, ",")+"]"); err != nil || cost > 64<<20 {
		t.Errorf("values: %v, %d bytes", err, cost)
	}
}

// TestManyMaps looks up 200,000 maps, which took minutes one by one.
func TestManyMaps(t *testing.T) {
	var maps, names []string
	for i := range 200_000 {
		names = append(names, fmt.Sprintf(`"m%d"`, i))
		maps = append(maps, fmt.Sprintf(`{"name":"m%d","type":"1"}`, i))
	}
	if _, _, err := program(t, `"insns":[`+exit+`],"fd_array":[`+strings.Join(names, ",")+`],"maps":[`+
		strings.Join(maps, ",")+"]"); err != nil {
		t.Error(err)
	}
}

// TestManyOddities bounds what is said about a program.
func TestManyOddities(t *testing.T) {
	call := `"8510000000ffff7f",`
	diags, _, err := program(t, `"insns":[`+strings.Repeat(call, 5000)+exit+`]`)
	if err != nil || len(diags) != 1000 {
		t.Errorf("%v, %d diagnostics", err, len(diags))
	}
}

// TestDeepTypes gives BTF with a chain of a million pointers. Nothing may
// recurse over it: a stack that overflows ends the process.
func TestDeepTypes(t *testing.T) {
	const n = 1_000_000
	word := func(b []byte, words ...uint32) []byte {
		for _, w := range words {
			b = binary.LittleEndian.AppendUint32(b, w)
		}
		return b
	}
	types := word(nil, 1, 12<<24|1, 2, 0, 13<<24|1, 0, 0, 3) // f of one parameter
	for i := range uint32(n) {
		types = word(types, 0, 2<<24, i+4) // the last points at what is not there
	}
	size := uint32(len(types))
	btf := append(word(nil, 1<<16|0xeb9f, 24, 0, size, size, 3), types...)
	btf = append(btf, "\x00f\x00"...)
	if _, _, err := program(t, `"insns":[`+exit+`],"btf":{"data":"`+hex.EncodeToString(btf)+`","func_info":[[0,1]]}`); err != nil {
		t.Error(err)
	}
}

// TestSpecialFiles opens what is no regular file. None of them may be waited for.
func TestSpecialFiles(t *testing.T) {
	for _, path := range []string{os.DevNull, t.TempDir(), "none.jsonl"} {
		r, err := record.Open(path, record.Options{})
		if r != nil || err == nil || !strings.HasPrefix(err.Error(), path+": ") || strings.Count(err.Error(), path) != 1 {
			t.Errorf("%v", err)
		}
	}
}
