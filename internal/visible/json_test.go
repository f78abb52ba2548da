package visible

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestJSON(t *testing.T) {
	in := map[string]any{"a\u009b31m": "\u202e\U000e0001 größe → 𝄞 \x7f \u2028 <b>", "plain": []any{1.5, nil, true}}
	var b bytes.Buffer
	enc := json.NewEncoder(JSONWriter(&b))
	enc.SetIndent("", "\t")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(in); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`a\u009b31m`, `\u202e\udb40\udc01 größe → 𝄞 \u007f \u2028 <b>`} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%s does not hold %s", &b, want)
		}
	}
	var out map[string]any
	if err := json.Unmarshal(b.Bytes(), &out); err != nil || !reflect.DeepEqual(in, out) {
		t.Errorf("%v, %v became %v", err, in, out)
	}
}

// FuzzJSON checks that the document stays what it is, with nothing in it that a
// terminal acts on.
func FuzzJSON(f *testing.F) {
	f.Add("a\x1b[31m\u009b\u202e\U000e0001\xff")
	f.Fuzz(func(t *testing.T, s string) {
		doc, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		safe := JSON(doc)
		var before, after string
		if json.Unmarshal(doc, &before) != nil || json.Unmarshal(safe, &after) != nil || before != after {
			t.Fatalf("%q became %q", before, after)
		}
		if !utf8.Valid(safe) || Text(string(safe)) != string(safe) {
			t.Fatalf("%q is not safe", safe)
		}
	})
}
