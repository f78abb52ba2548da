package input

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/bpfcfg/bpfcfg/internal/record"
)

// Answers in one word.
const (
	Accepted = "accepted"
	Refused  = "refused"
	NoAnswer = "not answered"
)

// AnswerOf returns the answer of a record in one word, and the reason in a line: the kernel's
// reason for a refusal, or why there is no answer.
func AnswerOf(r *record.Record) (word, why string) {
	switch r.Verdict() {
	case "OK":
		return Accepted, ""
	case "CRASH":
		return NoAnswer, "the kernel went down while it loaded the program: " + crashLine(r.Crash)
	case "SETUP":
		return NoAnswer, strings.Join(r.Result.Setup, "; ")
	case "NOLOAD", "NONE":
		return NoAnswer, "the program was not loaded"
	case "NOJIT":
		why = r.Result.Load.Error
		if r.Result.Load.OK {
			return NoAnswer, "the verifier accepted it, but it needs a JIT, which this kernel does not have"
		}
		return NoAnswer, "this kernel has no JIT: " + why
	}
	return Refused, strings.TrimSuffix(r.Result.Load.Errno+": "+r.Result.Load.Error, ": ")
}

// crashLine returns the line of a console that best explains a crash.
func crashLine(text string) string {
	last := ""
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			last = line
		}
		for _, sign := range []string{"BUG:", "Oops", "Kernel panic", "no answer for"} {
			if strings.Contains(line, sign) {
				return line
			}
		}
	}
	return last
}

// ByProgram returns the answers by program name, and the machine.
func (a *Answers) ByProgram() (map[string]*record.Record, *record.Env, error) {
	out, env := map[string]*record.Record{}, &record.Env{}
	r, err := a.records(record.Options{SkipLogs: true})
	if err != nil {
		return nil, nil, fmt.Errorf("answers: %w", err)
	}
	for rec, err := range r.Records() {
		switch {
		case err != nil:
			return nil, nil, err
		case rec.Env != nil:
			env = rec.Env
		default:
			out[rec.Job.Name] = rec
		}
	}
	return out, env, nil
}

// WriteRecord writes a line of a file of records.
func WriteRecord(w io.Writer, r *record.Record) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}
