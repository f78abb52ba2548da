package objects_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/cfg/load/target"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/internal/replay"
	"github.com/bpfcfg/bpfcfg/jit"
)

// Environment, see the package's documentation.
const (
	objectsVariable = "BPFCFG_OBJECTS"
	recordsVariable = "BPFCFG_OBJECT_RECORDS"
	typesVariable   = "BPFCFG_OBJECT_TYPES"
	cpusVariable    = "BPFCFG_OBJECT_CPUS"
)

// TestObjects makes the tables.
func TestObjects(t *testing.T) {
	if os.Getenv(recordsVariable) == "" {
		t.Skipf("no records of other people's objects: %s, %s and %s name them", recordsVariable, objectsVariable,
			typesVariable)
	}
	s := &shelf{t: t, files: map[string]file{}, kernels: map[string]*target.Kernel{}}
	for _, dir := range filepath.SplitList(os.Getenv(objectsVariable)) {
		s.walk(dir)
	}
	sum := tables{}
	for _, pattern := range filepath.SplitList(os.Getenv(recordsVariable)) {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			t.Fatalf("no records at %s: %v", pattern, err)
		}
		for _, path := range paths {
			sum.file(s, path)
		}
	}
	sum.print(t)
	if len(sum) == 0 {
		t.Error("nothing was compared")
	}
}

// file compares the programs of one file of records.
func (sum tables) file(s *shelf, path string) {
	t := s.t
	r, err := record.Open(path, record.Options{SkipLogs: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var env *record.Env
	var prof jit.Profile
	for rec, err := range r.Records() {
		switch {
		case err != nil:
			t.Fatalf("%s: %v", path, err)
		case rec.Env != nil:
			if prof, err = replay.ProfileOf(rec.Env); err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			env = rec.Env
		case rec.Job.Object == nil:
		case env == nil:
			t.Fatalf("%s: no machine is described", path)
		default:
			row := sum.row(s.files[rec.Job.Object.SHA256].project, version.FindString(env.Release))
			row.program(s, env, rec, prof)
		}
	}
}

// version is that of a release, without what the distribution adds.
var version = regexp.MustCompile(`^\d+\.\d+(\.\d+)?`)

// file is an object: where it lies and whose it is.
type file struct{ path, project string }

// shelf finds objects and kernels, and keeps the object used last: records of one
// object follow each other.
type shelf struct {
	t       *testing.T
	files   map[string]file // by SHA-256
	kernels map[string]*target.Kernel

	last   string // SHA-256 and version
	object *load.Object
}

// walk notes the objects below a directory.
func (s *shelf) walk(dir string) {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || filepath.Ext(path) != ".o" {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		project, _, deep := strings.Cut(strings.TrimPrefix(path, dir+"/"), "/")
		if !deep {
			project = filepath.Base(dir)
		}
		sum := sha256.Sum256(data)
		if h := hex.EncodeToString(sum[:]); s.files[h].path == "" {
			s.files[h] = file{path, project}
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// kernel returns the kernel of a release, nil when its types are not there.
func (s *shelf) kernel(release string) *target.Kernel {
	v := version.FindString(release)
	if k, ok := s.kernels[v]; ok {
		return k
	}
	paths, _ := filepath.Glob(filepath.Join(os.Getenv(typesVariable), "*"+v+".btf"))
	if len(paths) == 0 {
		s.t.Fatalf("%s: no types of %s", os.Getenv(typesVariable), v)
	}
	data, err := os.ReadFile(paths[0])
	if err != nil {
		s.t.Fatal(err)
	}
	k, err := target.Read(paths[0], data)
	if err != nil {
		s.t.Fatal(err)
	}
	if text, err := os.ReadFile(strings.TrimSuffix(paths[0], ".btf") + ".config"); err == nil {
		c, err := target.ReadConfig("config", text)
		if err != nil {
			s.t.Fatal(err)
		}
		k.SetConfig(c)
	}
	s.kernels[v] = k
	return k
}

// program returns the program of a record, loaded for its kernel.
func (s *shelf) program(env *record.Env, o *record.Object) (*bytecode.Program, error) {
	f := s.files[o.SHA256]
	if f.path == "" {
		return nil, fmt.Errorf("%s is not at hand", o.Name)
	}
	if key := o.SHA256 + env.Release; s.last != key {
		data, err := os.ReadFile(f.path)
		if err != nil {
			return nil, err
		}
		obj, err := load.ELF(f.path, data)
		if err != nil {
			return nil, err
		}
		s.last, s.object = key, s.kernel(env.Release).Apply(obj)
	}
	i := slices.IndexFunc(s.object.Programs, func(p *bytecode.Program) bool {
		return p.Name == o.Program && p.Section == o.Section
	})
	if i >= 0 {
		return s.object.Programs[i], nil
	}
	for _, f := range s.object.Failed {
		if f.Name == o.Program {
			return nil, f.Err
		}
	}
	return nil, fmt.Errorf("no program %s in section %s", o.Program, o.Section)
}
