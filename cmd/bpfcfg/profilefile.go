package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/bpfcfg/bpfcfg/internal/input"
	"github.com/bpfcfg/bpfcfg/jit"
)

// profileFile is a profile in a JSON file with the types and the configuration of its kernel: the
// values of --btf and --kconfig, relative to the file.
type profileFile struct {
	jit.Profile
	kernelFiles
}

// kernelFiles are the members of a profile's file that do not belong to the profile.
type kernelFiles struct {
	BTF     []string `json:"btf,omitempty"`
	Kconfig string   `json:"kconfig,omitempty"`
}

// isProfileFile reports whether a profile's name is a file name.
func isProfileFile(name string) bool { return strings.HasSuffix(name, ".json") }

// readProfile reads a profile's file.
func readProfile(name string) (profileFile, error) {
	var f profileFile
	data, err := input.Read(name, nil)
	if err != nil {
		return f, inputError(fmt.Errorf("profile: %w", err))
	}
	if data, err = f.take(data); err == nil {
		f.Profile, err = jit.ParseProfile(data)
	}
	if err != nil {
		return f, inputError(fmt.Errorf("profile %s: %w", name, err))
	}
	beside := func(path string) string {
		if path == "" || path == hostWord || filepath.IsAbs(path) {
			return path
		}
		return filepath.Join(filepath.Dir(name), path)
	}
	for i := range f.BTF {
		f.BTF[i] = beside(f.BTF[i])
	}
	f.Kconfig = beside(f.Kconfig)
	return f, nil
}

// take removes the members that do not belong to the profile from the JSON text.
func (k *kernelFiles) take(data []byte) ([]byte, error) {
	var members map[string]json.RawMessage
	if json.Unmarshal(data, &members) != nil {
		return data, nil // not an object: the reader of profiles reports it
	}
	own := []struct {
		name string
		to   any
	}{{"btf", &k.BTF}, {"kconfig", &k.Kconfig}}
	all := len(members)
	for _, m := range own {
		if err := json.Unmarshal(members[m.name], m.to); members[m.name] != nil && err != nil {
			return nil, fmt.Errorf("%w: %s: %w", jit.ErrProfile, m.name, err)
		}
		delete(members, m.name)
	}
	if len(k.BTF) == 0 && k.Kconfig != "" {
		return nil, fmt.Errorf("%w: kconfig requires btf, the kernel's types", jit.ErrProfile)
	}
	if len(members) == all {
		return data, nil
	}
	return json.Marshal(members)
}

// profilesNamed returns what the verb's --profile names.
func profilesNamed(ctx *kong.Context) (out []string) {
	for _, flag := range ctx.Flags() {
		if flag.Name != "profile" {
			continue
		}
		switch v := ctx.FlagValue(flag).(type) {
		case string:
			out = append(out, strings.Split(v, ",")...)
		case []string:
			out = append(out, v...)
		}
	}
	return out
}

// fromProfiles adds the files that profiles name, unless flags name types. All profiles must name
// the same files, because objects are read once, for one kernel.
func (f *targetFlags) fromProfiles(names []string) error {
	if len(f.BTF) > 0 {
		return nil
	}
	var files []kernelFiles
	for _, name := range names {
		var k kernelFiles
		if isProfileFile(name) {
			p, err := readProfile(name)
			if err != nil {
				return err
			}
			k = p.kernelFiles
		}
		files = append(files, k)
	}
	for i, k := range files {
		if !slices.Equal(k.BTF, files[0].BTF) || k.Kconfig != files[0].Kconfig {
			return usagef("profiles %s and %s name different types of kernels: give one profile, or --btf", names[0], names[i])
		}
	}
	if len(files) > 0 {
		f.BTF = files[0].BTF
		if f.Kconfig == "" {
			f.Kconfig = files[0].Kconfig
		}
	}
	return nil
}
