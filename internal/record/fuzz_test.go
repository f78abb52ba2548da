package record_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
)

// FuzzVectors reads files of vectors and of whole programs: a file is what its kind
// says and nothing else, and what is read is written and read again as the same.
func FuzzVectors(f *testing.F) {
	r, err := record.Open(testenv.Path(f, "records/jit-vectors.json.gz"), record.Options{})
	if err != nil {
		f.Fatal(err)
	}
	defer r.Close()
	all, err := r.Vectors()
	if err != nil {
		f.Fatal(err)
	}
	for i := 0; i < len(all.Vectors); i += 97 {
		v := all.Vectors[i]
		few := record.Vectors{Schema: all.Schema, Kernels: map[string]record.Kernel{v.Kernel: all.Kernels[v.Kernel]},
			Vectors: []record.Vector{v}, Classic: all.Classic[:min(1, len(all.Classic))]}
		data, err := json.Marshal(few)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"programs":[{"name":"p","kernel":"7.3.4","ksym":"0xff","xlated":"9500","code":"c3","xlated_off":[0]}]}`))
	f.Add([]byte(`{"cbpf":[{"code":"c3","relocs":[{"off":-1,"kind":"rel32","target":"x"}]}],"vectors":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := record.NewReader(bytes.NewReader(data), record.Options{MaxFile: 1 << 20})
		if err != nil {
			return
		}
		switch r.Kind() {
		case record.FileVectors:
			if _, err := r.Programs(); err == nil {
				t.Error("a file of vectors is one of programs")
			}
			again(t, r.Vectors, (*record.Reader).Vectors)
		case record.FilePrograms:
			if _, err := r.Vectors(); err == nil {
				t.Error("a file of programs is one of vectors")
			}
			again(t, r.Programs, (*record.Reader).Programs)
		case record.FileRecords:
		default:
			t.Errorf("kind %v without an error", r.Kind())
		}
	})
}

// again reads a file, writes what it read, and reads that.
func again[T any](t *testing.T, first func() (*T, error), second func(*record.Reader) (*T, error)) {
	t.Helper()
	was, err := first()
	if err != nil {
		return
	}
	text, err := json.Marshal(was)
	if err != nil {
		t.Fatal(err)
	}
	r, err := record.NewReader(bytes.NewReader(text), record.Options{})
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	now, err := second(r)
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	more, err := json.Marshal(now)
	if err != nil || !bytes.Equal(more, text) {
		t.Errorf("%s\nis read as %s: %v", text, more, err)
	}
}
