package report

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/bpfcfg/bpfcfg/internal/check"
	"github.com/bpfcfg/bpfcfg/internal/visible"
)

// BaselineSchema identifies a baseline file.
const BaselineSchema = "bpfcfg-baseline/2"

// Accepted is a finding that a baseline accepts. Object, Program and Fingerprint
// identify it; the rest is for people.
type Accepted struct {
	Object      string   `json:"object"` // its identity, see package object
	Program     string   `json:"program"`
	ID          check.ID `json:"id"`
	Function    string   `json:"function"`
	Fingerprint string   `json:"fingerprint"`
	Message     string   `json:"message"`
}

// compare orders entries.
func (a Accepted) compare(b Accepted) int {
	return cmp.Or(cmp.Compare(a.Object, b.Object), cmp.Compare(a.Program, b.Program), cmp.Compare(a.ID, b.ID),
		cmp.Compare(a.Function, b.Function), cmp.Compare(a.Fingerprint, b.Fingerprint), cmp.Compare(a.Message, b.Message))
}

// identity is the part of an entry by which it is compared.
type identity struct{ object, program, fingerprint string }

func (a Accepted) identity() identity { return identity{a.Object, a.Program, a.Fingerprint} }

// Baseline returns the entries that accept all findings of a report.
func (r *Report) Baseline() []Accepted {
	out := []Accepted{}
	for in := range r.inputs() {
		for p := range in.groups() {
			for _, f := range p.Findings {
				out = append(out, Accepted{in.Object, p.Name, f.ID, f.Function, f.Fingerprint, f.Message})
			}
		}
	}
	slices.SortFunc(out, Accepted.compare)
	return slices.Compact(out)
}

// baselineFile is the content of a baseline file.
type baselineFile struct {
	Schema   string     `json:"schema"`
	Findings []Accepted `json:"findings"`
}

// EncodeBaseline returns a baseline file: one finding per line, so that its changes are easy to
// read.
func EncodeBaseline(entries []Accepted) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "{\"schema\": %q, \"findings\": [", BaselineSchema)
	for i, e := range entries {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('\n')
		var line bytes.Buffer
		enc := json.NewEncoder(visible.JSONWriter(&line))
		enc.SetEscapeHTML(false)
		if err := enc.Encode(e); err != nil {
			return nil, err
		}
		b.Write(bytes.TrimRight(line.Bytes(), "\n"))
	}
	b.WriteString("\n]}\n")
	return b.Bytes(), nil
}

// ReadBaseline reads a baseline file.
func ReadBaseline(data []byte) ([]Accepted, error) {
	var f baselineFile
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, fmt.Errorf("not a baseline: %w", err)
	}
	if f.Schema != BaselineSchema {
		return nil, fmt.Errorf("not a baseline: schema is %q, not %q: write it again with --write-baseline",
			f.Schema, BaselineSchema)
	}
	return f.Findings, nil
}

// Accept marks the findings that the entries accept, and lists as removable the entries of analysed
// programs that no finding matches. Entries of an input or program that was not analysed are not
// removable.
func (r *Report) Accept(entries []Accepted) {
	known := map[identity]bool{}
	for _, e := range entries {
		known[e.identity()] = true
	}
	found := map[identity]bool{}
	inputs := map[string]bool{}
	failed := map[string]bool{}
	for i := range r.Inputs {
		in := r.Inputs[i].unpacked()
		object := in.Object
		inputs[object] = true
		failed[object] = failed[object] || in.Error != ""
		for p := range in.groups() {
			failed[object] = failed[object] || p.Error != ""
			for k := range p.Findings {
				f := &p.Findings[k]
				id := identity{object, p.Name, f.Fingerprint}
				f.Accepted = known[id]
				found[id] = true
			}
		}
		if r.Inputs[i].packed != nil {
			in.Pack()
			r.Inputs[i] = *in
		}
	}
	for _, e := range entries {
		if !found[e.identity()] && inputs[e.Object] && !failed[e.Object] {
			r.Removable = append(r.Removable, e)
		}
	}
	slices.SortFunc(r.Removable, Accepted.compare)
	r.Removable = slices.Compact(r.Removable)
}
