//go:build linux && amd64

package host

import (
	"encoding/binary"
	"hash/fnv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/sysbpf"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
)

// model stands in for a kernel with a given profile: our own compiler, which is
// compared byte for byte with kernels of these profiles elsewhere.
type model struct {
	t     *testing.T
	prof  jit.Profile
	maps  map[sysbpf.FD]bytecode.Map
	names map[uint64]string
	at    uint32 // jitted offset of the last table's element
	eperm bool
}

const (
	modelText  = 0xffffffff81000000 // symbols
	modelImage = 0xffffffffc0001000
	tableFD    = 100
)

// address gives a symbol an address.
func (m *model) address(name string) (uint64, bool) {
	if name == "this_cpu_off" {
		return 0xffffffff83012345, true
	}
	h := fnv.New32a()
	h.Write([]byte(name))
	a := modelText + uint64(h.Sum32()>>8)
	m.names[a] = name
	return a, true
}

func (m *model) symbol(addr uint64) (string, bool) {
	n, ok := m.names[addr]
	return n, ok
}

func (m *model) newMap(s *sysbpf.Map) (sysbpf.FD, error) {
	fd := sysbpf.FD(len(m.maps) + 10)
	m.maps[fd] = bytecode.Map{Name: "m", Type: s.Type, KeySize: s.KeySize, ValueSize: s.ValueSize, MaxEntries: s.MaxEntries}
	return fd, nil
}

func (m *model) closeMap(sysbpf.FD) {}

func (m *model) newTable(uint32) (sysbpf.FD, error) {
	if !m.prof.Gotox {
		return -1, errNoTables
	}
	return tableFD, nil
}

func (m *model) jitted(sysbpf.FD) (uint32, error) { return m.at, nil }

// compile predicts what the kernel would do.
func (m *model) compile(insns []bytecode.Insn) (*sysbpf.Prog, error) {
	if m.eperm {
		return nil, unix.EPERM
	}
	p := &bytecode.Program{Name: "probe", Type: "socket_filter", Insns: append([]bytecode.Insn(nil), insns...),
		Subprogs: []bytecode.Subprogram{{Name: "probe", End: bytecode.PC(len(insns))}}}
	for pc := 0; pc < len(p.Insns); pc += int(p.Insns[pc].Slots()) {
		in := &p.Insns[pc]
		if !in.IsWide() || in.Src == 0 {
			continue
		}
		ref := bytecode.Ref{PC: bytecode.PC(pc), Kind: bytecode.RefMap, Index: len(p.Maps)}
		if in.Imm == tableFD {
			ref.Kind, ref.Index = bytecode.RefTable, 0
			p.Tables = []bytecode.JumpTable{{Name: "t", Targets: []bytecode.PC{4}}}
		} else {
			p.Maps = append(p.Maps, m.maps[sysbpf.FD(in.Imm)])
		}
		in.Imm = 0
		p.Refs = append(p.Refs, ref)
	}
	a, err := pipeline.Run(p, m.prof, rewrite.Options{})
	if err != nil || a.RewriteErr != nil {
		m.t.Fatalf("%v %v", err, a.RewriteErr)
	}
	jp := *a.Rewrite.Program
	jp.Addresses = jit.Addresses{Funcs: []uint64{modelImage}, Symbol: m.address}
	img, err := jit.Compile(&jp, m.prof)
	if err != nil {
		m.t.Fatal(err)
	}
	if len(p.Tables) > 0 {
		m.at = uint32(img.Tables[0][0])
	}
	dump := a.Rewrite.Dump(m.prof)
	return &sysbpf.Prog{Xlated: bytecode.Encode(dump.Insns, binary.LittleEndian), Code: img.Code, Ksyms: []uint64{modelImage}}, nil
}

