package scalar

import (
	"bufio"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"
)

// record has the fields of a record that these tests need.
type record struct {
	Job    job
	Result struct {
		Load struct{ Log string }
		Runs []struct {
			Retval uint32
			Ctx    string
		}
	}
}

type job struct {
	Name  string
	Insns []string
	Maps  []struct {
		Name    string
		Targets []int
	}
	Relocs []struct {
		Insn int
		Name string
		Off  uint64
	}
	Runs []struct{ Ctx string }
}

func readRecords(t *testing.T, file string) (list []record) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(bufio.NewReader(z))
	for dec.More() {
		var r record
		if err := dec.Decode(&r); err != nil {
			t.Fatal(err)
		}
		list = append(list, r)
	}
	return list
}

// slot is an undecoded instruction.
type slot struct {
	code     uint8
	dst, src uint8
	off      int16
	imm      int32
}

func (j job) slots(t *testing.T) []slot {
	t.Helper()
	out := make([]slot, len(j.Insns))
	for i, text := range j.Insns {
		b, err := hex.DecodeString(text)
		if err != nil || len(b) != 8 {
			t.Fatalf("%s: slot %d: %q", j.Name, i, text)
		}
		out[i] = slot{
			code: b[0], dst: b[1] & 15, src: b[1] >> 4,
			off: int16(uint16(b[2]) | uint16(b[3])<<8),
			imm: int32(uint32(b[4]) | uint32(b[5])<<8 | uint32(b[6])<<16 | uint32(b[7])<<24),
		}
	}
	return out
}
