package report

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/bpfcfg/bpfcfg/internal/check"
	"github.com/bpfcfg/bpfcfg/internal/visible"
)

// Options are the options of Write.
type Options struct {
	Colour  bool        // text: with terminal colours
	Show    check.Level // text, GitHub: the lowest level that is listed; all when empty
	Version string      // SARIF: of bpfcfg
}

// lowest returns the lowest level that is listed.
func (o Options) lowest() check.Level {
	if o.Show.Rank() <= 0 {
		return check.Note
	}
	return o.Show
}

// writer writes reports in a format.
type writer struct {
	format string
	write  func(io.Writer, *Report, Options) error
}

// writers returns the writers of all formats.
func writers() []writer {
	return []writer{
		{"text", writeText}, {"json", writeJSON}, {"sarif", writeSARIF}, {"junit", writeJUnit}, {"github", writeGitHub},
	}
}

// Formats returns the names of the formats.
func Formats() (names []string) {
	for _, w := range writers() {
		names = append(names, w.format)
	}
	return names
}

// Write writes a report in a format, one input after the other: it holds neither the whole document
// nor all unpacked inputs. The error is the writer's, or says that there is no such format.
func Write(w io.Writer, format string, r *Report, opt Options) error {
	all := writers()
	i := slices.IndexFunc(all, func(f writer) bool { return f.format == format })
	if i < 0 {
		return fmt.Errorf("unknown format %q: want one of %s", format, strings.Join(Formats(), ", "))
	}
	out := bufio.NewWriter(w)
	if err := all[i].write(out, r, opt); err != nil {
		return err
	}
	return out.Flush()
}

// writeJSON writes the report itself.
func writeJSON(w io.Writer, r *Report, _ Options) error {
	out := *r
	out.Schema, out.Kind, out.Inputs = Schema, Kind, []Input{}
	return encodeList(w, out, "inputs", 1, r.inputs())
}

// encode writes a value as JSON with one blank of indentation.
func encode(w io.Writer, v any) error {
	enc := json.NewEncoder(visible.JSONWriter(w))
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	return enc.Encode(v)
}

// encodeList is encode for a document with a long list, of which it holds one
// element at a time: doc is the document with the list empty, key the list's name
// and depth how many lists and objects it is in.
func encodeList[T any](w io.Writer, doc any, key string, depth int, list iter.Seq[T]) error {
	var b bytes.Buffer
	if err := encode(&b, doc); err != nil {
		return err
	}
	indent := strings.Repeat(" ", depth)
	head, tail, ok := strings.Cut(b.String(), "\n"+indent+strconv.Quote(key)+": []")
	if !ok {
		panic("bug: no empty list " + key)
	}
	if _, err := io.WriteString(w, head+"\n"+indent+strconv.Quote(key)+": ["); err != nil {
		return err
	}
	var element bytes.Buffer
	enc := json.NewEncoder(visible.JSONWriter(&element))
	enc.SetEscapeHTML(false)
	enc.SetIndent(indent+" ", " ")
	end := "]"
	for v := range list {
		if end != "]" {
			element.WriteByte(',')
		}
		end = "\n" + indent + "]"
		element.WriteString("\n" + indent + " ")
		if err := enc.Encode(v); err != nil {
			return err
		}
		element.Truncate(element.Len() - 1) // a line break
		if _, err := w.Write(element.Bytes()); err != nil {
			return err
		}
		element.Reset()
	}
	_, err := io.WriteString(w, end+tail)
	return err
}

// where names a place for people: "prog.c:12:3", or "insn 7" without source.
func (p Place) where() string {
	switch {
	case p.Line > 0 && p.Col > 0:
		return fmt.Sprintf("%s:%d:%d", visible.Text(p.File), p.Line, p.Col)
	case p.Line > 0:
		return fmt.Sprintf("%s:%d", visible.Text(p.File), p.Line)
	case p.Insn >= 0:
		return fmt.Sprintf("insn %d", p.Insn)
	default:
		return "whole"
	}
}

// label names a program: "xdp/parse".
func (p *Program) label() string {
	if p.Name == "" && p.Section == "" && p.Insns == 0 {
		return "object"
	}
	if p.Section == "" {
		return visible.Text(p.Name)
	}
	return visible.Text(p.Section) + "/" + visible.Text(p.Name)
}

// fullMessage returns the finding's message with the kernel's words, if it does not contain them already.
func (f *Finding) fullMessage() string {
	m := visible.Text(f.Message)
	if k := visible.Text(f.Kernel); k != "" && !strings.Contains(m, k) {
		m += " (Linux: " + k + ")"
	}
	if len(f.Profiles) > 0 {
		m += " (on " + visible.Text(strings.Join(f.Profiles, ", ")) + ")"
	}
	return m
}
