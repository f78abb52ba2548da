package input

import (
	"errors"
	"fmt"
	"slices"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/internal/replay"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
)

// openRecord reads the source program called name of a record file, or all of
// them when name is empty. The profile is that of the recorded machine.
func openRecord(file, name string, limits load.Limits) (Source, error) {
	s := Source{Name: "record:" + file}
	if err := fits(file, limits); err != nil {
		return s, err
	}
	r, err := record.Open(file, record.Options{SkipLogs: true})
	if err != nil {
		return s, err
	}
	defer r.Close()
	if r.Kind() != record.FileRecords {
		return s, fmt.Errorf("record %s: a file of %s contains no source programs: use bpfcfg replay", file, r.Kind())
	}
	s.Records = func(opt record.Options) (*record.Reader, error) { return record.Open(file, opt) }
	return s, s.read(r, file, name)
}

// read adds the programs of records.
func (s *Source) read(r *record.Reader, file, name string) error {
	var env *record.Env
	left := load.MaxLinked
	for rec, err := range r.Records() {
		if err != nil {
			return fmt.Errorf("record %s: %w", file, err)
		}
		if rec.Env != nil && env == nil {
			env = rec.Env
			prof, err := replay.ProfileOf(rec.Env)
			if s.NoProfile = err; err == nil {
				s.Profile = &prof
			}
		}
		if rec.Job == nil || name != "" && rec.Job.Name != name {
			continue
		}
		s.addJob(env, rec, &left)
	}
	if len(s.Programs)+len(s.Failed) == 0 {
		return fmt.Errorf("record %s: no program %q", file, name)
	}
	return nil
}

// addJob appends the program that a job submits; a job that only works on maps
// has none. The total size of the programs of a file is bounded as for an object:
// a few bytes of a line can request a large map.
func (s *Source) addJob(env *record.Env, rec *record.Record, left *int) {
	job := rec.Job
	var p *bytecode.Program
	err := errTooMuch
	if *left > 0 { // otherwise it is not even made
		if p, err = job.Program(); err == nil {
			if *left -= weight(p); *left <= 0 {
				err = errTooMuch
			}
		}
	}
	switch {
	case errors.Is(err, record.ErrNoProgram):
	case err != nil:
		s.Failed = append(s.Failed, Failure{Name: job.Name, Err: err})
	default:
		s.Programs = append(s.Programs, p)
		if s.loaded == nil {
			s.loaded = map[*bytecode.Program]rewrite.Options{}
		}
		s.loaded[p] = loadOptions(env, job)
		if s.asked != nil {
			s.asked[p] = &asked{env: env, record: rec}
		}
	}
}

// errTooMuch reports that the programs of a file of records are too large.
var errTooMuch = fmt.Errorf("the programs of this file have more than %d slots, table entries and words of map values "+
	"together: name one, as in record:FILE#NAME", load.MaxLinked)

// weight is the size of a program in slots, table entries and words of map values.
func weight(p *bytecode.Program) int {
	n := len(p.Insns)
	for i := range p.Tables {
		n += len(p.Tables[i].Targets)
	}
	for i := range p.Maps {
		n += len(p.Maps[i].Value) / bytecode.SlotSize
	}
	return n
}

// loadOptions returns how a recorded job was loaded.
func loadOptions(env *record.Env, job *record.Job) rewrite.Options {
	lacks := func(capability string) bool {
		return slices.Contains(job.DropCaps, "all") || slices.Contains(job.DropCaps, capability)
	}
	o := rewrite.Options{AttachType: job.AttachType, NoCapBPF: lacks("CAP_BPF"), NoCapPerfmon: lacks("CAP_PERFMON")}
	const harden = "net.core.bpf_jit_harden"
	level, ok := job.Sysctl[harden]
	if !ok && env != nil {
		level = env.Sysctl[harden]
	}
	o.Blind = level == "2" || level == "1" && o.NoCapBPF
	return o
}
