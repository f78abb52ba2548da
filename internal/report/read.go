package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Read reads the JSON of a report. Inputs are packed one by one, so that about a tenth of a
// document is in memory.
func Read(from io.Reader) (*Report, error) {
	var r Report
	d := json.NewDecoder(from)
	err := r.object(d)
	if err == nil {
		if _, err = d.Token(); err == nil {
			err = errors.New("more than one value")
		} else if errors.Is(err, io.EOF) {
			err = nil
		}
	}
	var level *levelError
	switch {
	case errors.As(err, &level):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("not the JSON of a check: %w", err)
	case r.Schema != Schema || r.Kind != Kind:
		return nil, fmt.Errorf("not the JSON of a check: schema %q, kind %q", r.Schema, r.Kind)
	case r.FailOn.Rank() < 0:
		return nil, fmt.Errorf("fail_on is %q, which is not a level", r.FailOn)
	}
	return &r, nil
}

// object reads the members of a report.
func (r *Report) object(d *json.Decoder) error {
	if err := delimiter(d, '{'); err != nil {
		return err
	}
	members := map[string]any{
		"schema": &r.Schema, "kind": &r.Kind, "profile": &r.Profile, "fail_on": &r.FailOn, "fail_for": &r.FailFor,
		"shard": &r.Shard, "passed_over": &r.Passed, "removable": &r.Removable,
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		text, _ := name.(string)
		if text == "inputs" {
			err = r.readInputs(d)
		} else if into, ok := members[text]; ok {
			err = d.Decode(into)
		} else {
			err = d.Decode(new(json.RawMessage)) // of a newer version
		}
		if err != nil {
			return err
		}
	}
	return delimiter(d, '}')
}

// readInputs reads the array of inputs.
func (r *Report) readInputs(d *json.Decoder) error {
	switch got, err := d.Token(); {
	case err != nil:
		return err
	case got == nil:
		return nil // null
	case got != json.Delim('['):
		return fmt.Errorf("inputs are %v, not a list", got)
	}
	for d.More() {
		var in Input
		if err := d.Decode(&in); err != nil {
			return err
		}
		for p := range in.groups() {
			for _, f := range p.Findings {
				if f.Level.Rank() <= 0 {
					return &levelError{in.Name, &f}
				}
			}
		}
		in.Pack()
		r.Inputs = append(r.Inputs, in)
	}
	return delimiter(d, ']')
}

// delimiter reads a bracket.
func delimiter(d *json.Decoder, want json.Delim) error {
	got, err := d.Token()
	switch {
	case errors.Is(err, io.EOF):
		return io.ErrUnexpectedEOF
	case err != nil:
		return err
	case got != want:
		return fmt.Errorf("%v where %v should be", got, want)
	}
	return nil
}

// levelError is a finding with a level that does not exist.
type levelError struct {
	input   string
	finding *Finding
}

func (e *levelError) Error() string {
	return fmt.Sprintf("%s: finding %s has the unknown level %q", e.input, e.finding.ID, e.finding.Level)
}
