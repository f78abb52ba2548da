// Package replay compiles the programs of record files once more and compares
// the code with what a real kernel produced from the same inputs.
//
//	for res, err := range replay.File("suite.7.3.4.off.jsonl.gz", replay.Options{}) {
//		fmt.Println(res.Name, res.Match, res.Reason)
//	}
//
// The inputs come from the record: the rewritten program as the kernel dumped it, line records,
// jump tables, function addresses, the machine's description. A dump hides some inputs (whether a
// tail call is direct, whether a load may fault, addresses of maps). Those are found elsewhere in
// the record where that is possible, such as the verifier's log; otherwise they are read from the
// recorded code itself, and Result.Recovered says so, because then the comparison does not check
// them. A number that is read once checks every other place where it is used, in the same program
// or, for addresses of the kernel, in all later ones of the file.
//
// The package does not load or verify programs. Programs that the kernel
// refused have no code to compare with; Options.Predict can compile them from
// their source.
package replay

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/jit"
)

// Options of a replay. The zero value takes everything from the file.
type Options struct {
	// Profile, if not nil, stands in for the recorded machine.
	Profile *jit.Profile
	// Predict makes the rewritten program from a submitted one, for programs
	// that have no recorded code. Nil leaves them without code.
	Predict func(*bytecode.Program, jit.Profile) (*jit.Program, error)
}

// Result is the outcome for one recorded program.
type Result struct {
	Name    string
	Kernel  string // release, or the file's name for the machine
	Profile string // name of the profile that it was compiled with
	Match   Match
	Code    []byte  // ours: all functions in order
	Offsets []int32 // ours, for each xlated slot, from the start of its function
	Reason  string  // why it does not match or cannot be compared; empty for a match

	// Recovered names the inputs that were read from the recorded code itself.
	Recovered []string
	// Program and Image are the input and the output of our compiler, nil without
	// code to compare with. With Match Same the image has the kernel's bytes.
	// Machine is the profile.
	Program *jit.Program
	Image   *jit.Image
	Machine jit.Profile
	// Diff is the first difference, nil without one.
	Diff *Diff
	// Insns and Funcs count what was compared, Bytes the recorded code.
	Insns, Funcs, Bytes int
}

// Match is the result of comparing our code with the kernel's.
type Match uint8

// The outcomes of a comparison.
const (
	Unknown Match = iota // there is nothing to compare with
	Same
	Differs
)

// String returns "unknown", "same" or "differs".
func (m Match) String() string { return [...]string{"unknown", "same", "differs"}[m] }

