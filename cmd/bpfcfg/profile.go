package main

import (
	"fmt"
	"strings"

	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/jit"
)

// lookupProfile returns the built-in profile called name, or the one in the
// JSON file of that name.
func lookupProfile(name string) (jit.Profile, error) {
	if strings.HasSuffix(name, ".json") {
		data, err := readInput(name, nil)
		if err != nil {
			return jit.Profile{}, inputError(fmt.Errorf("profile: %w", err))
		}
		prof, err := jit.ParseProfile(data)
		if err != nil {
			return jit.Profile{}, inputError(fmt.Errorf("profile %s: %w", name, err))
		}
		return prof, nil
	}
	prof, err := jit.LookupProfile(name)
	if err != nil {
		return jit.Profile{}, usagef("%w", err)
	}
	return prof, nil
}

// envProfile returns the profile of a recorded machine.
func envProfile(e *record.Env) (jit.Profile, error) {
	return jit.ProfileForEnv(e.Release, e.Cmdline, e.CPUFlags, e.CPUBugs, e.Vulnerabilities)
}
