package replay

import (
	"encoding/json"
	"fmt"
	"iter"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg/kernel"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/jit"
)

// vectors returns the results of a file of vectors. Classic filters are not
// among them: no kernel shows the program that a filter was converted to.
func vectors(r *record.Reader, opts Options) iter.Seq2[*Result, error] {
	return func(yield func(*Result, error) bool) {
		file, err := r.Vectors()
		if err != nil {
			yield(nil, err)
			return
		}
		profiles := map[string]jit.Profile{}
		facts := map[string]*learned{}
		for i := range file.Vectors {
			v := &file.Vectors[i]
			k, ok := file.Kernels[v.Kernel]
			if !ok {
				yield(nil, fmt.Errorf("vector %q: the file does not describe kernel %q", v.Name, v.Kernel))
				return
			}
			if _, ok := profiles[v.Kernel]; !ok {
				prof, err := kernelProfile(file, v.Kernel, opts)
				if err != nil {
					yield(nil, err)
					return
				}
				profiles[v.Kernel], facts[v.Kernel] = prof, newLearned()
				facts[v.Kernel].callBase = uint64(k.Symbols["__bpf_call_base"])
			}
			res := &Result{Name: v.Name, Kernel: v.Kernel, Profile: profiles[v.Kernel].Name}
			if s, err := fromVector(v, &k); err != nil {
				res.Reason = "the vector is inconsistent: " + err.Error()
			} else {
				s.compare(res, profiles[v.Kernel], facts[v.Kernel])
			}
			if !yield(res, nil) {
				return
			}
		}
	}
}

// programs returns the results of a file of whole programs. They are made so that only return
// thunks depend on the machine.
func programs(r *record.Reader, opts Options) iter.Seq2[*Result, error] {
	return func(yield func(*Result, error) bool) {
		file, err := r.Programs()
		if err != nil {
			yield(nil, err)
			return
		}
		facts := map[string]*learned{}
		for i := range file.Programs {
			w := &file.Programs[i]
			prof, err := releaseProfile(w.Kernel, opts)
			if err != nil {
				yield(nil, fmt.Errorf("program %q: %w", w.Name, err))
				return
			}
			if facts[w.Kernel] == nil {
				facts[w.Kernel] = newLearned()
			}
			res := &Result{Name: w.Name, Kernel: w.Kernel, Profile: prof.Name}
			if s, err := fromWhole(w); err != nil {
				res.Reason = "the record is inconsistent: " + err.Error()
			} else {
				s.compare(res, prof, facts[w.Kernel])
			}
			if !yield(res, nil) {
				return
			}
		}
	}
}

// releaseProfile returns the built-in profile of a kernel release.
func releaseProfile(release string, opts Options) (jit.Profile, error) {
	if opts.Profile != nil {
		return *opts.Profile, nil
	}
	v, err := kernel.Parse(release)
	if err != nil {
		return jit.Profile{}, err
	}
	return jit.LookupProfile(v.Name())
}

// kernelProfile returns the profile of a kernel of a file of vectors: first by
// its version and the state of its mitigations, then by the facts that the file
// states. These are settings and structure offsets, never code.
func kernelProfile(file *record.Vectors, id string, opts Options) (jit.Profile, error) {
	if opts.Profile != nil {
		return *opts.Profile, nil
	}
	k := file.Kernels[id]
	facts := map[string]json.RawMessage{}
	var base string
	if raw, ok := k.Profile["base"]; ok {
		if err := json.Unmarshal(raw, &base); err != nil {
			return jit.Profile{}, fmt.Errorf("kernel %q: base: %w", id, err)
		}
		for key, v := range file.Kernels[base].Profile {
			facts[key] = v
		}
	}
	for key, v := range k.Profile {
		facts[key] = v
	}
	release, _, _ := strings.Cut(strings.TrimPrefix(k.Version, "Linux version "), " ")
	flags := []string{}
	if string(facts["bmi2"]) == "true" {
		flags = append(flags, "bmi2")
	}
	prof, err := jit.ProfileForEnv(release, k.Cmdline, flags, nil, map[string]string{
		"spectre_v2": k.SpectreV2, "retbleed": k.Retbleed, "indirect_target_selection": k.ITS,
	})
	if err != nil {
		return jit.Profile{}, fmt.Errorf("kernel %q: %w", id, err)
	}
	if err := applyFacts(&prof, facts); err != nil {
		return jit.Profile{}, fmt.Errorf("kernel %q: profile: %w", id, err)
	}
	if a := uint64(k.Symbols["this_cpu_off"]); a != 0 {
		prof.ThisCPUOff = a
	}
	return prof, nil
}

// applyFacts overlays the profile with the file's facts that mean the same
// there.
func applyFacts(prof *jit.Profile, facts map[string]json.RawMessage) error {
	var hex record.Hex64
	for key, to := range map[string]any{
		"ibt": &prof.IBT, "sls": &prof.SLS, "smp": &prof.SMP, "la57": &prof.LA57, "ax_reg": &prof.AXReg,
		"xchg_lock": &prof.XchgLock, "gotox": &prof.Gotox, "endbr_targets": &prof.EndbrTargets,
		"stack_args": &prof.StackArgs, "off_max_entries": &prof.OffMaxEntries, "off_ptrs": &prof.OffPtrs,
		"off_bpf_func": &prof.OffBPFFunc, "this_cpu_off": &hex,
	} {
		raw, ok := facts[key]
		if !ok {
			continue
		}
		if err := json.Unmarshal(raw, to); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	if hex != 0 {
		prof.ThisCPUOff = uint64(hex)
	}
	return nil
}
