package record

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// Vectors is a file of JIT vectors: small programs, each for one form of
// instruction, with the machine code that a running kernel produced.
type Vectors struct {
	Schema  string            `json:"schema"`
	Kernels map[string]Kernel `json:"kernels"`
	Vectors []Vector          `json:"vectors"`
	Classic []ClassicVector   `json:"cbpf"`
}

// Kernel describes one of the machines that vectors come from.
type Kernel struct {
	Version   string           `json:"version"`
	SpectreV2 string           `json:"spectre_v2"`
	ITS       string           `json:"its"`
	Retbleed  string           `json:"retbleed"`
	Cmdline   string           `json:"cmdline"`
	Symbols   map[string]Hex64 `json:"symbols"`
	// Profile holds the facts that decide code, by the keys of the file. A
	// kernel with the key "base" departs from that kernel in the others.
	Profile map[string]json.RawMessage `json:"profile"`
}

// Hex64 is a 64-bit number that JSON holds as hexadecimal digits.
type Hex64 uint64

// UnmarshalText decodes hexadecimal digits, with or without 0x.
func (h *Hex64) UnmarshalText(b []byte) error {
	s := string(b)
	if len(s) > 2 && s[:2] == "0x" {
		s = s[2:]
	}
	n, err := strconv.ParseUint(s, 16, 64)
	if err != nil {
		return fmt.Errorf("address %q is not a hexadecimal number", b)
	}
	*h = Hex64(n)
	return nil
}

// MarshalText returns hexadecimal digits without 0x.
func (h Hex64) MarshalText() ([]byte, error) {
	return strconv.AppendUint(nil, uint64(h), 16), nil
}

// Vector is one program with its machine code.
type Vector struct {
	Name      string       `json:"name"`
	Kernel    string       `json:"kernel"`
	Text      string       `json:"text"`
	Note      string       `json:"note"`
	ProgType  uint32       `json:"prog_type"`
	ProgFlags uint32       `json:"prog_flags"`
	Source    Hex          `json:"source"`      // as loaded, with the descriptors of that moment
	Xlated    Hex          `json:"xlated_dump"` // what the kernel showed
	Funcs     []VectorFunc `json:"funcs"`
	Maps      []VectorMap  `json:"maps"`
	Table     []VectorCell `json:"insn_array"` // elements of the only instruction array
	Lines     []VectorLine `json:"jited_line_info"`
	Insn      *VectorInsn  `json:"insn"`
}

// VectorFunc is one compiled function of a Vector.
type VectorFunc struct {
	Ksym   Hex64         `json:"ksym"` // bpf_func
	Len    int           `json:"len"`
	Code   Hex           `json:"code"`
	Relocs []VectorReloc `json:"relocs"`
}

// VectorReloc is a place in a function whose bytes depend on an address.
type VectorReloc struct {
	Off    int    `json:"off"` // from the start of the function
	Size   int    `json:"size"`
	Kind   string `json:"kind"` // rel32, abs64, abs32s, "rel32(call depth)"
	Target Hex64  `json:"target"`
	Sym    string `json:"sym"`
}

// VectorMap describes a map of a Vector.
type VectorMap struct {
	Type, Key, Value, Max, Flags uint32
	Extra                        uint64
	ProgFill                     []int    // filled slot of a program array, and the program's ID
	FillOff                      []uint32 // slots that fill an instruction array
	Freeze                       bool
}

// VectorCell is one element of an instruction array.
type VectorCell struct {
	Orig   uint32 `json:"orig_off"`
	Xlated uint32 `json:"xlated_off"`
	Jitted uint32 `json:"jitted_off"`
}

// VectorLine locates one submitted instruction by address.
type VectorLine struct {
	Xlated uint32 `json:"xlated_off"`
	Insn   uint32 `json:"src_insn"`
	Addr   Hex64  `json:"addr"`
}

// VectorInsn is the machine code of the instructions under test alone.
type VectorInsn struct {
	XlatedOff uint32 `json:"xlated_off"`
	Xlated    Hex    `json:"xlated"`
	CodeOff   uint32 `json:"code_off"`
	Code      Hex    `json:"code"`
}

// ClassicVector is the code of a converted classic BPF filter. Its extended
// program is not shown by any kernel.
type ClassicVector struct {
	Kernel string        `json:"kernel"`
	Loader string        `json:"loader"`
	Text   string        `json:"text"` // classic instructions
	Code   Hex           `json:"code"`
	Relocs []VectorReloc `json:"relocs"`
}

// Programs is a file of whole single-function programs with their code.
type Programs struct {
	Note     string         `json:"note"`
	Programs []WholeProgram `json:"programs"`
}

// WholeProgram is one element of Programs.
type WholeProgram struct {
	Name       string  `json:"name"`
	Kernel     string  `json:"kernel"`
	Ksym       Hex64   `json:"ksym"`
	StackDepth int     `json:"stack_depth"`
	Walks      int     `json:"do_jit_calls"`   // walks over the instructions, of a model
	Padding    bool    `json:"padding_active"` // the last walks padded jumps with nops
	Xlated     Hex     `json:"xlated"`
	Code       Hex     `json:"code"`
	XlatedOff  []int32 `json:"xlated_off"` // line records: slots …
	CodeOff    []int32 `json:"code_off"`   // … and their offsets in Code
}
