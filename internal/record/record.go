// Package record reads what real kernels did with BPF programs: the record
// files below testdata/records, and any further file of the same form.
//
//	r, err := record.Open("suite.7.3.4.off.jsonl.gz", record.Options{})
//	defer r.Close()
//	for rec, err := range r.Records() {
//		if err != nil { … }                  // "line 12: …"
//		p, err := rec.Job.Program()          // the program as it was submitted
//		fmt.Println(rec.Job.Name, rec.Result.Prog.Jited)
//	}
//
// There are three kinds of file, distinguished by their first keys: records
// (JSON lines: the machine, then one job with its result on each line), JIT
// vectors, and JIT programs (one JSON document each). Each may be compressed
// with gzip. Unknown keys are ignored.
//
// The package reads files; it compiles nothing and checks no result. See internal/replay for the
// comparison with this project's own code.
package record

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// Hex is a byte string that JSON holds as hexadecimal digits.
type Hex []byte

// MarshalText returns the bytes as lower-case hexadecimal digits.
func (h Hex) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

// UnmarshalText decodes hexadecimal digits; blanks between them are ignored.
func (h *Hex) UnmarshalText(b []byte) error {
	digits := make([]byte, 0, len(b))
	for _, c := range b {
		if c != ' ' && c != '\n' && c != '\t' {
			digits = append(digits, c)
		}
	}
	out := make([]byte, hex.DecodedLen(len(digits)))
	if _, err := hex.Decode(out, digits); err != nil {
		return fmt.Errorf("byte string: %w", err)
	}
	*h = out
	return nil
}

// Kinds of Record.
const (
	KindEnv    = "env"    // describes the machine; the first line of a file
	KindResult = "result" // a finished job
	KindCrash  = "crash"  // the machine went down during the job
)

// Record is one line of a record file. Which parts are present depends on
// Kind: an env line has Env, the others have Job. The Result of a crash holds
// what was known before the machine went down and may be nil.
type Record struct {
	Kind   string  `json:"kind"`
	Index  int     `json:"index"`
	Env    *Env    `json:"env,omitempty"`
	Job    *Job    `json:"job,omitempty"`
	Result *Result `json:"result,omitempty"`
	Crash  string  `json:"crash,omitempty"` // tail of the console

	Line int `json:"-"` // line in the file, from 1
}

// Env describes the machine that the jobs of a file ran on.
type Env struct {
	Label           string            `json:"label,omitempty"`
	Release         string            `json:"release"`
	Version         string            `json:"version"`
	Cmdline         string            `json:"cmdline"`
	CPU             string            `json:"cpu"`
	CPUVendor       string            `json:"cpu_vendor"`
	CPUFlags        []string          `json:"cpu_flags"`
	CPUBugs         []string          `json:"cpu_bugs"`
	Vulnerabilities map[string]string `json:"vulnerabilities"`
	Sysctl          map[string]string `json:"sysctl"`

	// Profile is the machine's profile as JSON (jit.ParseProfile), where it was
	// derived on the machine itself; else it follows from the rest.
	Profile json.RawMessage `json:"profile,omitempty"`
}

// Object says which object file a program is from.
type Object struct {
	Name    string `json:"name"`   // of the file, without directory
	SHA256  string `json:"sha256"` // of the file
	Section string `json:"section,omitempty"`
	Program string `json:"program,omitempty"`
}

// Job is a program to load, with its maps and the inputs of its test runs.
type Job struct {
	Name string `json:"name"`
	Note string `json:"note,omitempty"`

	ProgType   string `json:"prog_type"` // by name or number
	AttachType uint32 `json:"expected_attach_type,omitempty"`
	AttachTo   string `json:"attach_to,omitempty"` // kernel function, for tracing programs
	ProgFlags  uint32 `json:"prog_flags,omitempty"`
	License    string `json:"license,omitempty"`

	Insns   []Hex    `json:"insns"` // one string for each 8-byte slot
	Maps    []Map    `json:"maps,omitempty"`
	Relocs  []Reloc  `json:"relocs,omitempty"`
	FDArray []string `json:"fd_array,omitempty"` // maps bound through fd_array

	Object   *Object           `json:"object,omitempty"`
	BTF      *BTF              `json:"btf,omitempty"`
	LogLevel *uint32           `json:"log_level,omitempty"` // 2 when absent
	Sysctl   map[string]string `json:"sysctl,omitempty"`    // set for this job only
	DropCaps []string          `json:"drop_caps,omitempty"` // capabilities dropped for the load

	LoadTwice bool    `json:"load_twice,omitempty"`
	Runs      []Run   `json:"runs,omitempty"`
	Expect    *Expect `json:"expect,omitempty"`
}

// BTF is a type object, with pairs of instruction slot and type ID for the
// program's functions, and its source lines.
type BTF struct {
	Data     Hex         `json:"data"`
	FuncInfo [][2]uint32 `json:"func_info,omitempty"`
	// LineInfo holds for each source line its slot, the offsets of file and text
	// in the strings of Data, and line<<10 | column (struct bpf_line_info).
	LineInfo [][4]uint32 `json:"line_info,omitempty"`
}

// Map is a map that a job creates.
type Map struct {
	Name       string `json:"name"`
	Type       string `json:"type"` // by name or number
	KeySize    uint32 `json:"key_size,omitempty"`
	ValueSize  uint32 `json:"value_size,omitempty"`
	MaxEntries uint32 `json:"max_entries,omitempty"`
	Flags      uint32 `json:"flags,omitempty"`
	Extra      uint64 `json:"extra,omitempty"`
	Inner      string `json:"inner,omitempty"`
	BTFValue   uint32 `json:"btf_value,omitempty"` // type of the value, 0 if the kernel got none

	Targets   []uint32 `json:"targets,omitempty"` // slots that fill an insn_array
	Ops       []MapOp  `json:"ops,omitempty"`     // before the load
	Freeze    *bool    `json:"freeze,omitempty"`  // after Ops; true by default for an insn_array only
	AfterLoad []MapOp  `json:"after_load,omitempty"`
	Dump      bool     `json:"dump,omitempty"`
}

// MapOp is an operation on a map: update, update_self (store this program),
// delete, lookup or freeze.
type MapOp struct {
	Op    string `json:"op"`
	Key   Hex    `json:"key,omitempty"`
	Value Hex    `json:"value,omitempty"`
	Flags uint64 `json:"flags,omitempty"`
}

// Reloc patches the operand of one instruction: map_fd, map_value, map_idx,
// map_idx_value, kfunc or btf_id.
type Reloc struct {
	Insn int    `json:"insn"`
	Kind string `json:"kind"`
	Name string `json:"name"`
	Off  uint32 `json:"off,omitempty"`
}

// Run is one test run.
type Run struct {
	Name       string  `json:"name,omitempty"`
	Data       Hex     `json:"data,omitempty"`
	DataSize   int     `json:"data_size,omitempty"` // Data is padded with zeros to this size
	Ctx        Hex     `json:"ctx,omitempty"`
	Repeat     uint32  `json:"repeat,omitempty"`
	Flags      uint32  `json:"flags,omitempty"`
	CPU        uint32  `json:"cpu,omitempty"`
	WantRetval *uint32 `json:"want_retval,omitempty"`
	WantCtx    Hex     `json:"want_ctx,omitempty"`
}

// Expect is the outcome of the load that the job's author expected.
type Expect struct {
	Errno string `json:"errno,omitempty"` // empty: success
	Log   string `json:"log,omitempty"`   // part of the verifier log
	Since string `json:"since,omitempty"` // first release it applies to
}
