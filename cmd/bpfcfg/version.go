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
	fmt.Fprintf(std.out, "bpfcfg %s\nschema %s\nlayout format %d\nprofiles", buildVersion(), schema, golden.FormatVersion)
	for _, name := range jit.ProfileNames() {
		fmt.Fprintf(std.out, " %s", name)
	}
	_, err := fmt.Fprintln(std.out)
	return err
}

// buildVersion returns the module's version as the linker knows it.
func buildVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
