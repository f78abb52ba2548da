package main

import (
	"github.com/alecthomas/kong"

	"github.com/bpfcfg/bpfcfg/internal/check"
	"github.com/bpfcfg/bpfcfg/internal/manual"
	"github.com/bpfcfg/bpfcfg/internal/report"
	"github.com/bpfcfg/bpfcfg/jit"
)

// completionCmd prints a completion script.
type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help returns the examples of --help.
func (completionCmd) Help() string {
	return "Example:\n" +
		"  source <(bpfcfg completion bash)\n" +
		"  bpfcfg completion zsh > _bpfcfg        in a directory of fpath\n" +
		"  bpfcfg completion fish > bpfcfg.fish   in ~/.config/fish/completions"
}

// Run implements the verb.
func (c completionCmd) Run(std streams, k *kong.Context) error {
	write := map[string]func(*kong.Application, manual.Extra) []byte{
		"bash": manual.Bash, "zsh": manual.Zsh, "fish": manual.Fish,
	}[c.Shell]
	_, err := std.out.Write(write(k.Model, manualExtra()))
	return err
}

// manCmd prints the manual page.
type manCmd struct{}

// Help returns the examples of --help.
func (manCmd) Help() string {
	return "Example:\n" +
		"  bpfcfg man > bpfcfg.1   read it with man -l bpfcfg.1, or put it into /usr/local/share/man/man1"
}

// Run implements the verb.
func (manCmd) Run(std streams, k *kong.Context) error {
	_, err := std.out.Write(manual.Page(k.Model, manualExtra()))
	return err
}

// manualExtra returns the parts of the manual that the declaration of the command line lacks.
func manualExtra() manual.Extra {
	return manual.Extra{
		Version: buildVersion(),
		Values:  flagValues,
		Sections: []manual.Section{
			{Title: "INPUTS", Lines: []manual.Entry{
				{Term: "x.o", Text: "ELF object; all its programs, or the one named with --prog"},
				{Term: "x.o#NAME", Text: "one program of it"},
				{Term: "-", Text: "an ELF object on standard input"},
				{Term: "raw:FILE", Text: "8-byte instruction slots, binary or as hexadecimal text"},
				{Term: "record:FILE#NAME", Text: "the source program of a kernel record"},
				{Term: "live:ID, live:name=NAME, live:pin=PATH", Text: "a program of the running kernel (Linux on x86-64)"},
				{Term: "DIR", Text: "every .o below a directory"},
			}},
			{Title: "EXIT STATUS", Lines: []manual.Entry{
				{Term: "0", Text: "clean"},
				{Term: "1", Text: "findings at or above the level that fails"},
				{Term: "2", Text: "the command line is wrong"},
				{Term: "3", Text: "an input could not be analysed"},
				{Term: "4", Text: "a golden file, record or kernel differs"},
			}},
			{Title: "SEE ALSO", Lines: []manual.Entry{
				{Term: "https://github.com/bpfcfg/bpfcfg/tree/main/docs", Text: "documents"},
			}},
		},
	}
}

// flagValues returns the words of flags that are not declared as enumerations.
func flagValues(verb, flag string) []string {
	switch flag {
	case "profile", "kernel":
		return append(jit.ProfileNames(), "host")
	case "explain":
		if verb != "check" {
			return nil
		}
		ids := []string{"all"}
		for _, i := range check.Catalogue() {
			ids = append(ids, string(i.ID))
		}
		return ids
	case "format":
		return map[string][]string{
			"check": report.Formats(),
			"merge": report.Formats(),
			"diff":  {"text", "markdown", "json", "html", "svg"},
		}[verb]
	}
	return nil
}
