package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load/target"
	"github.com/bpfcfg/bpfcfg/internal/input"
	"github.com/bpfcfg/bpfcfg/internal/visible"
)

// targetFlags name the kernel for which objects are loaded.
type targetFlags struct {
	BTF     []string `name:"btf" sep:"none" help:"Types of the target kernel: raw BTF, a vmlinux, or host for this machine; repeat it for modules. CO-RE relocations, kernel functions and kernel variables are resolved against it." placeholder:"FILE|host"`
	Kconfig string   `help:"Configuration of the target kernel, for values in .kconfig." placeholder:"FILE"`
}

// hostTypes is the file in which Linux shows its own types; those of modules are beside it.
const hostTypes = "/sys/kernel/btf/vmlinux"

// hostWord stands for it.
const hostWord = "host"

// kernel reads the files of the flags, nil if there are none.
func (f *targetFlags) kernel() (*target.Kernel, error) {
	if len(f.BTF) == 0 {
		if f.Kconfig != "" {
			return nil, usagef("--kconfig %s: requires the kernel's types: --btf FILE", f.Kconfig)
		}
		return nil, nil
	}
	main := f.BTF[0]
	if main == hostWord {
		main = hostTypes
	}
	if st, err := os.Stat(main); err == nil && st.IsDir() {
		main = filepath.Join(main, "vmlinux")
	}
	data, err := readTypes(main)
	if err != nil {
		return nil, err
	}
	k, err := target.Read(main, data)
	if err != nil {
		return nil, inputError(err)
	}
	modules, err := f.modules(main)
	if err != nil {
		return nil, err
	}
	for _, m := range modules {
		if data, err = readTypes(m); err != nil {
			return nil, err
		}
		if err := k.AddModule(m, data); err != nil {
			return nil, inputError(err)
		}
	}
	if f.Kconfig == "" {
		return k, nil
	}
	if data, err = input.Read(f.Kconfig, nil); err != nil {
		return nil, inputError(err)
	}
	c, err := target.ReadConfig(f.Kconfig, data)
	if err != nil {
		return nil, inputError(err)
	}
	k.SetConfig(c)
	return k, nil
}

// modules returns the files of modules: those that are named, or the neighbours
// of a file called vmlinux, as in /sys/kernel/btf.
func (f *targetFlags) modules(main string) ([]string, error) {
	if len(f.BTF) > 1 || filepath.Base(main) != "vmlinux" {
		return f.BTF[1:], nil
	}
	entries, err := os.ReadDir(filepath.Dir(main))
	if err != nil {
		return nil, inputError(input.Cause(filepath.Dir(main), err))
	}
	var out []string
	for _, e := range entries { // in order of their names
		path := filepath.Join(filepath.Dir(main), e.Name())
		if e.Type().IsRegular() && e.Name() != "vmlinux" && isBTF(path) {
			out = append(out, path)
		}
	}
	return out, nil
}

// isBTF reports whether a file begins as raw BTF does, in either byte order.
func isBTF(file string) bool {
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	var magic [2]byte
	n, _ := f.Read(magic[:])
	return n == 2 && (magic == [2]byte{0x9f, 0xeb} || magic == [2]byte{0xeb, 0x9f})
}

// readTypes reads a file of types.
func readTypes(file string) ([]byte, error) {
	data, err := input.Read(file, nil)
	if err != nil {
		return nil, inputError(fmt.Errorf("--btf: %w", err))
	}
	return data, nil
}

// unsettled counts by kind what is unknown in the programs until load.
func unsettled(programs []*bytecode.Program) (relocs map[bytecode.RelocKind]int, config int) {
	relocs = map[bytecode.RelocKind]int{}
	for _, p := range programs {
		for _, r := range p.Relocs {
			if r.State == bytecode.RelocPending {
				relocs[r.Kind]++
			}
		}
		for i := range p.Maps {
			config += len(p.Maps[i].Unknown)
		}
	}
	return relocs, config
}

// unsettledText names what is unknown until load and which flag would settle it, empty if nothing
// is unknown.
func unsettledText(programs []*bytecode.Program) string {
	relocs, config := unsettled(programs)
	var parts []string
	for _, k := range []bytecode.RelocKind{bytecode.RelocCORE, bytecode.RelocWeak, bytecode.RelocFunc} {
		if n := relocs[k]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s of kind %q", visible.Count(n, "instruction"), k))
		}
	}
	if config > 0 {
		parts = append(parts, visible.Count(config, "variable")+" of .kconfig")
	}
	if len(parts) == 0 {
		return ""
	}
	how := ""
	if relocs[bytecode.RelocCORE]+relocs[bytecode.RelocWeak] > 0 {
		how = "; --btf FILE|host resolves those that depend on the kernel's types"
	}
	return "unknown until load: " + strings.Join(parts, ", ") + how
}