// TestProbes reads back each profile from code that was compiled for it,
// beginning with one that is wrong in everything that a probe can tell.
func TestProbes(t *testing.T) {
	for _, name := range []string{
		"linux-7.3", "linux-7.3+plain", "linux-7.3+plain+its", "linux-7.3+lfence", "linux-7.3+stuff", "linux-7.3-ibt-sls",
		"linux-7.3+plain-sls-retpolinebuild", "linux-7.3+itsret-bmi2", "linux-7.3+srso", "linux-7.3+unret",
		"linux-6.19", "linux-6.19+its+itsret", "linux-6.18", "linux-6.18+srsoalias",
	} {
		t.Run(name, func(t *testing.T) {
			prof, err := jit.LookupProfile(name)
			if err != nil {
				t.Fatal(err)
			}
			prof.OffMaxEntries, prof.OffPtrs, prof.OffBPFFunc = 0x50, 0x1f8, 0x58
			prof.OffValue = 0x1e8
			got := wrong(prof)
			p := &prober{d: &deriver{r: &Result{}, from: map[string]Finding{}}, prof: &got,
				k: &model{t: t, prof: prof, maps: map[sysbpf.FD]bytecode.Map{}, names: map[uint64]string{}}}
			p.all()
			want := prof
			want.ThisCPUOff = 0xffffffff83012345
			// What stays hidden behind another choice is left as it was.
			if want.ReturnThunk != "" {
				want.SLS = got.SLS
			}
			if want.ReturnThunk == "" {
				want.CallDepth = got.CallDepth
			}
			if want.Indirect != jit.IndirectPlain {
				want.RetpolineBuild = got.RetpolineBuild
			}
			if !want.IBT {
				want.EndbrTargets = got.EndbrTargets
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("profile (-), probed (+):\n%s\nnotes: %q", d, p.d.r.Notes)
			}
			if len(p.d.r.Notes) > 0 {
				t.Errorf("notes: %q", p.d.r.Notes)
			}
		})
	}
}

// wrong returns a profile that differs from prof in all that is probed, as far
// as a profile of that version can.
func wrong(prof jit.Profile) jit.Profile {
	p := prof
	p.IBT, p.BMI2, p.SMP, p.XchgLock, p.Gotox, p.MovImm64Short = !p.IBT, !p.BMI2, false, !p.XchgLock, !p.Gotox, false
	p.AXReg, p.StackArgs = 23-p.AXReg, !p.StackArgs
	p.OffMaxEntries, p.OffPtrs, p.OffBPFFunc, p.OffValue, p.ThisCPUOff = 1, 2, 3, 4, 5
	if p.Indirect != jit.IndirectLfence {
		p.Indirect = jit.IndirectLfence
	} else {
		p.Indirect = jit.IndirectPlain
	}
	if p.ReturnThunk = "wrong"; prof.ReturnThunk == "" {
		p.SLS = !p.SLS
	}
	return p
}

// noPlaces is a model of a kernel that does not fill in where table entries lead: offset 0, which the code
// before the first entry's target excludes.
type noPlaces struct{ *model }

func (noPlaces) jitted(sysbpf.FD) (uint32, error) { return 0, nil }

// TestProbesNoPlace: the landing pad at the start of a program is not taken for one at a target.
func TestProbesNoPlace(t *testing.T) {
	prof, err := jit.LookupProfile("linux-7.3")
	if err != nil || !prof.IBT {
		t.Fatal(err)
	}
	got := prof
	got.EndbrTargets = false
	p := &prober{d: &deriver{r: &Result{}, from: map[string]Finding{}}, prof: &got, k: noPlaces{
		&model{t: t, prof: prof, maps: map[sysbpf.FD]bytecode.Map{}, names: map[uint64]string{}}}}
	if err := p.gotox(); err != nil {
		t.Fatal(err)
	}
	if _, told := p.d.from["endbr_targets"]; told || got.EndbrTargets || !got.Gotox {
		t.Errorf("jumps %v, landing pads at targets %v, told %v", got.Gotox, got.EndbrTargets, told)
	}
}

func TestProbesNotPermitted(t *testing.T) {
	prof, err := jit.LookupProfile("linux-7.3")
	if err != nil {
		t.Fatal(err)
	}
	got := prof
	p := &prober{d: &deriver{r: &Result{}, from: map[string]Finding{}}, prof: &got, k: &model{t: t, eperm: true}}
	p.all()
	if d := cmp.Diff(prof, got); d != "" {
		t.Errorf("the profile has changed:\n%s", d)
	}
	if len(p.d.r.Notes) != 1 {
		t.Errorf("notes: %q", p.d.r.Notes)
	}
}
