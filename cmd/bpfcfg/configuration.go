package main

import "github.com/bpfcfg/bpfcfg/internal/input"

// configurationFlags set the values of programs' configuration: the const volatile variables that a
// loader writes before it loads them.
type configurationFlags struct {
	Set           []string `help:"Set a configuration constant (const volatile) to a value, or to ? for unknown. NAME may be NAME.MEMBER or NAME[INDEX]. MAP.max_entries is the size that a loader gives a map. Repeatable." placeholder:"NAME=VALUE" sep:"none"`
	CPUs          int      `help:"Possible processors of the machine that the programs are for (default: unknown). The kernel bounds a processor's number by it." placeholder:"N" name:"cpus"`
	ConfigUnknown bool     `help:"Treat all configuration constants (const volatile) as unknown, except those given with --set."`
}

// configuration reads the flags.
func (f configurationFlags) configuration() (*input.Configuration, error) {
	const most = 8192 // CONFIG_NR_CPUS of x86-64
	if f.CPUs < 0 || f.CPUs > most {
		return nil, usagef("--cpus %d: want 1 to %d", f.CPUs, most)
	}
	if len(f.Set) == 0 && !f.ConfigUnknown && f.CPUs == 0 {
		return nil, nil
	}
	return input.NewConfiguration(f.CPUs, f.ConfigUnknown, f.Set)
}

// misused reports whether an error is about the command line.
func misused(err error) bool {
	return err != nil && statusOf(err) == exitUsage
}
