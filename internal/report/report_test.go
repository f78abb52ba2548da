package report

import (
	"encoding/json"
	"encoding/xml"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	_ "github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif" // for its copy of the schema
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/bpfcfg/bpfcfg/internal/check"
)

var update = flag.Bool("update", false, "write the golden files")

// write returns a report in a format.
func write(t *testing.T, format string, r *Report, opt Options) string {
	t.Helper()
	var b strings.Builder
	if err := Write(&b, format, r, opt); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestGolden(t *testing.T) {
	outs := map[string]string{"summary.md": Summary(fixture())}
	for _, f := range Formats() {
		outs[f] = write(t, f, fixture(), Options{Show: check.Note, Version: "v1"})
	}
	outs["colour"] = write(t, "text", fixture(), Options{Colour: true})
	for name, got := range outs {
		file := filepath.Join("testdata", "golden."+name)
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatalf("%v: -update writes it", err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s is other than in testdata (-want +got); if that is meant, -update writes it:\n%s", name, diff)
		}
	}
}

// TestFixOnce: text has a fix once, and of two fixes for one kind of finding both.
func TestFixOnce(t *testing.T) {
	finding := func(fix string) Finding {
		return Finding{ID: check.KernelRefuses, Level: check.Error, Message: "m", Place: Place{Insn: 1}, Fix: fix}
	}
	r := &Report{}
	r.Add(Input{Name: "a.o", Programs: []Program{
		{Name: "p", Findings: []Finding{finding("do this"), finding("do that"), finding("do this")}},
		{Name: "q", Findings: []Finding{finding("do that")}},
	}})
	out := write(t, "text", r, Options{Show: check.Note})
	for _, fix := range []string{"fix: do this\n", "fix: do that\n"} {
		if n := strings.Count(out, fix); n != 1 {
			t.Errorf("%q is told %d times:\n%s", fix, n, out)
		}
	}
}

// TestHarmless checks that no name from a file reaches the output as it is.
func TestHarmless(t *testing.T) {
	for _, f := range Formats() {
		out := write(t, f, fixture(), Options{Show: check.Note})
		if c := controls(out); c != "" {
			t.Errorf("%s prints %q", f, c)
		}
		if f == "github" {
			for line := range strings.Lines(out) {
				if !strings.HasPrefix(line, "::error ") && !strings.HasPrefix(line, "::warning ") && !strings.HasPrefix(line, "::notice ") {
					t.Errorf("github: %q is no command of ours", line)
				}
			}
		}
	}
}

// schema returns the JSON schema of SARIF 2.1.0 (OASIS). It is a string in the
// source of go-sarif, a module that only this test uses; its own validation
// would look at what its types make of a document, not at the document.
func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	const pkg = "github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
	dir, err := exec.Command("go", "list", "-f", "{{.Dir}}", pkg).Output()
	if err != nil {
		t.Fatalf("go list %s: %v", pkg, err)
	}
	file := filepath.Join(strings.TrimSpace(string(dir)), "schema.go")
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	ast.Inspect(f, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING && len(lit.Value) > len(text) {
			text = lit.Value
		}
		return true
	})
	if text, err = strconv.Unquote(text); err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("sarif.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("sarif.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSARIFSchema(t *testing.T) {
	s := schema(t)
	for name, r := range map[string]*Report{"full": fixture(), "empty": {FailOn: check.Error}} {
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(write(t, "sarif", r, Options{Version: "v1"})))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(doc); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		// The schema must be one that can fail.
		doc.(map[string]any)["runs"].([]any)[0].(map[string]any)["results"] = []any{map[string]any{"level": "bad"}}
		if s.Validate(doc) == nil {
			t.Errorf("%s: the schema takes anything", name)
		}
	}
}

// TestJUnitCounts reads the XML back: what the attributes count is there.
func TestJUnitCounts(t *testing.T) {
	var got struct {
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	if err := xml.Unmarshal([]byte(write(t, "junit", fixture(), Options{})), &got); err != nil {
		t.Fatal(err)
	}
	if got.Tests != 6 || got.Failures != 1 || got.Errors != 2 {
		t.Errorf("tests %d, failures %d, errors %d: want 6, 1, 2", got.Tests, got.Failures, got.Errors)
	}
	if n := len(got.Suites); n != 3 {
		t.Errorf("%d suites, want one for each input", n)
	}
}

func TestJSONRoundTrip(t *testing.T) {
	text := write(t, "json", fixture(), Options{})
	r, err := Read(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if again := write(t, "json", r, Options{}); again != text {
		t.Errorf("reading and writing again changes the report:\n%s", cmp.Diff(text, again))
	}
}

func TestReadRefuses(t *testing.T) {
	for _, bad := range []string{
		"", "[]", "{}", `{"schema":"bpfcfg/2","kind":"check"}`, `{"schema":"bpfcfg/1","kind":"check","fail_on":"bad"}`,
		`{"schema":"bpfcfg/1","kind":"check","fail_on":"off","inputs":[{"programs":[{"findings":[{"level":"off"}]}]}]}`,
	} {
		if r, err := Read(strings.NewReader(bad)); err == nil {
			t.Errorf("%q gives %v", bad, r)
		}
	}
}

// TestMerge checks that the parts of a report joined are the report.
func TestMerge(t *testing.T) {
	whole := fixture()
	want := write(t, "json", whole, Options{})
	var parts []*Report
	for i := len(whole.Inputs) - 1; i >= 0; i-- {
		p := &Report{Profile: whole.Profile, FailOn: whole.FailOn, Shard: Shard{i + 1, len(whole.Inputs) + 1, "f"},
			Inputs: whole.Inputs[i : i+1]}
		if i == 1 {
			p.Removable = whole.Removable
		}
		parts = append(parts, p)
	}
	parts = append(parts, &Report{Profile: whole.Profile, FailOn: whole.FailOn,
		Shard: Shard{len(whole.Inputs) + 1, len(whole.Inputs) + 1, "f"}})
	got, err := Merge(parts)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, write(t, "json", got, Options{})); diff != "" {
		t.Error(diff)
	}
	for what, bad := range map[string][]*Report{
		"missing": parts[1:], "in 2 parts": append(parts[1:], parts...),
		"different inputs":        {parts[0], {Profile: whole.Profile, FailOn: whole.FailOn, Shard: Shard{2, len(parts), "g"}}},
		"one of":                  {parts[0], {Profile: whole.Profile, FailOn: whole.FailOn, Shard: Shard{2, 9, "f"}}},
		"does not name its shard": {parts[0], {Profile: whole.Profile, FailOn: whole.FailOn}},
	} {
		if _, err := Merge(bad); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("want an error with %q: %v", what, err)
		}
	}
	if _, err := Merge([]*Report{whole, whole}); err == nil || !strings.Contains(err.Error(), "in two parts") {
		t.Errorf("the same part twice: %v", err)
	}
	if _, err := Merge([]*Report{whole, {Profile: "linux-6.19", FailOn: whole.FailOn, Shard: whole.Shard}}); err == nil {
		t.Error("parts of different profiles were joined")
	}
}

