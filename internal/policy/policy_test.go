package policy

import (
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/check"
)

const full = `# everything at once
fail-on: warning
exclude: ["*.host.o", libbpf/**]
kernels: [linux-7.3]
levels:
  wide-table: note
  dead-branch: off
max-targets: 64
set:
  enable_ipv6: false
  limit: 0x10
programs:
  - match: "xdp_*"
    max-insns: 4096
    max-image: 16384
    set: {bias: -1}
    must-reach:
      - function: handle
      - line: src/parse.c:120
    must-not-reach:
      - helper: bpf_trace_printk
  - match: [tc_in, tc_out]
    max-insns: 100
    levels: {wide-table: error}
`

func TestParse(t *testing.T) {
	p, err := Parse("p.yaml", []byte(full))
	if err != nil {
		t.Fatal(err)
	}
	if p.FailOn != check.Warning {
		t.Errorf("fail-on is %q", p.FailOn)
	}
	if len(p.Kernels) != 1 || p.Kernels[0] != (Kernel{Name: "linux-7.3", At: "p.yaml:4"}) {
		t.Errorf("kernels: %v", p.Kernels)
	}
	s := p.For("xdp_a")
	if *s.Expect.MaxInsns != 4096 || *s.Expect.MaxImage != 16384 || *s.Expect.MaxTargets != 64 {
		t.Errorf("limits of xdp_a: %+v", s.Expect)
	}
	want := []check.Place{{Function: "handle"}, {File: "src/parse.c", Line: 120}}
	if len(s.Expect.MustReach) != 2 || s.Expect.MustReach[0] != want[0] || s.Expect.MustReach[1] != want[1] {
		t.Errorf("must-reach: %v", s.Expect.MustReach)
	}
	if len(s.Expect.MustNotReach) != 1 || s.Expect.MustNotReach[0].Helper != "bpf_trace_printk" {
		t.Errorf("must-not-reach: %v", s.Expect.MustNotReach)
	}
	if o := p.For("other"); o.Expect.MaxInsns != nil || o.Expect.MaxTargets == nil {
		t.Errorf("other programs: %+v", o.Expect)
	}
	fs := []check.Finding{{ID: check.WideTable, Level: check.Warning}, {ID: check.DeadBranch, Level: check.Note},
		{ID: check.NopTarget, Level: check.Error}}
	got := p.For("tc_in").Levels(append([]check.Finding{}, fs...))
	if len(got) != 2 || got[0].Level != check.Error || got[1].Level != check.Error {
		t.Errorf("levels of tc_in: %+v", got)
	}
	if got := p.For("x").Levels(fs); got[0].Level != check.Note {
		t.Errorf("levels of x: %+v", got)
	}
}

// bad are policies that are refused, with the line and a part of the reason.
var bad = []struct{ text, line, part string }{
	{"levels:\n  wide-tabel: note\n", "2", `unknown finding "wide-tabel"`},
	{"levels:\n  wide-table: notice\n", "2", "a level is"},
	{"max-insn: 3\n", "1", `unknown key "max-insn"`},
	{"\nmax-insns: many\n", "2", "must be a number"},
	{"max-insns: -1\n", "1", "0 or more"},
	{"fail-on: off\n", "1", "fail-on is"},
	{"programs:\n  - max-insns: 3\n", "2", "match is missing"},
	{"programs:\n  - match: \"[\"\n", "2", "is not a glob"},
	{"programs:\n  - match: x\n    fail-on: error\n", "3", `unknown key "fail-on"`},
	{"programs: {match: x}\n", "1", "must be a list"},
	{"exclude: x.o\n", "1", "must be a list"},
	{"kernels: linux-7.3\n", "1", "must be a list"},
	{"kernels: [7.3]\n", "1", `write "7.3" in quotes`},
	{"exclude:\n  - 7\n", "2", `write "7" in quotes`},
	{"kernels:\n  - linux-7.3\n  - linux-6.18\n  - linux-7.3\n", "4", "linux-7.3 is named twice"},
	{"kernels:\n  - \"\"\n", "2", "must not be empty"},
	{"must-reach:\n  - function: a\n    helper: b\n", "2", "one of function, helper and line"},
	{"must-reach:\n  - {}\n", "2", "one of function, helper and line"},
	{"must-reach:\n  - line: parse.c\n", "2", "write FILE:LINE"},
	{"must-reach:\n  - line: parse.c:0\n", "2", "write FILE:LINE"},
	{"must-not-reach:\n  - func: a\n", "2", `unknown key "func"`},
	{"set:\n  x: yes it is\n", "2", "is not a number"},
	{"set:\n  x: [1]\n", "2", "single value"},
	{"max-insns: 1\nmax-insns: 2\n", "2", "appears twice"},
	{"- a\n", "1", "must be a mapping"},
	{"levels: 3\n", "1", "must be a mapping"},
}

