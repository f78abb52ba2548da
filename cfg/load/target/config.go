package target

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/cilium/ebpf/btf"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Config is the configuration that a kernel was built with.
type Config struct {
	values  map[string]string // by name, with CONFIG_
	version uint32            // LINUX_KERNEL_VERSION, 0 if the file does not have it
}

// maxConfig bounds an unpacked configuration, in bytes.
const maxConfig = 16 << 20

// release finds the version in the head of a configuration file.
var release = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^# Linux/\S+ (\d+)\.(\d+)\.(\d+)`)
})

// ReadConfig reads a file of kernel configuration as builds leave it, packed or
// not: /boot/config-*, /proc/config.gz. The error names the file.
func ReadConfig(name string, data []byte) (*Config, error) {
	fail := func(err error) (*Config, error) {
		return nil, fmt.Errorf("%s: not a kernel configuration: %w", name, err)
	}
	if bytes.HasPrefix(data, []byte("\x1f\x8b")) {
		r, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return fail(err)
		}
		if data, err = io.ReadAll(io.LimitReader(r, maxConfig+1)); err != nil {
			return fail(err)
		}
	}
	if len(data) > maxConfig {
		return fail(fmt.Errorf("larger than the limit of 16 MiB"))
	}
	c := &Config{values: map[string]string{}}
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, maxConfig)
	for lines.Scan() {
		line := lines.Text()
		if m := release().FindStringSubmatch(line); m != nil {
			c.version = versionCode(m[1:])
		}
		if k, v, ok := strings.Cut(line, "="); ok && strings.HasPrefix(k, "CONFIG_") {
			c.values[k] = v
		}
	}
	if len(c.values) == 0 {
		return fail(fmt.Errorf("no line begins with CONFIG_"))
	}
	return c, nil
}

// versionCode returns KERNEL_VERSION of three numbers; the last one counts up to
// 255 (include/uapi/linux/version.h).
func versionCode(parts []string) uint32 {
	var n [3]uint64
	for i := range n {
		n[i], _ = strconv.ParseUint(parts[i], 10, 16)
	}
	return uint32(n[0]<<16 | n[1]<<8 | min(n[2], 255))
}

// fill sets the variables of .kconfig that are known. Without a configuration these are only the
// ones on which all modelled kernels agree (bpf_object__resolve_externs in
// tools/lib/bpf/libbpf.c). A variable that the configuration does not have is zero: programs
// declare it weak.
func (c *Config) fill(p *bytecode.Program, local *btf.Spec) {
	for i := range p.Maps {
		m := &p.Maps[i]
		if m.Name != ".kconfig" || len(m.Unknown) == 0 {
			continue
		}
		p.Maps = slices.Clone(p.Maps)
		m = &p.Maps[i]
		m.Value = make([]byte, m.ValueSize)
		var unknown []bytecode.DataSymbol
		for _, s := range m.Unknown {
			if !c.store(p, m.Value[s.Off:s.Off+s.Size], s.Name, local) {
				unknown = append(unknown, s)
			}
		}
		m.Unknown = unknown
	}
}

// store writes the value of a variable, and reports whether it is known.
func (c *Config) store(p *bytecode.Program, to []byte, name string, local *btf.Spec) bool {
	switch {
	case name == "LINUX_HAS_BPF_COOKIE", name == "LINUX_HAS_SYSCALL_WRAPPER":
		return putNumber(p, to, 1)
	case c == nil:
		return false
	case name == "LINUX_KERNEL_VERSION":
		return c.version != 0 && putNumber(p, to, uint64(c.version))
	case !strings.HasPrefix(name, "CONFIG_"):
		return false
	}
	v, ok := c.values[name]
	if !ok {
		return true // zero
	}
	if text, quoted := strings.CutPrefix(v, `"`); quoted {
		copy(to[:max(len(to)-1, 0)], strings.TrimSuffix(text, `"`))
		return true
	}
	if i := strings.Index("nym", v); i >= 0 && len(v) == 1 {
		if isChar(local, name) {
			return putNumber(p, to, uint64(v[0]))
		}
		return putNumber(p, to, uint64(i)) // TRI_NO, TRI_YES, TRI_MODULE
	}
	n, err := strconv.ParseUint(v, 0, 64)
	if err != nil {
		var signed int64
		if signed, err = strconv.ParseInt(v, 0, 64); err != nil {
			return false
		}
		n = uint64(signed)
	}
	return putNumber(p, to, n)
}

// isChar reports whether a variable is a character, which holds y, n or m itself.
func isChar(local *btf.Spec, name string) bool {
	var v *btf.Var
	if local == nil || local.TypeByName(name, &v) != nil {
		return false
	}
	t, ok := btf.UnderlyingType(v.Type).(*btf.Int)
	return ok && t.Size == 1 && t.Encoding != btf.Bool
}

// putNumber writes a number in the order of the program's machine.
func putNumber(p *bytecode.Program, to []byte, v uint64) bool {
	for i := range to {
		at := i
		if p.BigEndian {
			at = len(to) - 1 - i
		}
		to[at] = 0
		if i < 8 {
			to[at] = byte(v >> (8 * i))
		}
	}
	return true
}