// MarshalJSON returns the result as it is printed, one line for each program:
// name, kernel, profile, match (true, false, or null where there is nothing to
// compare with), code in hexadecimal, offsets, reason.
func (r *Result) MarshalJSON() ([]byte, error) {
	out := struct {
		Name    string  `json:"name"`
		Kernel  string  `json:"kernel"`
		Profile string  `json:"profile"`
		Match   *bool   `json:"match"`
		Code    string  `json:"code"`
		Offsets []int32 `json:"offsets"`
		Reason  string  `json:"reason"`
	}{r.Name, r.Kernel, r.Profile, nil, hex.EncodeToString(r.Code), r.Offsets, r.Reason}
	if r.Match != Unknown {
		same := r.Match == Same
		out.Match = &same
	}
	if out.Offsets == nil {
		out.Offsets = []int32{}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(out)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// File returns a Result for each program of the record file at path, of any
// kind. An error ends it; so does a record that cannot be read, with its line.
func File(path string, opts Options) iter.Seq2[*Result, error] {
	return func(yield func(*Result, error) bool) {
		r, err := record.Open(path, record.Options{})
		if err != nil {
			yield(nil, err)
			return
		}
		defer r.Close()
		for res, err := range Records(r, opts) {
			if err != nil {
				err = fmt.Errorf("%s: %w", path, err)
			}
			if !yield(res, err) {
				return
			}
		}
	}
}

// Records returns a Result for each program that a Reader has left. Only one
// record is held at a time.
func Records(r *record.Reader, opts Options) iter.Seq2[*Result, error] {
	switch r.Kind() {
	case record.FileVectors:
		return vectors(r, opts)
	case record.FilePrograms:
		return programs(r, opts)
	}
	return func(yield func(*Result, error) bool) {
		m := &machine{opts: opts, file: newLearned()}
		for rec, err := range r.Records() {
			if err != nil {
				yield(nil, err)
				return
			}
			if rec.Kind == record.KindEnv {
				if err := m.boot(rec.Env); err != nil {
					yield(nil, fmt.Errorf("line %d: %w", rec.Line, err))
					return
				}
				continue
			}
			if m.kernel == "" {
				yield(nil, fmt.Errorf("line %d: no env record before it", rec.Line))
				return
			}
			if !yield(m.record(rec), nil) {
				return
			}
		}
	}
}

// machine is the kernel that a run of records comes from.
type machine struct {
	opts   Options
	kernel string
	prof   jit.Profile
	noProf error  // why there is no profile
	build  bool   // build options have been looked for
	harden string // net.core.bpf_jit_harden
	file   *learned
}

// boot reads an env record. A rebooted machine may have other addresses, so the learned facts are
// dropped.
func (m *machine) boot(e *record.Env) error {
	m.kernel, m.harden = e.Release, e.Sysctl["net.core.bpf_jit_harden"]
	m.file, m.build = newLearned(), false
	if m.kernel == "" {
		return errors.New("env record without a kernel release")
	}
	if m.opts.Profile != nil {
		m.prof, m.build = *m.opts.Profile, true
		return nil
	}
	m.build = len(e.Profile) > 0 // the machine itself reported it
	m.prof, m.noProf = ProfileOf(e)
	return nil
}

// ProfileOf returns the profile of a recorded machine: its own, or the built-in one
// that fits its description.
func ProfileOf(e *record.Env) (jit.Profile, error) {
	if len(e.Profile) > 0 {
		return jit.ParseProfile(e.Profile)
	}
	return jit.ProfileForEnv(e.Release, e.Cmdline, e.CPUFlags, e.CPUBugs, e.Vulnerabilities)
}

// record returns the result for one record.
func (m *machine) record(rec *record.Record) *Result {
	res := &Result{Name: rec.Job.Name, Kernel: m.kernel, Profile: m.prof.Name}
	if m.noProf != nil {
		res.Reason = m.noProf.Error()
		return res
	}
	if why := noCode(rec); why != "" {
		res.Reason = why
		m.predict(rec, res)
		return res
	}
	dump, err := record.Decode(rec.Result.Prog.Xlated)
	if err == nil && m.blinded(rec.Job) && unblinded(dump, m.prof.AXReg) {
		res.Reason = "the code has blinded constants, which the kernel does not show"
		m.predict(rec, res)
		return res
	}
	s, err := fromRecord(rec)
	if err != nil {
		res.Reason = "the record is inconsistent: " + err.Error()
		return res
	}
	var notes []string
	if !m.build {
		m.build = true
		m.prof, notes = buildOptions(s, m.prof)
		res.Profile = m.prof.Name
	}
	s.compare(res, m.prof, m.file)
	res.Recovered = append(notes, res.Recovered...)
	return res
}

// noCode says why a record has no code to compare with; empty when it has.
func noCode(rec *record.Record) string {
	res := rec.Result
	switch {
	case len(rec.Job.Insns) == 0:
		return "the job has no program"
	case res == nil:
		return "the machine went down while loading the program"
	case len(res.Setup) > 0:
		return "the job was not set up: " + strings.Join(res.Setup, "; ")
	case res.Prog == nil && (res.Load == nil || res.Load.OK):
		return "the record holds no program"
	case res.Prog == nil:
		return "the kernel refused the program: " + res.Load.Errno + ": " + res.Load.Error
	case len(res.Prog.Jited) == 0:
		return "the kernel did not compile the program"
	}
	return ""
}

// blinded reports whether constants of the job's program were blinded
// (bpf_jit_blinding_enabled in include/linux/filter.h, Linux 7.3).
func (m *machine) blinded(j *record.Job) bool {
	harden := m.harden
	if v, ok := j.Sysctl["net.core.bpf_jit_harden"]; ok {
		harden = v
	}
	if harden != "1" {
		return harden == "2"
	}
	return slices.ContainsFunc(j.DropCaps, func(c string) bool { return c == "all" || c == "CAP_BPF" })
}

// unblinded reports whether a program has a constant that blinding would have
// replaced. Linux 6.19 shows programs with several functions as they were
// before that; 7.3 shows what it compiled (bpf_jit_blind_insn in
// kernel/bpf/core.c).
func unblinded(insns []bytecode.Insn, ax uint8) bool {
	for i := 0; i < len(insns); i += int(insns[i].Slots()) {
		in := insns[i]
		alu := in.Class() == asm.ALUClass || in.Class() == asm.ALU64Class
		if !alu || in.Source() != asm.ImmSource || uint8(in.Dst) == ax {
			continue
		}
		switch in.ALUOp() {
		case asm.Add, asm.Sub, asm.And, asm.Or, asm.Xor, asm.Mul, asm.Mov, asm.Div, asm.Mod:
			return true
		}
	}
	return false
}

// predict compiles a program that has no recorded code.
func (m *machine) predict(rec *record.Record, res *Result) {
	if m.opts.Predict == nil {
		return
	}
	src, err := rec.Job.Program()
	if err != nil {
		return
	}
	p, err := m.opts.Predict(src, m.prof)
	if err != nil {
		res.Reason += "; not predicted: " + err.Error()
		return
	}
	img, err := jit.Compile(p, m.prof)
	if err != nil {
		res.Reason += "; not compiled: " + err.Error()
		return
	}
	res.Code, res.Offsets = img.Code, img.Offsets
}