func TestBaseline(t *testing.T) {
	r := fixture()
	data, err := EncodeBaseline(r.Baseline())
	if err != nil {
		t.Fatal(err)
	}
	entries, err := ReadBaseline(data)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 5 {
		t.Fatalf("%d entries, want 5:\n%s", len(entries), data)
	}
	// Instructions move, and the object lies elsewhere: still accepted.
	moved := fixture()
	moved.Removable = nil
	moved.Inputs[1].Name = "./b.o"
	for i := range moved.Inputs[1].Programs[1].Findings {
		moved.Inputs[1].Programs[1].Findings[i].Insn += 100
	}
	moved.Inputs[1].Programs[2].Error = "" // now it is analysed
	moved.Accept(append(entries, Accepted{Object: "b.o", Program: "filter", ID: check.NopTarget, Fingerprint: "gone"},
		Accepted{Object: "a.o", Program: "p", Fingerprint: "not analysed"},
		Accepted{Object: "elsewhere.o", Program: "p", Fingerprint: "not looked at"}))
	if c := moved.Count(); c.Failing != 0 || c.Accepted != 5 {
		t.Errorf("%+v: want all five accepted and none failing", c)
	}
	if len(moved.Removable) != 1 || moved.Removable[0].Fingerprint != "gone" {
		t.Errorf("removable: %+v", moved.Removable)
	}
	for _, bad := range []string{"", "{}", `{"schema":"other"}`} {
		if _, err := ReadBaseline([]byte(bad)); err == nil {
			t.Errorf("%q is taken for a baseline", bad)
		}
	}
}

func TestRelative(t *testing.T) {
	for _, c := range []struct{ file, root, want string }{
		{"/src/bpf/x.c", "/src", "bpf/x.c"},
		{"/src/bpf/../y.c", "/src", "y.c"},
		{"/srcs/x.c", "/src", "/srcs/x.c"},
		{"/x.c", "/src", "/x.c"},
		{"./x.c", "/src", "x.c"},
		{"../x.c", "/src", "../x.c"},
		{"x.c", "", "x.c"},
		{"", "/src", ""},
	} {
		if got := relative(c.file, c.root); got != c.want {
			t.Errorf("relative(%q, %q) = %q, want %q", c.file, c.root, got, c.want)
		}
	}
}

// TestURI checks names that are no URIs as they are.
func TestURI(t *testing.T) {
	for file, want := range map[string]string{
		"a b.c": "a%20b.c", "/abs/x.c": "file:///abs/x.c", "50%.c": "50%25.c", "x.o#f": "x.o%23f", "a:b.c": "./a:b.c", "ü.c": "%C3%BC.c",
	} {
		if got := uri(file); got != want {
			t.Errorf("uri(%q) = %q, want %q", file, got, want)
		}
	}
}

// TestSARIFIndex checks that every result points at its rule, and that what the
// baseline accepts is suppressed.
func TestSARIFIndex(t *testing.T) {
	var log sarifLog
	if err := json.Unmarshal([]byte(write(t, "sarif", fixture(), Options{})), &log); err != nil {
		t.Fatal(err)
	}
	run := log.Runs[0]
	suppressed := 0
	for _, r := range run.Results {
		if run.Tool.Driver.Rules[r.RuleIndex].ID != r.RuleID {
			t.Errorf("result %s points at rule %s", r.RuleID, run.Tool.Driver.Rules[r.RuleIndex].ID)
		}
		suppressed += len(r.Suppressions)
	}
	if suppressed != 1 || run.Invocations[0].Successful || len(run.Invocations[0].Notifications) != 2 {
		t.Errorf("%d suppressed, successful %v, %d notifications", suppressed, run.Invocations[0].Successful,
			len(run.Invocations[0].Notifications))
	}
}
