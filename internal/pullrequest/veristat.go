package pullrequest

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
)

// Veristat is the result of veristat (tools/testing/selftests/bpf/veristat.c) for a program.
type Veristat struct {
	Accepted bool
	Insns    int // that the verifier walked, -1 if the file does not have it
}

// Key identifies a program in a file of veristat: it names objects by their base name.
type Key struct{ File, Program string }

// ReadVeristat reads veristat's CSV (-o csv): the columns file_name, prog_name and
// verdict, and total_insns when it is there.
func ReadVeristat(r io.Reader) (map[Key]Veristat, error) {
	c := csv.NewReader(r)
	c.FieldsPerRecord = -1
	head, err := c.Read()
	if err != nil {
		return nil, fmt.Errorf("not the CSV of veristat: %w", err)
	}
	at := map[string]int{}
	for i, name := range head {
		at[name] = i
	}
	for _, need := range []string{"file_name", "prog_name", "verdict"} {
		if _, ok := at[need]; !ok {
			return nil, fmt.Errorf("not the CSV of veristat: no column %s", need)
		}
	}
	out := map[Key]Veristat{}
	for {
		row, err := c.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("not the CSV of veristat: %w", err)
		}
		get := func(name string) string {
			if i, ok := at[name]; ok && i < len(row) {
				return row[i]
			}
			return ""
		}
		v := Veristat{Insns: -1}
		switch verdict := get("verdict"); verdict {
		case "success":
			v.Accepted = true
		case "failure":
		default:
			return nil, fmt.Errorf("verdict %q is neither success nor failure", verdict)
		}
		if n, err := strconv.Atoi(get("total_insns")); err == nil {
			v.Insns = n
		}
		out[Key{path.Base(get("file_name")), get("prog_name")}] = v
	}
}

// Verdict is a program in a CSV that veristat can compare (veristat -C).
type Verdict struct {
	Key
	Refused      bool
	Insns, Image int
}

// WriteVeristat writes a CSV with veristat's columns for the verdict, the program's size
// and that of its machine code. A program that no rule refuses counts as a success.
func WriteVeristat(w io.Writer, list []Verdict) error {
	c := csv.NewWriter(w)
	rows := [][]string{{"file_name", "prog_name", "verdict", "prog_size", "jited_size"}}
	for _, v := range list {
		verdict := "success"
		if v.Refused {
			verdict = "failure"
		}
		rows = append(rows, []string{v.File, v.Program, verdict, strconv.Itoa(v.Insns), strconv.Itoa(max(0, v.Image))})
	}
	return c.WriteAll(rows)
}
