package main

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/check"
	"github.com/bpfcfg/bpfcfg/internal/config"
	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
)

// allProfiles stands for all built-in profiles in --profile.
const allProfiles = "all"

// Outcomes of a program on a kernel that was not asked. That a kernel accepts a
// program is nothing that an analysis can say.
const (
	kernelRefuses   = "refused"
	kernelSilent    = "not refused by the rules that are modelled"
	kernelUndecided = "not analysed"
)

// kernelDoc is what is known of a program on one kernel.
type kernelDoc struct {
	Profile  string `json:"profile"`
	Verified bool   `json:"verified"` // such a kernel was compared with
	Verdict  string `json:"verdict"`
	Message  string `json:"message,omitempty"` // Linux's, or why there is no verdict
	Insn     int    `json:"insn"`              // -1: none
	Slots    int    `json:"slots"`             // of the rewritten program, 0 when it is not predicted
	Bytes    int    `json:"bytes"`             // of machine code, 0 when it is not predicted
}

// kernelsDoc is a program on all kernels that were asked for.
type kernelsDoc struct {
	head
	Input   string      `json:"input"`
	Kernels []kernelDoc `json:"kernels"`
}

// profileNames returns the profiles that --profile names.
func profileNames(flag string) []string {
	if flag == allProfiles {
		return jit.ProfileNames()
	}
	return strings.Split(flag, ",")
}

// acrossKernels checks the inputs for several profiles, each loaded once, and
// prints a table. Refusal by any of the kernels is a finding.
func (c *checkCmd) acrossKernels(std streams, run *checkRun, names []string) error {
	if len(c.VM)+len(c.UML) > 0 || c.Baseline != "" || c.Shard != "" {
		return usagef("several profiles go with none of --vm, --uml, --baseline and --shard: run check for each")
	}
	var profiles []jit.Profile
	for _, n := range names {
		prof, err := lookupProfile(std, n)
		if err != nil {
			return err
		}
		profiles = append(profiles, prof)
	}
	doc := document{Schema: schema, Input: strings.Join(c.Input, " "), Programs: []any{}}
	var failed []failure
	refused := false
	for _, s := range run.inputs.sources(std) {
		types := run.types(s)
		failed = append(failed, s.failed...)
		for _, p := range s.programs {
			d := kernelsDoc{head: headOf(p), Input: s.name}
			for _, prof := range profiles {
				k := run.onKernel(p, types, prof)
				refused = refused || k.Verdict == kernelRefuses
				if k.Verdict == kernelUndecided {
					failed = append(failed, failure{p.Name, p.Section, fmt.Errorf("%s: %s", k.Profile, k.Message)})
				}
				d.Kernels = append(d.Kernels, k)
			}
			doc.Programs = append(doc.Programs, d)
		}
	}
	if err := writeKernels(std, c.Format, doc); err != nil {
		return err
	}
	if err := worse(failures(std.err, doc.Input, failed), run.inputs.end(std)); err != nil {
		return err
	}
	if refused && c.FailOn != "never" {
		return errFindings
	}
	return nil
}

// onKernel returns what is known of a program on the profile's kernel.
func (c *checkRun) onKernel(p *bytecode.Program, types *config.Types, prof jit.Profile) kernelDoc {
	d := kernelDoc{Profile: prof.Name, Verified: prof.Verified(), Verdict: kernelSilent, Insn: -1}
	a, fs, err := c.analysed(p, types, prof)
	if err != nil {
		d.Verdict, d.Message = kernelUndecided, err.Error()
		return d
	}
	i := slices.IndexFunc(fs, func(f check.Finding) bool { return f.Level == check.Error && f.Kernel != "" })
	if i >= 0 {
		d.Verdict, d.Message, d.Insn = kernelRefuses, fs[i].Kernel, int(fs[i].PC)
		return d
	}
	if a.Xlated != nil {
		d.Slots = len(a.Xlated.Program.Insns)
	}
	if a.Image != nil {
		d.Bytes = len(a.Image.Code)
	}
	return d
}

// analysed analyses a program with the constants that the policy assumes.
func (c *checkRun) analysed(p *bytecode.Program, types *config.Types, prof jit.Profile) (
	a *pipeline.Analysis, fs []check.Finding, err error,
) {
	fs, err = guard(func() ([]check.Finding, error) {
		set := c.policy.For(p.Name)
		q, err := set.Apply(p, types)
		if err != nil {
			return nil, err
		}
		if a, err = pipeline.Run(q, prof, rewrite.Options{}); err != nil {
			return nil, err
		}
		return check.Findings(a, set.Expect), nil
	})
	return a, fs, err
}

// writeKernels prints the table as text or JSON.
func writeKernels(std streams, formats []string, doc document) error {
	if slices.Equal(formats, []string{"json"}) {
		return writeJSON(std.out, doc)
	}
	if len(formats) > 0 && !slices.Equal(formats, []string{"text"}) {
		return usagef("several profiles are printed as text or json: --format text, --format json")
	}
	tw := tabwriter.NewWriter(std.out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tw, "program\tkernel\tslots\tbytes\tverdict")
	for _, v := range doc.Programs {
		d := v.(kernelsDoc)
		for _, k := range d.Kernels {
			text := k.Verdict
			if k.Message != "" {
				text += ": " + visible.Text(k.Message)
			}
			if k.Insn >= 0 {
				text += fmt.Sprintf(" (insn %d)", k.Insn)
			}
			name := k.Profile
			if !k.Verified {
				name += " (unverified)"
			}
			fmt.Fprintf(tw, "%s#%s\t%s\t%s\t%s\t%s\n", visible.Text(d.Input), visible.Text(d.Name), name, orDash(k.Slots),
				orDash(k.Bytes), text)
		}
	}
	return tw.Flush()
}

// orDash returns a number, or a dash for 0.
func orDash(n int) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}
