package jsonstream_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/jsonstream"
	"github.com/bpfcfg/bpfcfg/internal/visible"
)

type head struct {
	Name string `json:"name"`
	N    int    `json:"n,omitempty"`
}

type Inner struct {
	head
	More []string `json:"more"`
}

type outer struct {
	First int `json:"first"`
	*Inner
	Last int `json:"last"`
}

type level string

func (l level) MarshalText() ([]byte, error) { return []byte("<" + string(l) + ">"), nil }

type all struct {
	head
	Ints    []int            `json:"ints"`
	None    []string         `json:"none"`
	Empty   []string         `json:"empty"`
	Left    []string         `json:"left,omitempty"`
	Ptr     *bool            `json:"ptr,omitempty"`
	Nil     *head            `json:"nil"`
	Any     any              `json:"any"`
	List    []any            `json:"list"`
	Map     map[string][]int `json:"map"`
	Float   float64          `json:"float"`
	Bytes   []byte           `json:"bytes"`
	Level   level            `json:"level"`
	Array   [2]uint8         `json:"array"`
	Struct  struct{}         `json:"struct"`
	Heads   []head           `json:"heads"`
	private int
	Skip    int `json:"-"`
	Untag   uint64
}

// TestSame demands what encoding/json makes of the same values.
func TestSame(t *testing.T) {
	yes := true
	texts := []string{"", "plain", `quote " and \`, "tab\tline\n", "ü ←", "\x00\x1f", "bad \xff utf", "\u202e", "<&>", "\u2028", "\x7f"}
	values := []any{nil, 7, texts, []int{}, map[string]int{}, all{}, &all{
		head: head{"x", 0}, Ints: []int{1, -2}, Empty: []string{}, Ptr: &yes, Any: head{"y", 3}, List: []any{1, nil, head{}, []int{}},
		Map: map[string][]int{"b": {1}, "a": nil}, Float: math.Pi, Bytes: []byte("bytes"), Level: "l<", Heads: []head{{}, {"a", 1}},
		private: 1, Untag: math.MaxUint64,
	}, outer{}, outer{Inner: &Inner{More: []string{"m"}}}, []any{}, struct{}{}, [][]int{{}, nil, {1}}}
	for _, v := range values {
		var want bytes.Buffer
		enc := json.NewEncoder(visible.JSONWriter(&want))
		enc.SetEscapeHTML(false)
		enc.SetIndent("", " ")
		if err := enc.Encode(v); err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if err := jsonstream.Write(&got, v); err != nil {
			t.Fatal(err)
		}
		if got.String() != want.String() {
			t.Errorf("%+v:\n%s\nwant\n%s", v, got.String(), want.String())
		}
	}
}

// TestSeries demands of a series what is made of a slice of its elements, and that no
// more elements are made once writing fails.
func TestSeries(t *testing.T) {
	for n := range 3 {
		series := jsonstream.Series(func(yield func(any) bool) {
			for i := range n {
				if !yield(head{"h", i}) {
					return
				}
			}
		})
		slice := []head{}
		for i := range n {
			slice = append(slice, head{"h", i})
		}
		var got, want strings.Builder
		if err := errors.Join(jsonstream.Write(&got, []any{series}), jsonstream.Write(&want, []any{slice})); err != nil {
			t.Fatal(err)
		}
		if got.String() != want.String() {
			t.Errorf("%d: %s, want %s", n, got.String(), want.String())
		}
	}
	made := 0
	err := jsonstream.Write(failing{}, jsonstream.Series(func(yield func(any) bool) {
		for yield(strings.Repeat("x", 1000)) {
			made++
		}
	}))
	if err == nil || made > 200 {
		t.Errorf("%d elements were made for a writer that fails: %v", made, err)
	}
}

// TestFull: a document that fits the buffer meets a full disk only when it is flushed.
func TestFull(t *testing.T) {
	if err := jsonstream.Write(failing{}, 1); err == nil {
		t.Error("a writer that fails goes unnoticed")
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("full") }
