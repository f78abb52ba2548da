package compare

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
)

// analysed returns the analysis of instructions in hexadecimal.
func analysed(t *testing.T, profile string, hex ...string) *pipeline.Analysis {
	t.Helper()
	p, err := load.Raw("test", []byte(strings.Join(hex, "\n")), binary.LittleEndian)
	if err != nil {
		t.Fatal(err)
	}
	p.Type = "syscall"
	prof, err := jit.LookupProfile(profile)
	if err != nil {
		t.Fatal(err)
	}
	a, err := pipeline.Run(p, prof, rewrite.Options{})
	if err != nil || a.ImageErr != nil {
		t.Fatal(err, a.ImageErr)
	}
	return a
}

// sample is a branch over a division.
func sample(t *testing.T, profile string) *pipeline.Analysis {
	return analysed(t, profile,
		"7912000000000000", // r2 = *(u64 *)(r1 + 0)
		"b700000007000000", // r0 = 7
		"2502010005000000", // if r2 > 5 goto +1
		"3f20000000000000", // r0 /= r2
		"9500000000000000") // exit
}

func TestParting(t *testing.T) {
	ours, theirs := sample(t, "linux-7.3"), sample(t, "linux-7.3+itsret")
	if s := Parting(ours.Rewrite.Program, ours.Image, ours.Image.Code); s != "" {
		t.Errorf("the same code: %s", s)
	}
	s := Parting(ours.Rewrite.Program, ours.Image, theirs.Image.Code)
	if !strings.Contains(s, "exit: ours has ret") || !strings.Contains(s, "the kernel has jmp") {
		t.Errorf("another return: %q", s)
	}
	// A byte of a constant, before which everything is the same.
	code := bytes.Clone(ours.Image.Code)
	at := bytes.Index(code, []byte{0xb8, 7, 0, 0, 0})
	code[at+1] = 8
	if s := Parting(ours.Rewrite.Program, ours.Image, code); !strings.HasPrefix(s, "slot 1, r0 = 7: ours has mov $0x7,%eax") {
		t.Errorf("another constant: %q", s)
	}
	// Cut off in the middle of an instruction: no panic, no claim.
	if s := Parting(ours.Rewrite.Program, ours.Image, code[:at+2]); s != "" {
		t.Errorf("cut off: %q", s)
	}
}

func TestCompare(t *testing.T) {
	a := sample(t, "linux-7.3")
	right := func() *Observed {
		return &Observed{Xlated: slices.Clone(a.Rewrite.Dump(a.Profile).Insns), Code: bytes.Clone(a.Image.Code)}
	}
	outcome := func(o *Observed, what string) Outcome {
		for _, c := range Predicted(a, o) {
			if c.What == what {
				return c
			}
		}
		t.Fatalf("no outcome for %s", what)
		return Outcome{}
	}
	for _, what := range []string{"rewriting", "code"} {
		if c := outcome(right(), what); !c.Same || !c.Known {
			t.Errorf("%s: %+v", what, c)
		}
	}
	if c := outcome(right(), "tables"); c.Known {
		t.Errorf("a program without tables: %+v", c)
	}
	for i := range a.Image.Code {
		o := right()
		o.Code[i] ^= 0x40
		masked := slices.ContainsFunc(a.Image.Relocs, func(r jit.Reloc) bool { return i >= r.Offset && i < r.Offset+r.Size })
		if c := outcome(o, "code"); c.Same != masked || !masked && c.Detail == "" {
			t.Errorf("byte %d changed: %+v", i, c)
		}
	}
	for i := range a.Rewrite.Program.Insns {
		o := right()
		o.Xlated[i].Dst ^= 1
		if c := outcome(o, "rewriting"); c.Same || !strings.Contains(c.Detail, "the kernel has") {
			t.Errorf("slot %d changed: %+v", i, c)
		}
	}
	o := right()
	o.Xlated, o.Code = o.Xlated[:3], nil
	if c := outcome(o, "rewriting"); c.Same || !strings.Contains(c.Detail, "the kernel has 3") {
		t.Errorf("shorter: %+v", c)
	}
	if c := outcome(o, "code"); c.Known {
		t.Errorf("no code: %+v", c)
	}
}

// TestWithKept takes a kernel's word for a branch that the analysis decides.
func TestWithKept(t *testing.T) {
	a := analysed(t, "linux-7.3",
		"7910000000000000", // r0 = *(u64 *)(r1 + 0)
		"9700000014000000", // r0 %= 20
		"2500010014000000", // if r0 > 20 goto +1
		"9500000000000000", // exit
		"b700000000000000", // r0 = 0: dead by the rules of 7.3, which know remainders
		"9500000000000000") // exit
	if x := a.Rewrite.Xlated[4]; x != jit.Deleted {
		t.Fatalf("slot 4 is at %d: the example has lost its point", x)
	}
	kept := []bool{true, true, true, true, true, true}
	b, other, err := WithKept(a, kept, rewrite.Options{})
	if err != nil || b.ImageErr != nil {
		t.Fatal(err, b.ImageErr)
	}
	if !slices.Equal(other, []bytecode.PC{4, 5}) || b.Rewrite.Xlated[4] == jit.Deleted {
		t.Errorf("slots %v, slot 4 is at %d", other, b.Rewrite.Xlated[4])
	}
	if same, other, _ := WithKept(b, []bool{true}, rewrite.Options{}); same != b || other != nil {
		t.Errorf("a list of another length changed something")
	}
}

func TestRewritten(t *testing.T) {
	a := sample(t, "linux-7.3")
	p := *a.Program
	p.Rewritten = true
	b, err := pipeline.Run(&p, a.Profile, rewrite.Options{})
	if err != nil || !errors.Is(b.RewriteErr, pipeline.ErrRewritten) || !errors.Is(b.ImageErr, pipeline.ErrRewritten) || b.Graph == nil {
		t.Errorf("%v %v %v", err, b.RewriteErr, b.ImageErr)
	}
}
