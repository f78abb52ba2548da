package report

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"iter"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/bpfcfg/bpfcfg/internal/check"
	"github.com/bpfcfg/bpfcfg/internal/visible"
)

// The types are those of SARIF 2.1.0 (OASIS, section numbers in brackets), as
// far as they are used.
type (
	sarifLog struct { // [3.13]
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct { // [3.14]
		Tool        sarifTool         `json:"tool"`
		Invocations []sarifInvocation `json:"invocations"`
		Results     []sarifResult     `json:"results"`
	}
	sarifTool struct { // [3.18]
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct { // [3.19]
		Name    string      `json:"name"`
		Info    string      `json:"informationUri"`
		Version string      `json:"version"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct { // [3.49]
		ID      check.ID    `json:"id"`
		Short   sarifText   `json:"shortDescription"`
		Full    sarifText   `json:"fullDescription"`
		Help    sarifText   `json:"help"`
		Default sarifConfig `json:"defaultConfiguration"`
	}
	sarifConfig struct { // [3.50]
		Level check.Level `json:"level"`
	}
	sarifText struct { // [3.11], [3.12]
		Text string `json:"text"`
	}
	sarifInvocation struct { // [3.20]
		Successful    bool                `json:"executionSuccessful"`
		Notifications []sarifNotification `json:"toolExecutionNotifications,omitempty"`
	}
	sarifNotification struct { // [3.58]
		Level     check.Level     `json:"level"`
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations,omitempty"`
	}
	sarifResult struct { // [3.27]
		RuleID       check.ID           `json:"ruleId"`
		RuleIndex    int                `json:"ruleIndex"`
		Level        check.Level        `json:"level"`
		Message      sarifText          `json:"message"`
		Locations    []sarifLocation    `json:"locations"`
		Related      []sarifLocation    `json:"relatedLocations,omitempty"`
		CodeFlows    []sarifFlow        `json:"codeFlows,omitempty"`
		Fingerprints map[string]string  `json:"partialFingerprints"`
		Suppressions []sarifSuppression `json:"suppressions,omitempty"`
		Properties   *sarifProperties   `json:"properties,omitempty"`
	}
	sarifProperties struct { // [3.8], ours
		Program string `json:"program"`
		Insn    int    `json:"insn"`
		Block   int    `json:"block"`
		// Kernels are those that have the result, in a check for several.
		Kernels []string `json:"kernels,omitempty"`
	}
	sarifSuppression struct { // [3.35]
		Kind string `json:"kind"`
	}
	sarifLocation struct { // [3.28]
		ID       *int           `json:"id,omitempty"`
		Physical sarifPhysical  `json:"physicalLocation"`
		Logical  []sarifLogical `json:"logicalLocations,omitempty"`
		Message  *sarifText     `json:"message,omitempty"`
	}
	sarifPhysical struct { // [3.29]
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   *sarifRegion  `json:"region,omitempty"`
	}
	sarifArtifact struct { // [3.4]
		URI string `json:"uri"`
	}
	sarifRegion struct { // [3.30]
		Line    int        `json:"startLine"`
		Col     int        `json:"startColumn,omitempty"`
		Snippet *sarifText `json:"snippet,omitempty"`
	}
	sarifLogical struct { // [3.33]
		Name string `json:"name"`
		Full string `json:"fullyQualifiedName"`
		Kind string `json:"kind"`
	}
	sarifFlow struct { // [3.36]
		Threads []sarifThread `json:"threadFlows"`
	}
	sarifThread struct { // [3.37]
		Locations []sarifStep `json:"locations"`
	}
	sarifStep struct { // [3.38]
		Location sarifLocation `json:"location"`
	}
)

// fingerprintKey names the fingerprint; the number changes with the definition of the fingerprint.
const fingerprintKey = "bpfcfg/v2"

// homepage is the address of the tool that SARIF viewers show.
const homepage = "https://github.com/bpfcfg/bpfcfg"

// writeSARIF writes a SARIF log of one run. Findings that the baseline accepts
// are suppressed results. A failure of the tool is an unsuccessful invocation.
func writeSARIF(w io.Writer, r *Report, opt Options) error {
	driver := sarifDriver{Name: "bpfcfg", Info: homepage, Version: numeric(opt.Version), Rules: []sarifRule{}}
	run := sarifRun{Tool: sarifTool{driver}, Results: []sarifResult{}}
	index := map[check.ID]int{}
	for i, info := range check.Catalogue() {
		index[info.ID] = i
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{info.ID, sarifText{info.Title}, sarifText{info.What},
			sarifText{"To fix: " + info.Fix + "."}, sarifConfig{info.Level}})
	}
	inv := sarifInvocation{Successful: true}
	fail := func(in *Input, msg string) {
		inv.Successful = false
		inv.Notifications = append(inv.Notifications, sarifNotification{check.Error, sarifText{visible.Text(msg)},
			[]sarifLocation{{Physical: physical(in, Place{Insn: -1})}}})
	}
	for in := range r.inputs() {
		if in.Error != "" {
			fail(in, in.Error)
		}
		for p := range in.groups() {
			if p.Error != "" {
				fail(in, "program "+p.Name+": "+p.Error)
			}
		}
	}
	run.Invocations = []sarifInvocation{inv}
	log := sarifLog{"https://json.schemastore.org/sarif-2.1.0.json", "2.1.0", []sarifRun{run}}
	return encodeList(w, log, "results", 3, func(yield func(sarifResult) bool) {
		for in, p := range r.programs() {
			for k := range p.Findings {
				f := &p.Findings[k]
				if !yield(result(in, p, f, index[f.ID])) {
					return
				}
			}
		}
	})
}

// numeric returns a version as SARIF requires it, with a number first: v0.1.0 is 0.1.0, and a build
// without a version 0-(devel).
func numeric(version string) string {
	if v := strings.TrimPrefix(version, "v"); v != "" && v[0] >= '0' && v[0] <= '9' {
		return v
	}
	return "0-" + cmp.Or(version, "unknown")
}

// programs yields all programs with their inputs.
func (r *Report) programs() iter.Seq2[*Input, *Program] {
	return func(yield func(*Input, *Program) bool) {
		for in := range r.inputs() {
			for p := range in.groups() {
				if !yield(in, p) {
					return
				}
			}
		}
	}
}

// result converts a finding.
func result(in *Input, p *Program, f *Finding, rule int) sarifResult {
	loc := sarifLocation{Physical: physical(in, f.Place), Logical: []sarifLogical{
		{visible.Text(f.Function), p.label() + "." + visible.Text(f.Function), "function"}}}
	res := sarifResult{
		RuleID: f.ID, RuleIndex: rule, Level: f.Level, Message: sarifText{f.fullMessage()},
		Locations:    []sarifLocation{loc},
		Fingerprints: map[string]string{fingerprintKey: fingerprint(in, f)},
		Properties:   &sarifProperties{p.label(), f.Insn, f.Block, f.Profiles},
	}
	if f.Fix != "" {
		res.Message.Text += ". To fix: " + f.Fix + "."
	}
	for i, x := range f.Related {
		id := i + 1
		res.Related = append(res.Related, sarifLocation{ID: &id, Physical: physical(in, x.Place),
			Message: &sarifText{visible.Text(x.Message)}})
	}
	if len(f.Path) > 0 {
		res.CodeFlows = []sarifFlow{{[]sarifThread{{steps(in, f.Path)}}}}
	}
	if f.Accepted {
		res.Suppressions = []sarifSuppression{{"external"}}
	}
	return res
}

// fingerprint returns the finding's identity among those of all objects: two objects
// may hold the same program.
func fingerprint(in *Input, f *Finding) string {
	id := in.Object + "\x00" + f.Fingerprint
	if len(f.Profiles) > 0 { // kernels may have different findings at one place
		id += "\x00" + f.Kernel
	}
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:8])
}

