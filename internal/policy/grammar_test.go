package policy

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// compiled returns the JSON schema, ready to judge documents.
func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(Schema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("policy.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("policy.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestOneGrammar checks on random documents that schema and parser take the same ones.
func TestOneGrammar(t *testing.T) {
	s := compiled(t)
	rnd := rand.New(rand.NewPCG(1, 2))
	pick := func(words ...string) string { return words[rnd.IntN(len(words))] }
	value := func() string {
		return pick("x", "linux-7.3", `""`, "7", "0", "-1", "1.5", "true", "error", "note", "off", "never", "[]", "{}",
			"[x]", "[x, x]", "[x, y]", "[[x]]", `[""]`, "[7]", "{a: 1}", "{x: 0x10}", "{wide-table: note}", "{wide-table: [note]}",
			"{wide-table: never}", "{nothing: note}", "[{function: f}]", "[{function: 7}]", "[{match: 7}]", "[{match: [true]}]", "[{helper: h, function: f}]", "[{line: a.c:3}]",
			"[{line: a.c}]", "[{line: 3}]", "[{}]", `[{function: ""}]`, "[{match: x}]", "[{match: [x, y], max-insns: 3}]",
			"[{match: []}]", "[{match: {}}]", "[{max-insns: 3}]", "[{match: x, kernels: [a]}]", "null", "~", `"7"`)
	}
	took := 0
	for range 8000 {
		keys := []string{"fail-on", "kernels", "exclude", "levels", "must-reach", "must-not-reach", "max-insns", "max-image",
			"max-targets", "set", "programs", "match", "nothing"}
		rnd.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		var text strings.Builder
		for _, k := range keys[:1+rnd.IntN(2)] {
			text.WriteString(k + ": " + value() + "\n")
		}
		var v any
		if err := yaml.Unmarshal([]byte(text.String()), &v); err != nil {
			t.Fatal(err)
		}
		_, err := Parse("p.yaml", []byte(text.String()))
		if invalid := s.Validate(v); (err == nil) != (invalid == nil) {
			t.Errorf("%q: the parser says %v, the schema %v", text.String(), err, invalid)
		}
		if err == nil {
			took++
		}
	}
	if took < 100 {
		t.Errorf("only %d documents are taken", took)
	}
}
