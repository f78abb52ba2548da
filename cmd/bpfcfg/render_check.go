package main

import (
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/render"
	"github.com/bpfcfg/bpfcfg/render/picture"
)

// check verifies the drawn program like verify, and adds the results to the scene: whether the
// machine code has the bytecode's control flow and whether the code of a recorded program is the
// kernel's.
func (c *renderCmd) check(scene *render.Scene, a *pipeline.Analysis) {
	if a.Image == nil || c.View == "cfg" {
		return
	}
	picture.AddVerified(scene, a, a.Verify())
	if c.Profile != "" {
		return // the record is not about another machine's code
	}
	d := verifyDoc{Same: true}
	o, err := c.kernel.of(a.Program, a.Profile)
	if err == nil && o != nil {
		err = d.kernels(a, o)
	}
	if c.kernelErr != nil {
		err = c.kernelErr
	}
	if err != nil {
		scene.Notes = append(scene.Notes, "not compared with the recorded kernel's bytes: "+err.Error())
		return
	}
	if o == nil {
		return
	}
	code := ""
	for _, k := range d.Checks {
		switch {
		case k.Outcome == outcomeDiffers && k.What == "kernel-cfg":
			// The kernel's own code, of which the picture shows nothing.
			scene.Mismatches = append(scene.Mismatches, prefixed(k)...)
		case k.Outcome == outcomeDiffers && k.What == "code":
			code = k.Outcome
			picture.AddKernelCode(scene, a, o.Code, prefixed(k)...)
		case k.Outcome == outcomeDiffers:
			scene.Mismatches = append(scene.Mismatches, prefixed(k)...)
		case k.Outcome == outcomeSame && k.What == "code":
			code = k.Outcome
			picture.AddSame(scene, "bytes of the recorded kernel")
		case k.Outcome == outcomeExplained:
			code = k.Outcome
			scene.Notes = append(scene.Notes, whatText[k.What]+": "+k.Detail)
		}
	}
	if code == "" {
		scene.Notes = append(scene.Notes, "not compared with the recorded kernel's bytes"+whyNot(d.Checks))
	}
}

// prefixed returns the mismatches of a check with what was compared.
func prefixed(k checkDoc) []string {
	var out []string
	for _, m := range k.Mismatches {
		out = append(out, whatText[k.What]+": "+m)
	}
	return out
}

// whyNot returns the first reason why something was not compared.
func whyNot(checks []checkDoc) string {
	for _, k := range checks {
		if k.Outcome == outcomeUnknown && k.Detail != "" {
			return ": " + k.Detail
		}
	}
	return ""
}
