package jit_test

import (
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/bpfcfg/bpfcfg/jit"
)

// Recorded truth: code that running kernels produced for single instructions
// (jit-vectors.json.gz) and whole programs (jit-programs.json.gz).

type vectorFile struct {
	Kernels map[string]vectorKernel
	Vectors []vector
	CBPF    []classicVector
}

type vectorKernel struct {
	Version   string
	SpectreV2 string `json:"spectre_v2"`
	ITS       string
	Retbleed  string
	Cmdline   string
	Symbols   map[string]hexNumber
	Profile   struct {
		Base       string
		ThisCPUOff hexNumber `json:"this_cpu_off"`
	}
}

type vector struct {
	Name      string
	Kernel    string
	Text      string
	ProgType  int    `json:"prog_type"`
	Source    string // as loaded
	Xlated    string `json:"xlated_dump"`
	Funcs     []vectorFunc
	Maps      []vectorMap
	InsnArray []struct {
		Xlated int `json:"xlated_off"`
		Jitted int `json:"jitted_off"`
	} `json:"insn_array"`
	Lines []struct {
		Xlated int `json:"xlated_off"`
		Addr   hexNumber
	} `json:"jited_line_info"`
	Insn *struct {
		Xlated int    `json:"xlated_off"`
		Offset int    `json:"code_off"`
		Code   string // of the instruction, or of several after it
	}
}

type vectorFunc struct {
	Ksym   hexNumber
	Len    int
	Code   string
	Relocs []vectorReloc
}

type vectorReloc struct {
	Off, Size int
	Kind      string
	Target    hexNumber
	Sym       string
}

type vectorMap struct {
	Type     int
	Extra    uint64
	ProgFill []int
	FillOff  []int
}

type classicVector struct {
	Kernel, Loader, Text, Code string
	Relocs                     []vectorReloc
}

// hexNumber is a number written in hexadecimal without prefix.
type hexNumber uint64

func (h *hexNumber) UnmarshalText(text []byte) error {
	v, err := strconv.ParseUint(string(text), 16, 64)
	*h = hexNumber(v)
	return err
}

// readGzipJSON reads a file of testdata.
func readGzipJSON(t testing.TB, name string, v any) {
	t.Helper()
	f, err := os.Open(testenv.Path(t, name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.NewDecoder(z).Decode(v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// unhex returns the bytes of a hexadecimal string.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// insnsOf decodes instructions from a hexadecimal string.
func insnsOf(t testing.TB, s string) []bytecode.Insn {
	t.Helper()
	b := unhex(t, s)
	insns := make([]bytecode.Insn, 0, len(b)/bytecode.SlotSize)
	for chunk := range slices.Chunk(b, bytecode.SlotSize) {
		insns = append(insns, bytecode.Insn{
			Code: chunk[0], Dst: bytecode.Reg(chunk[1] & 15), Src: bytecode.Reg(chunk[1] >> 4),
			Off: int16(uint16(chunk[2]) | uint16(chunk[3])<<8),
			Imm: int32(uint32(chunk[4]) | uint32(chunk[5])<<8 | uint32(chunk[6])<<16 | uint32(chunk[7])<<24),
		})
	}
	return insns
}

// profileOf returns the profile of a kernel in the vectors, derived from what
// the machine said of itself. The files do not hold processor flags: all
// machines but the one named so had BMI2, none 5-level paging.
func profileOf(t testing.TB, id string, k vectorKernel) jit.Profile {
	t.Helper()
	var flags []string
	if !strings.HasSuffix(id, "-nobmi2") {
		flags = []string{"bmi2"}
	}
	prof, err := jit.ProfileForEnv(strings.TrimPrefix(k.Version, "Linux version "), k.Cmdline, flags, nil,
		map[string]string{"spectre_v2": k.SpectreV2, "retbleed": k.Retbleed, "indirect_target_selection": k.ITS})
	if err != nil {
		t.Fatalf("kernel %s: %v", id, err)
	}
	return prof
}

// stackDepth returns the deepest byte below r10 that instructions reach.
func stackDepth(insns []bytecode.Insn) int {
	depth := 0
	for _, in := range insns {
		base := in.Dst
		switch in.Class() {
		case asm.LdXClass:
			base = in.Src
		case asm.StClass, asm.StXClass:
		default:
			continue
		}
		if base == bytecode.R10 {
			depth = max(depth, -int(in.Off))
		}
	}
	return depth
}
