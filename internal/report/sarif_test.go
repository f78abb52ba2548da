package report

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestSARIFValidator runs a validator that is not ours, Microsoft's SARIF Multitool
// (package @microsoft/sarif-multitool-linux of npm), which also looks for what viewers
// need and the schema does not require: nothing it says is a warning.
func TestSARIFValidator(t *testing.T) {
	tool := os.Getenv("BPFCFG_SARIF_VALIDATOR")
	if tool == "" {
		t.Skip("BPFCFG_SARIF_VALIDATOR names no SARIF Multitool: the schema alone is checked")
	}
	validate := func(doc string) string {
		in := filepath.Join(t.TempDir(), "in.sarif")
		if err := os.WriteFile(in, []byte(doc), 0o666); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(tool, "validate", in, "--output", in+".said", "--rule-kind", "Sarif;Ghas")
		cmd.Env = append(os.Environ(), "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1")
		out, _ := cmd.CombinedOutput() // its status counts findings
		if !strings.Contains(string(out), "1 files scanned") {
			t.Fatalf("the validator did not work:\n%s", out)
		}
		return string(out)
	}
	bad := write(t, "sarif", fixture(), Options{Version: "v1.2.3"})
	bad = strings.Replace(bad, `"version": "1.2.3"`, `"version": "none"`, 1)
	if said := validate(bad); !strings.Contains(said, "SARIF2005") {
		t.Fatalf("the validator takes anything:\n%s", said)
	}
	said := validate(write(t, "sarif", fixture(), Options{Version: "(devel)"}))
	if strings.Contains(said, "warning ") || strings.Contains(said, "error ") {
		t.Errorf("the validator says:\n%s", said)
	}
}

// TestSARIFPlaces: viewers show only results with a line, and compare versions by
// their numbers.
func TestSARIFPlaces(t *testing.T) {
	var log sarifLog
	if err := json.Unmarshal([]byte(write(t, "sarif", fixture(), Options{Version: "v0.1.0"})), &log); err != nil {
		t.Fatal(err)
	}
	if d := log.Runs[0].Tool.Driver; d.Version != "0.1.0" || !strings.HasPrefix(d.Info, "https://") {
		t.Errorf("version %q, informationUri %q", d.Version, d.Info)
	}
	places := func(what string, list []sarifLocation) {
		for _, l := range list {
			if l.Physical.Region == nil || l.Physical.Region.Line < 1 {
				t.Errorf("%s: no line in %s", what, l.Physical.Artifact.URI)
			}
		}
	}
	for _, r := range log.Runs[0].Results {
		places(r.Message.Text, r.Locations)
		places(r.Message.Text, r.Related)
	}
	for _, n := range log.Runs[0].Invocations[0].Notifications {
		places(n.Message.Text, n.Locations)
	}
}
