package main

import (
	"io"

	"github.com/bpfcfg/bpfcfg/internal/jsonstream"
)

// schema names the version of JSON documents; docs/formats.md describes them.
const schema = "bpfcfg/1"

// document is the JSON of one input.
type document struct {
	Schema   string   `json:"schema"`
	Input    string   `json:"input"`
	Programs []any    `json:"programs"`
	Notes    []string `json:"notes,omitempty"` // what is odd about the file as a whole
}

// failedProgram stands in a document for a program that cannot be analysed.
type failedProgram struct {
	Name    string `json:"name"`
	Section string `json:"section"`
	Error   string `json:"error"`
}

// writeJSON prints v with one blank of indentation and a final line break.
func writeJSON(w io.Writer, v any) error { return jsonstream.Write(w, v) }
