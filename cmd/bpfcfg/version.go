package main

import (
	"fmt"
	"runtime"
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
	fmt.Fprintf(std.out, "bpfcfg %s\nbuilt with %s for %s/%s\nschema %s\nlayout format %d\nprofiles", buildVersion(),
		runtime.Version(), runtime.GOOS, runtime.GOARCH, schema, golden.FormatVersion)
	for _, name := range jit.ProfileNames() {
		fmt.Fprintf(std.out, " %s", name)
	}
	_, err := fmt.Fprintln(std.out)
	return err
}

// buildVersion returns the module's version as the linker knows it: the tag, or
// time and hash of the commit; "+dirty" when the tree had changes.
func buildVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
