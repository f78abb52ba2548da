package check

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/bpfcfg/bpfcfg/cfg"
)

// Object holds the properties of an object that are checked as a whole.
type Object struct {
	Odd     []string // remarks of the loader
	Refused []string // what libbpf refuses or leaves out
}

// ObjectFindings returns the findings about an object as a whole, which are reported once, not for
// each program.
func ObjectFindings(o Object) []Finding {
	var out []Finding
	seen := map[string]int{}
	add := func(id ID, level Level, text string) {
		key := string(id) + "\x00" + shape(text)
		sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d", key, seen[key]))
		seen[key]++
		out = append(out, Finding{ID: id, Level: level, PC: -1, Block: cfg.NoBlock, Message: text, Fix: id.Info().Fix,
			Fingerprint: hex.EncodeToString(sum[:8])})
	}
	for _, text := range o.Refused {
		add(LoaderRefuses, Warning, text)
	}
	for _, text := range o.Odd {
		add(OddObject, Note, text)
	}
	return out
}