// steps converts a path.
func steps(in *Input, path []Step) []sarifStep {
	var out []sarifStep
	for _, s := range path {
		text := fmt.Sprintf("b%d ends at insn %d: %s", s.Block, s.Insn, visible.Text(s.Asm))
		if s.Skipped > 0 {
			text = fmt.Sprintf("(%s left out) %s", visible.Count(s.Skipped, "block"), text)
		}
		out = append(out, sarifStep{sarifLocation{Physical: physical(in, s.Place), Message: &sarifText{text}}})
	}
	return out
}

// physical returns a place in a C file; a place without one is the object, at its first line:
// viewers such as GitHub's show no result without a line.
func physical(in *Input, p Place) sarifPhysical {
	if p.Line == 0 {
		return sarifPhysical{sarifArtifact{uri(in.Object)}, &sarifRegion{Line: 1}}
	}
	region := &sarifRegion{Line: p.Line, Col: p.Col}
	if p.Text != "" {
		region.Snippet = &sarifText{visible.Text(p.Text)}
	}
	return sarifPhysical{sarifArtifact{uri(p.File)}, region}
}

// uri returns a file name as a URI reference.
func uri(file string) string {
	u := url.URL{Path: strings.ToValidUTF8(filepath.ToSlash(file), "?")}
	if filepath.IsAbs(file) {
		u.Scheme = "file"
		return u.String()
	}
	return u.String()
}
