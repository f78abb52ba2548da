package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/bpfcfg/bpfcfg/internal/host"
	"github.com/bpfcfg/bpfcfg/internal/input"
	"github.com/bpfcfg/bpfcfg/internal/live"
	"github.com/bpfcfg/bpfcfg/internal/policy"
	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/jit"
)

// lookupProfile returns the built-in profile called name, that of the running
// machine for "host", or the one in the JSON file of that name.
func lookupProfile(std streams, name string) (jit.Profile, error) {
	if name == host.Name {
		r, err := input.HostProfile(live.NewKernel())
		if err != nil {
			return jit.Profile{}, err
		}
		return r.Profile, nil
	}
	if isProfileFile(name) {
		f, err := readProfile(name)
		if err == nil && len(f.BTF) > 0 && len(std.types) == 0 {
			err = usagef("profile %s names types of a kernel, which count only with --profile: name them with --btf", name)
		}
		return f.Profile, err
	}
	prof, err := jit.LookupProfile(name)
	if err != nil {
		return jit.Profile{}, usagef("%w", err)
	}
	std.standsFor(prof)
	return prof, nil
}

// lookupProfiles returns the profiles of these names, which must be different ones.
func lookupProfiles(std streams, names []string) ([]jit.Profile, error) {
	kernels := make([]policy.Kernel, len(names))
	for i, n := range names {
		kernels[i].Name = n
	}
	return lookupKernels(std, kernels)
}

// lookupKernels is lookupProfiles for the kernels of a policy: errors begin with the
// line of the policy.
func lookupKernels(std streams, kernels []policy.Kernel) ([]jit.Profile, error) {
	out := make([]jit.Profile, 0, len(kernels))
	for _, k := range kernels {
		prof, err := lookupProfile(std, k.Name)
		if i := slices.IndexFunc(out, sameProfile(&prof)); err == nil && i >= 0 {
			err = namedTwice(kernels[i].Name, k.Name)
		}
		if err != nil && k.At != "" {
			err = &statusError{statusOf(err), fmt.Errorf("policy %s: kernels: %w", k.At, err)}
		}
		if err != nil {
			return nil, err
		}
		out = append(out, prof)
	}
	return out, nil
}

// namedTwice is the error for two names of one profile.
func namedTwice(a, b string) error {
	if a == b {
		return usagef("%s is named twice", a)
	}
	return usagef("%s and %s are the same profile: name one of them", a, b)
}

// sameProfile returns a function that reports whether another profile has this name.
func sameProfile(a *jit.Profile) func(jit.Profile) bool {
	return func(b jit.Profile) bool { return a.Name == b.Name }
}

// standsFor warns, once per run, if a profile replaces that of a kernel without one, or was never
// compared with a kernel.
func (s streams) standsFor(prof jit.Profile) {
	if prof.StandsFor != "" {
		s.once(fmt.Sprintf("there is no profile for %s: using that of Linux %s, the nearest older one",
			prof.StandsFor, prof.Version))
	}
	if !prof.Verified() {
		s.once(fmt.Sprintf("the rules of Linux %s were read from its source and not compared with a running kernel",
			prof.Version))
	}
}

// once prints a note unless this run has printed it before.
func (s streams) once(note string) {
	if s.said[note] {
		return
	}
	if s.said != nil {
		s.said[note] = true
	}
	fmt.Fprintf(s.err, "bpfcfg: %s\n", note)
}

// profileCmd prints a profile.
type profileCmd struct {
	Name    string `arg:"" help:"A name such as linux-7.3+plain, FILE.json, or host for this machine."`
	Explain bool   `help:"For host: also print on standard error how each value was found."`
}

// Help returns the examples of --help.
func (profileCmd) Help() string {
	return `Examples:
  bpfcfg profile linux-7.3+stuff          a built-in profile with an option
  bpfcfg profile host > host.json         the profile of this machine, for use elsewhere
  bpfcfg profile host --explain           also which values were probed and which are assumed

For host, bpfcfg loads, reads and unloads a few tiny programs if it may. It attaches
nothing.`
}

// Run implements the verb.
func (c *profileCmd) Run(std streams) error {
	if isProfileFile(c.Name) {
		f, err := readProfile(c.Name)
		if err != nil {
			return err
		}
		return writeJSON(std.out, f)
	}
	if c.Name != host.Name {
		prof, err := lookupProfile(std, c.Name)
		if err != nil {
			return err
		}
		return writeJSON(std.out, prof)
	}
	r, err := input.HostProfile(live.NewKernel())
	if err != nil {
		return err
	}
	if c.Explain {
		if err := explainProfile(std.err, r); err != nil {
			return err
		}
	}
	return writeJSON(std.out, r.Profile)
}

// explainProfile says where the members of a profile come from.
func explainProfile(w io.Writer, r *host.Result) error {
	fmt.Fprintf(w, "like %s, with\n", visible.Text(r.Base))
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, f := range r.Findings {
		fmt.Fprintf(tw, "  %s\t%s\t%s\n", f.Member, f.From, visible.Text(f.Why))
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	for _, n := range r.Notes {
		fmt.Fprintf(w, "  note: %s\n", visible.Text(n))
	}
	return nil
}
