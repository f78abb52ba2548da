package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/bpfcfg/bpfcfg/internal/visible"
)

// The elements of JUnit's XML as CI systems read it, below the root.
type (
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

// writeJUnit writes a test suite for each input with a test case for each program. A case fails by
// findings at or above the level that fails; the others are its output. A failed analysis is an
// error.
//
// The counts come before the cases, so the report is traversed twice.
func writeJUnit(w io.Writer, r *Report, _ Options) error {
	tests, failures, errors := 0, 0, 0
	for in := range r.inputs() {
		s := inputSuite(r, in)
		tests, failures, errors = tests+s.Tests, failures+s.Failures, errors+s.Errors
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", " ")
	root := xml.StartElement{Name: xml.Name{Local: "testsuites"}, Attr: []xml.Attr{
		{Name: xml.Name{Local: "name"}, Value: "bpfcfg"}, number("tests", tests), number("failures", failures),
		number("errors", errors)}}
	if err := enc.EncodeToken(root); err != nil {
		return err
	}
	for in := range r.inputs() {
		if err := enc.EncodeElement(inputSuite(r, in), xml.StartElement{Name: xml.Name{Local: "testsuite"}}); err != nil {
			return err
		}
	}
	if err := enc.EncodeToken(root.End()); err != nil {
		return err
	}
	if err := enc.Close(); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// number returns an attribute.
func number(name string, n int) xml.Attr {
	return xml.Attr{Name: xml.Name{Local: name}, Value: strconv.Itoa(n)}
}

// inputSuite returns the test suite of an input.
func inputSuite(r *Report, in *Input) *junitSuite {
	s := &junitSuite{Name: visible.Text(in.Object)}
	if in.Error != "" {
		s.add(junitCase{Class: s.Name, Name: "input", Error: &junitProblem{visible.Text(in.Error), "not-analysed", ""}})
	}
	for p := range in.groups() {
		s.add(programCase(r, s.Name, p))
	}
	return s
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
		line := fmt.Sprintf("%s: %s: %s [%s]", f.where(), f.Level, f.fullMessage(), f.ID)
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
