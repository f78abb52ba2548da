package replay

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
)

// FuzzRecords wants no panic from any file of records, and that what is said
// to match has the recorded code.
func FuzzRecords(f *testing.F) {
	r, err := record.Open(testenv.Path(f, "records/corpus-asm.7.3.4.off.jsonl.gz"), record.Options{})
	if err != nil {
		f.Fatal(err)
	}
	defer r.Close()
	var env []byte
	for rec, err := range r.Records() {
		if err != nil {
			f.Fatal(err)
		}
		line, err := json.Marshal(rec)
		if err != nil {
			f.Fatal(err)
		}
		if rec.Kind == record.KindEnv {
			env = append(line, '\n')
			continue
		}
		f.Add(append(bytes.Clone(env), line...))
	}
	f.Add([]byte(`{"kernels":{"a":{"version":"Linux version 7.3.4","profile":{}}},"vectors":[{"name":"v","kernel":"a",` +
		`"xlated_dump":"9500000000000000","source":"9500000000000000","funcs":[{"ksym":"ff","code":"c3"}]}]}`))
	f.Add([]byte(`{"programs":[{"name":"p","kernel":"7.3.4","xlated":"9500000000000000","code":"c3"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<18 {
			return
		}
		r, err := record.NewReader(bytes.NewReader(data), record.Options{})
		if err != nil {
			return
		}
		for res, err := range Records(r, Options{}) {
			if err != nil {
				return
			}
			if res.Match == Same && len(res.Code) != res.Bytes || (res.Match == Same) != (res.Reason == "") {
				t.Fatalf("%+v", res)
			}
			if _, err := res.MarshalJSON(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
