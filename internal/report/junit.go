package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/bpfcfg/bpfcfg/internal/visible"
)

// The elements of JUnit's XML as CI systems read it.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		Failure *junitProblem `xml:"failure"`
		Error   *junitProblem `xml:"error"`
		Out     string        `xml:"system-out,omitempty"`
	}
	junitProblem struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",chardata"`
	}
)

// writeJUnit writes a test suite for each input with a test case for each
// program. A case fails by the findings at or above the level that fails; the
// others are its output. What could not be analysed is an error.
func writeJUnit(w io.Writer, r *Report, _ Options) error {
	all := junitSuites{Name: "bpfcfg"}
	for i := range r.Inputs {
		in := &r.Inputs[i]
		s := junitSuite{Name: visible.Text(in.Name)}
		if in.Error != "" {
			s.add(junitCase{Class: s.Name, Name: "input", Error: &junitProblem{visible.Text(in.Error), "not-analysed", ""}})
		}
		for j := range in.Programs {
			s.add(programCase(r, s.Name, &in.Programs[j]))
		}
		all.Tests, all.Failures, all.Errors = all.Tests+s.Tests, all.Failures+s.Failures, all.Errors+s.Errors
		all.Suites = append(all.Suites, s)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", " ")
	if err := enc.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// add adds a case to the suite and counts it.
func (s *junitSuite) add(c junitCase) {
	s.Tests++
	switch {
	case c.Error != nil:
		s.Errors++
	case c.Failure != nil:
		s.Failures++
	}
	s.Cases = append(s.Cases, c)
}

// programCase returns the test case of a program.
func programCase(r *Report, class string, p *Program) junitCase {
	c := junitCase{Class: class, Name: p.label()}
	if p.Error != "" {
		c.Error = &junitProblem{visible.Text(p.Error), "not-analysed", ""}
		return c
	}
	var failing, other []string
	for i := range p.Findings {
		f := &p.Findings[i]
		line := fmt.Sprintf("%s: %s: %s [%s]", f.where(), f.Level, f.said(), f.ID)
		switch {
		case r.Failing(f):
			if c.Failure == nil {
				c.Failure = &junitProblem{Message: line, Type: string(f.ID)}
			}
			failing = append(failing, line)
			if f.Fix != "" {
				failing = append(failing, "  fix: "+f.Fix)
			}
		case f.Accepted:
			other = append(other, line+" (accepted by the baseline)")
		default:
			other = append(other, line)
		}
	}
	if c.Failure != nil {
		c.Failure.Text = strings.Join(failing, "\n")
	}
	c.Out = strings.Join(other, "\n")
	return c
}
