package golden

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// maxValue is the size of the largest constant that is written as bytes; for larger ones the hash
// is written.
const maxValue = 8

// with lists the submitted parts other than instructions and tables. A kernel cannot distinguish
// two programs with the same instructions, tables and parts.
func with(p *bytecode.Program) []Part {
	out := []Part{{"type", fmt.Sprintf("%s attach %d flags 0x%x", Word(p.Type), p.AttachType, p.Flags)}}
	for i := range p.Maps {
		m := &p.Maps[i]
		text := fmt.Sprintf("type %d key %d value %d entries %d flags 0x%x", m.Type, m.KeySize, m.ValueSize, m.MaxEntries,
			m.Flags)
		out = append(out, Part{"map:" + Word(m.Name), text})
		if m.ReadOnly {
			out = append(out, constants(m)...)
		}
	}
	if n := len(p.Relocs); n > 0 {
		h := sha256.New()
		for _, r := range p.Relocs {
			fmt.Fprintf(h, "%s\n", r.Text)
		}
		out = append(out, Part{"relocations", fmt.Sprintf("%d sha256 %x", n, h.Sum(nil)[:8])})
	}
	if len(p.Refs) > 0 {
		h := sha256.New()
		for _, r := range p.Refs {
			fmt.Fprintf(h, "%d %d %d %q\n", r.Kind, r.Index, r.Off, r.Name)
		}
		out = append(out, Part{"references", fmt.Sprintf("%d sha256 %x", len(p.Refs), h.Sum(nil)[:8])})
	}
	return out
}

// constants lists the constant variables of a map, or the hash of its value if it names none.
func constants(m *bytecode.Map) []Part {
	name := "constant:" + Word(m.Name)
	if len(m.Symbols) == 0 {
		return []Part{{name, valueText(m.Value)}}
	}
	out := []Part{{name, valueText(m.Value)}}
	for _, s := range m.Symbols {
		if s.Off >= 0 && s.Size >= 0 && s.Off+s.Size <= int64(len(m.Value)) && s.Name != "" {
			out = append(out, Part{name + ":" + Word(s.Name), valueText(m.Value[s.Off : s.Off+s.Size])})
		}
	}
	return out
}

// valueText writes bytes, or their hash.
func valueText(b []byte) string {
	if len(b) <= maxValue {
		return "bytes " + hex.EncodeToString(b) + "."
	}
	sum := sha256.Sum256(b)
	return fmt.Sprintf("%d bytes sha256 %x", len(b), sum[:8])
}

// parts compares the submitted parts other than instructions and tables.
func (c *comparison) parts() (changed bool) {
	old, now := texts(c.old.With), texts(c.new.With)
	for _, p := range c.new.With {
		was, ok := old[p.Name]
		if ok && was == p.Text {
			continue
		}
		changed = true
		switch {
		case !ok:
			c.add(InputChanged, -1, -1, "%s is new: %s", p.Name, p.Text)
		case !variableOf(c.new.With, p.Name, old): // else its variables give the details
			c.add(InputChanged, -1, -1, "%s: %s, was %s", p.Name, p.Text, was)
		}
	}
	for _, p := range c.old.With {
		if _, ok := now[p.Name]; !ok {
			c.add(InputChanged, -1, -1, "%s is gone: it was %s", p.Name, p.Text)
			changed = true
		}
	}
	return changed
}

// texts returns parts by name.
func texts(parts []Part) map[string]string {
	out := map[string]string{}
	for _, p := range parts {
		out[p.Name] = p.Text
	}
	return out
}

// variableOf reports whether a variable of the named constants has another value.
func variableOf(parts []Part, name string, old map[string]string) bool {
	return slices.ContainsFunc(parts, func(p Part) bool {
		was, ok := old[p.Name]
		return strings.HasPrefix(p.Name, name+":") && ok && was != p.Text
	})
}
