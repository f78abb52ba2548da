package objects_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
)

// Environment of facts, see the package's documentation.
const (
	factsVariable    = "BPFCFG_OBJECT_FACTS" // where facts are written to
	packagesVariable = "BPFCFG_PACKAGES"     // directories with the objects of packages
)

// factsFile holds what kernels made of programs of packages, as facts writes it.
const factsFile = "testdata/packages.txt"

// fact is what a kernel made of an accepted program: how many slots, which source
// instructions are left, and its code with zeros at relocation sites, as hashes.
type fact struct {
	object, section, program, profile, verdict string
	slots                                      int
	left, code                                 string
}

func (f *fact) String() string {
	return strings.Join([]string{f.object, f.section, f.program, f.profile, f.verdict, strconv.Itoa(f.slots), f.left,
		f.code}, "\t")
}

// write appends the facts of a program whose bytes are as predicted.
func (s *shelf) write(rec *record.Record, prof jit.Profile, a *pipeline.Analysis) {
	name := os.Getenv(factsVariable)
	if name == "" {
		return
	}
	var left bytes.Buffer
	for _, l := range rec.Result.Prog.Lines {
		fmt.Fprintln(&left, l.Insn)
	}
	o := rec.Job.Object
	f := fact{o.SHA256, o.Section, o.Program, prof.Name, "accepted", len(rec.Result.Prog.Xlated), hash(left.Bytes()),
		hash(cleared(a.Image, rec.Result.Prog.Jited))}
	out, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err == nil {
		_, err = fmt.Fprintln(out, f.String())
	}
	if err == nil {
		err = out.Close()
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// cleared returns code with zeros at the relocation sites of an image.
func cleared(img *jit.Image, code []byte) []byte {
	out := bytes.Clone(code)
	for _, r := range img.Relocs {
		if r.Offset+r.Size <= len(out) {
			clear(out[r.Offset : r.Offset+r.Size])
		}
	}
	return out
}

func hash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:12])
}

// TestPackages holds the facts against packages that were fetched. Programs that need
// the kernel's types are marked, and only counted.
func TestPackages(t *testing.T) {
	if os.Getenv(packagesVariable) == "" {
		t.Skipf("no packages: %s names directories with their objects", packagesVariable)
	}
	s := &shelf{t: t, files: map[string]file{}}
	for _, dir := range filepath.SplitList(os.Getenv(packagesVariable)) {
		s.walk(dir)
	}
	data, err := os.ReadFile(factsFile)
	if err != nil {
		t.Fatal(err)
	}
	same, marked, absent := 0, 0, 0
	for line := range strings.Lines(string(data)) {
		var f fact
		w := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(w) != 8 || strings.HasPrefix(line, "#") {
			continue
		}
		f.object, f.section, f.program, f.profile, f.verdict, f.left, f.code = w[0], w[1], w[2], w[3], w[4], w[6], w[7]
		if _, err := fmt.Sscan(w[5], &f.slots); err != nil {
			t.Fatalf("%s: %q: %v", factsFile, line, err)
		}
		switch known, err := s.holds(&f); {
		case s.files[f.object].path == "":
			absent++
		case err != nil:
			t.Errorf("%s %s: %v", filepath.Base(s.files[f.object].path), f.program, err)
		case !known:
			marked++
		default:
			same++
		}
	}
	t.Logf("%d programs of packages are as the kernel made them, %d need its types, %d are not at hand", same, marked,
		absent)
	if same == 0 {
		t.Error("nothing was compared")
	}
}

// holds compares a fact with what is predicted; known is false when that is marked.
func (s *shelf) holds(f *fact) (known bool, err error) {
	path := s.files[f.object].path
	if path == "" {
		return false, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return false, err
	}
	o, err := load.ELF(path, data)
	if err != nil {
		return false, err
	}
	prof, err := jit.LookupProfile(f.profile)
	if err != nil {
		return false, err
	}
	for _, p := range o.Programs {
		if p.Name != f.program || p.Section != f.section {
			continue
		}
		a, err := pipeline.Run(p, prof, rewrite.Options{})
		switch {
		case err != nil:
			return false, err
		case refusal(a) != "":
			return false, fmt.Errorf("refused: %s", refusal(a))
		case a.RewriteErr != nil || a.ImageErr != nil:
			return false, fmt.Errorf("not compiled: %w", errors.Join(a.RewriteErr, a.ImageErr))
		case len(a.Rewrite.Unpredicted) > 0:
			return false, nil
		}
		return true, f.differs(a)
	}
	return false, fmt.Errorf("no program %s in %s", f.program, f.section)
}

// differs says what is predicted otherwise.
func (f *fact) differs(a *pipeline.Analysis) error {
	var left bytes.Buffer
	for pc := bytecode.PC(0); pc < a.Program.Len(); pc += a.Program.Insns[pc].Slots() {
		if a.Rewrite.Xlated[pc] != jit.Deleted {
			fmt.Fprintln(&left, pc)
		}
	}
	switch n := len(a.Rewrite.Program.Insns); {
	case n != f.slots:
		return fmt.Errorf("%d slots, the kernel has %d", n, f.slots)
	case hash(left.Bytes()) != f.left:
		return errors.New("other instructions are left than in the kernel")
	case hash(cleared(a.Image, a.Image.Code)) != f.code:
		return errors.New("other machine code than the kernel's")
	}
	return nil
}
