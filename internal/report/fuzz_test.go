package report

import (
	"bytes"
	"reflect"
	"testing"
)

// FuzzRead reads reports. What is accepted can be merged and written in every
// format, and reading what was written gives the same again.
func FuzzRead(f *testing.F) {
	var b bytes.Buffer
	if err := Write(&b, "json", fixture(), Options{}); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte(`{"schema":"bpfcfg/1","kind":"check","fail_on":"off"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := Read(bytes.NewReader(data))
		if (r == nil) == (err == nil) {
			t.Fatalf("%v and %v", r, err)
		}
		if err != nil {
			return
		}
		for _, format := range append(Formats(), "json") {
			b.Reset()
			if err := Write(&b, format, r, Options{}); err != nil {
				t.Fatalf("%s: %v", format, err)
			}
		}
		again, err := Read(bytes.NewReader(bytes.Clone(b.Bytes())))
		if err != nil {
			t.Fatal(err)
		}
		first := bytes.Clone(b.Bytes())
		b.Reset()
		if err := Write(&b, "json", again, Options{}); err != nil || !bytes.Equal(first, b.Bytes()) {
			t.Fatalf("%v: %s became %s", err, first, &b)
		}
		_, _ = Merge([]*Report{r})
	})
}

// FuzzBaseline reads baselines. What is accepted is written and read as the same,
// and accepting it twice is accepting it once.
func FuzzBaseline(f *testing.F) {
	data, err := EncodeBaseline(fixture().Baseline())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"schema":"bpfcfg-baseline/1"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := ReadBaseline(data)
		if err != nil {
			return
		}
		text, err := EncodeBaseline(entries)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ReadBaseline(text)
		if err != nil || len(entries) > 0 && !reflect.DeepEqual(entries, again) {
			t.Fatalf("%v: %v became %v", err, entries, again)
		}
		a, b := fixture(), fixture()
		a.Accept(entries)
		b.Accept(append(entries, entries...))
		if !reflect.DeepEqual(a, b) {
			t.Fatalf("%+v and %+v", a, b)
		}
	})
}
