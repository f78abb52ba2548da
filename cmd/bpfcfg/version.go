package main

import (
	"fmt"
	"runtime/debug"

	"github.com/bpfcfg/bpfcfg/golden"
	"github.com/bpfcfg/bpfcfg/jit"
)

// versionCmd prints versions.
type versionCmd struct{}

// Help returns the examples of --help.
func (versionCmd) Help() string { return "Example:\n  bpfcfg version" }

// Run implements the verb.
func (versionCmd) Run(std streams) error {
	version := "(devel)"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		version = info.Main.Version
	}
	fmt.Fprintf(std.out, "bpfcfg %s\nschema %s\nlayout format %d\nprofiles", version, schema, golden.FormatVersion)
	for _, name := range jit.ProfileNames() {
		fmt.Fprintf(std.out, " %s", name)
	}
	_, err := fmt.Fprintln(std.out)
	return err
}
