package wire

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/record"
)

// stream returns messages with other text between them, as on a shared line.
func stream(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	w := Writer{W: &b}
	b.WriteString("[    0.1] booting\r\n")
	for i := range 3 {
		rec := &record.Record{Kind: record.KindResult, Job: &record.Job{Name: strings.Repeat("x", 1000*i)}}
		if err := w.Write(&Message{Kind: Result, Index: i, Record: rec}); err != nil {
			t.Fatal(err)
		}
		b.WriteString("[    0.2] text \xcf\xbf\r\n")
	}
	if err := w.Write(&Message{Kind: End}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestPieces(t *testing.T) {
	whole := stream(t)
	for _, size := range []int{1, 3, 16, len(whole)} {
		var s Scanner
		var got []*Message
		for b := whole; len(b) > 0; b = b[min(size, len(b)):] {
			m, err := s.Add(b[:min(size, len(b))])
			if err != nil {
				t.Fatalf("pieces of %d: %v", size, err)
			}
			got = append(got, m...)
		}
		if len(got) != 4 || got[2].Index != 2 || len(got[2].Record.Job.Name) != 2000 || got[3].Kind != End {
			t.Errorf("pieces of %d: %d messages", size, len(got))
		}
	}
}

// TestDamage changes, takes away and doubles each byte in turn. No message may
// come out that was not sent; one may be missing at the end only.
func TestDamage(t *testing.T) {
	whole := stream(t)
	found := 0
	for i := range whole {
		for what, b := range map[string][]byte{
			"changed": append(append(append([]byte{}, whole[:i]...), whole[i]^0x20), whole[i+1:]...),
			"lost":    append(append([]byte{}, whole[:i]...), whole[i+1:]...),
			"doubled": append(append(append([]byte{}, whole[:i+1]...), whole[i]), whole[i+1:]...),
		} {
			var s Scanner
			got, err := s.Add(b)
			if err != nil && !errors.Is(err, ErrDamaged) {
				t.Fatalf("byte %d %s: %v", i, what, err)
			}
			if err != nil || len(got) < 4 {
				found++
			}
			for k, m := range got {
				if k < 3 && (m.Kind != Result || m.Index != k || len(m.Record.Job.Name) != 1000*k) || k == 3 && m.Kind != End {
					t.Fatalf("byte %d %s: message %d is another one", i, what, k)
				}
			}
		}
	}
	if found == 0 {
		t.Error("no damage was found")
	}
}

func FuzzScanner(f *testing.F) {
	f.Add([]byte("text"))
	f.Add([]byte{0xcf, 0xbf, 0xe1, 0xf7, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		var s Scanner
		if _, err := s.Add(b); err != nil && len(b) < headerSize {
			t.Errorf("an error before there is a header: %v", err)
		}
	})
}
