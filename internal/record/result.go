package record

import "math"

// Result is everything that was observed about a job.
type Result struct {
	Setup  []string    `json:"setup,omitempty"` // why the job did not get as far as loading
	Maps   []MapResult `json:"maps,omitempty"`  // in the order of Job.Maps
	Load   *Load       `json:"load,omitempty"`
	Second *Load       `json:"second,omitempty"` // of Job.LoadTwice
	Traced *Load       `json:"traced,omitempty"` // the load with line records, when it ended differently
	Prog   *Prog       `json:"prog,omitempty"`
	Runs   []RunResult `json:"runs,omitempty"`
	Kmsg   []string    `json:"kmsg,omitempty"` // kernel messages printed meanwhile
	Micros int64       `json:"micros"`
}

// Load is the outcome of one program load.
type Load struct {
	OK    bool   `json:"ok"`
	Errno string `json:"errno,omitempty"`
	Error string `json:"error,omitempty"` // the line of the log that states why
	Log   string `json:"log,omitempty"`   // empty with Options.SkipLogs
	// NoJIT says that the kernel has no compiler and the program needs one: that
	// it was not loaded says nothing about it. OK then reports whether the verifier
	// had accepted it before.
	NoJIT bool `json:"no_jit,omitempty"`
}

// Prog holds the kernel's description of the loaded program.
type Prog struct {
	Tag           string `json:"tag"`
	VerifiedInsns uint32 `json:"verified_insns"`
	// Xlated is the program after the verifier's rewrites, one element for
	// each slot, with the constants of blinding where there are any.
	Xlated []Hex `json:"xlated"`
	// Jited is the machine code of all functions, one after the other; empty
	// when the program was not compiled.
	Jited Hex    `json:"jited"`
	Funcs []Func `json:"funcs"`
	// Lines locates each submitted instruction that is left.
	Lines []Line `json:"lines,omitempty"`
	// LinesWrong says that Lines contradicts an insn_array of the program,
	// which is right in this case: jumps go where it says.
	LinesWrong bool `json:"lines_wrong,omitempty"`
	// Symbols names the kernel functions that the code calls or jumps to, by
	// address ("0xffffffff82204bc0").
	Symbols map[string]string `json:"symbols,omitempty"`
}

// Func is one compiled function.
type Func struct {
	Addr string `json:"addr"` // hexadecimal with 0x
	Len  uint32 `json:"len"`
	Off  uint32 `json:"off"` // where its code starts in Prog.Jited
	Tag  string `json:"tag,omitempty"`
}

// Line locates one submitted instruction. The first instruction of a function
// has the offset of the function, prologue included.
type Line struct {
	Insn   uint32 `json:"insn"`   // slot as submitted
	Xlated uint32 `json:"xlated"` // slot after rewriting
	Func   int    `json:"func"`   // index in Prog.Funcs, -1 when unknown
	Off    uint32 `json:"off"`    // byte offset in that function's code
}

// MapResult is the outcome for one map. Errors are names such as "EINVAL",
// empty for success.
type MapResult struct {
	Name   string      `json:"name"`
	Create string      `json:"create,omitempty"`
	Freeze string      `json:"freeze,omitempty"`
	Ops    []OpResult  `json:"ops,omitempty"`
	After  []OpResult  `json:"after_load,omitempty"`
	Insns  []InsnEntry `json:"insns,omitempty"` // of an insn_array after a successful load
	Dump   []Hex       `json:"dump,omitempty"`  // values by index, after the runs
}

// OpResult is the outcome of one map operation.
type OpResult struct {
	Errno string `json:"errno,omitempty"`
	Value Hex    `json:"value,omitempty"`
}

// InsnEntry is one element of an insn_array.
type InsnEntry struct {
	Orig   uint32 `json:"orig"`   // submitted slot
	Xlated uint32 `json:"xlated"` // slot after rewriting, DeletedInsn when removed
	Jited  uint32 `json:"jited"`  // byte offset in the function's code
}

// DeletedInsn is the Xlated value of an element whose instruction the verifier
// removed (kernel/bpf/bpf_insn_array.c, Linux 7.3).
const DeletedInsn = math.MaxUint32

// RunResult is the outcome of one test run.
type RunResult struct {
	Name     string `json:"name,omitempty"`
	Errno    string `json:"errno,omitempty"`
	Retval   uint32 `json:"retval"`
	Duration uint32 `json:"duration,omitempty"` // nanoseconds
	Data     Hex    `json:"data,omitempty"`     // only if it changed
	Ctx      Hex    `json:"ctx,omitempty"`
}

// Verdict names the outcome of the load in one word: OK, CRASH, SETUP (the job
// did not get as far as loading), NOLOAD (it has no program), NOJIT (it needs a
// compiler and the kernel has none), or the error name of the system call.
func (r *Record) Verdict() string {
	switch {
	case r.Kind == KindCrash:
		return "CRASH"
	case r.Result == nil:
		return "NONE"
	case len(r.Result.Setup) > 0:
		return "SETUP"
	case r.Result.Load == nil:
		return "NOLOAD"
	case r.Result.Load.NoJIT:
		return "NOJIT"
	case r.Result.Load.OK:
		return "OK"
	}
	return r.Result.Load.Errno
}