func TestParseRefuses(t *testing.T) {
	for _, c := range bad {
		p, err := Parse("p.yaml", []byte(c.text))
		if err == nil {
			t.Errorf("%q is taken: %+v", c.text, p)
			continue
		}
		if !strings.HasPrefix(err.Error(), "p.yaml:"+c.line+": ") || !strings.Contains(err.Error(), c.part) {
			t.Errorf("%q: %v: want line %s and %q", c.text, err, c.line, c.part)
		}
	}
	for _, text := range []string{"a: [", "\t", "a: b: c", "max-insns: 1\n---\nmax-insns: 2\n", "&a [*a]", "max-insns: *x"} {
		if _, err := Parse("p.yaml", []byte(text)); err == nil || !strings.HasPrefix(err.Error(), "p.yaml:") {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, text := range []string{"", "\n", "# nothing\n", "{}", "levels:\n"} {
		if _, err := Parse("p.yaml", []byte(text)); err != nil {
			t.Errorf("%q asks for nothing and is refused: %v", text, err)
		}
	}
}

// TestSchema checks that the JSON schema takes and refuses what Parse does, as
// far as a schema can tell.
func TestSchema(t *testing.T) {
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
	valid := func(text string) error {
		var v any
		if err := yaml.Unmarshal([]byte(text), &v); err != nil {
			return err
		}
		return s.Validate(v)
	}
	// yaml.v3 takes a bare off for a string, as YAML 1.2 does.
	for _, text := range []string{full, "", "{}", "levels:\n"} {
		if err := valid(text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, c := range bad {
		if c.part == "is not a glob" { // beyond a schema
			continue
		}
		if valid(c.text) == nil {
			t.Errorf("the schema takes %q", c.text)
		}
	}
	for _, i := range check.Catalogue() {
		if err := valid("levels: {" + string(i.ID) + ": off}"); err != nil {
			t.Errorf("policy.schema.json does not list the finding %s under levels", i.ID)
		}
	}
}

// TestDocumented checks that the documentation has every key and every finding.
func TestDocumented(t *testing.T) {
	doc := func(name string) string {
		data, err := os.ReadFile("../../docs/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	policy := doc("policy.md")
	for _, key := range []string{"fail-on", "exclude", "kernels", "levels", "must-reach", "must-not-reach", "max-insns", "max-image", "max-targets",
		"set", "programs", "match", "function", "helper", "line"} {
		if !strings.Contains(policy, "`"+key+"`") {
			t.Errorf("docs/policy.md does not have `%s`", key)
		}
	}
	findings := doc("findings.md")
	for _, i := range check.Catalogue() {
		if !strings.Contains(findings, "| `"+string(i.ID)+"` | "+string(i.Level)+" |") {
			t.Errorf("docs/findings.md has no row for %s with level %s", i.ID, i.Level)
		}
	}
}

func TestApply(t *testing.T) {
	program := func() *bytecode.Program {
		return &bytecode.Program{Maps: []bytecode.Map{
			{Name: ".data", Value: make([]byte, 8), Symbols: []bytecode.DataSymbol{{Name: "rw", Off: 0, Size: 8}}},
			{Name: ".rodata", ReadOnly: true, Value: []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, Symbols: []bytecode.DataSymbol{
				{Name: "b", Off: 0, Size: 1}, {Name: "h", Off: 2, Size: 2}, {Name: "w", Off: 4, Size: 8}, {Name: "odd", Off: 0, Size: 3},
				{Name: "cut", Off: 8, Size: 8},
			}},
		}}
	}
	for _, c := range []struct{ set, want, fault string }{
		{"b=0", "\x00\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c", ""},
		{"b=true", "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c", ""},
		{"h=0x1234", "\x01\x02\x34\x12\x05\x06\x07\x08\x09\x0a\x0b\x0c", ""},
		{"h=-2", "\x01\x02\xfe\xff\x05\x06\x07\x08\x09\x0a\x0b\x0c", ""},
		{"w=-1", "\x01\x02\x03\x04\xff\xff\xff\xff\xff\xff\xff\xff", ""},
		{"w=18446744073709551615", "\x01\x02\x03\x04\xff\xff\xff\xff\xff\xff\xff\xff", ""},
		{"b=255", "\xff\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c", ""},
		{"b=256", "", "does not fit in 8 bits"},
		{"b=-129", "", "does not fit in 8 bits"},
		{"odd=1", "", "3 bytes"},
		{"cut=1", "", "outside its section"},
		{"rw=1", "", "programs may change it"},
	} {
		name, value, _ := strings.Cut(c.set, "=")
		p, err := Parse("p.yaml", []byte("set: {"+name+": "+value+"}\n"))
		if err != nil {
			t.Fatal(err)
		}
		before := program()
		q, err := p.For("x").Apply(before, nil)
		if c.fault != "" {
			if err == nil || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("%s: %v, want %q", c.set, err, c.fault)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.set, err)
			continue
		}
		if got := string(q.Maps[1].Value); got != c.want {
			t.Errorf("%s: %x, want %x", c.set, got, c.want)
		}
		if string(before.Maps[1].Value) != string(program().Maps[1].Value) {
			t.Errorf("%s changed the program it was given", c.set)
		}
		if unused := p.Unused(); len(unused) != 0 {
			t.Errorf("%s: unused %v", c.set, unused)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(full)
	for _, c := range bad {
		f.Add(c.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse("p.yaml", []byte(text))
		if (p == nil) == (err == nil) {
			t.Fatalf("%v and %v", p, err)
		}
		if err != nil && strings.ContainsRune(err.Error(), '\n') {
			t.Errorf("the error has several lines: %q", err)
		}
		if p != nil {
			p.For("x")
		}
	})
}

// TestAliasBomb gives a file whose aliases make 40 billion places of a megabyte.
func TestAliasBomb(t *testing.T) {
	text := "programs:\n- match: &l [" + strings.Repeat("x,", 200_000) + "x]\n" +
		strings.Repeat("- {match: *l}\n", 10_000)
	_, err := Parse("p.yaml", []byte(text))
	if err == nil || !strings.HasPrefix(err.Error(), "p.yaml:") || !strings.Contains(err.Error(), "aliases") {
		t.Errorf("%v", err)
	}
	long := "programs:\n- match: \"" + strings.Repeat("*a", maxGlob) + "\"\n"
	if _, err := Parse("p.yaml", []byte(long)); err == nil || len(err.Error()) > 200 {
		t.Errorf("%v", err)
	}
}
