package load

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/bpfcfg/bpfcfg/internal/testing/wellformed"
)

// loadFile loads an object and checks every program of it.
func loadFile(t testing.TB, path string) *Object {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	o, err := ELF(filepath.Base(path), data)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range o.Programs {
		if err := wellformed.Check(p); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	return o
}

// program returns the program with the name.
func program(t testing.TB, o *Object, name string) *bytecode.Program {
	t.Helper()
	for _, p := range o.Programs {
		if p.Name == name {
			return p
		}
	}
	t.Fatalf("%s: no program %q; failed: %v", o.Name, name, o.Failed)
	return nil
}

// open opens a file, unpacking it if its name ends in .gz.
func open(t testing.TB, path string) io.Reader {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if !strings.HasSuffix(path, ".gz") {
		return f
	}
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// job is the part of a recorded job that another linker made of an object.
type job struct {
	Name      string   `json:"name"`
	ProgType  string   `json:"prog_type"`
	ProgFlags uint32   `json:"prog_flags"`
	License   string   `json:"license"`
	Insns     []string `json:"insns"`
	Maps      []struct {
		Name       string `json:"name"`
		Type       string `json:"type"`
		KeySize    uint32 `json:"key_size"`
		ValueSize  uint32 `json:"value_size"`
		MaxEntries uint32 `json:"max_entries"`
		Targets    []int  `json:"targets"`
	} `json:"maps"`
	Relocs []struct {
		Insn int    `json:"insn"`
		Kind string `json:"kind"`
		Name string `json:"name"`
		Off  int64  `json:"off"`
	} `json:"relocs"`
}

// jobs returns the jobs of a record file.
func jobs(t testing.TB, path string) []job {
	t.Helper()
	dec := json.NewDecoder(open(t, path))
	var all []job
	for {
		var rec struct {
			Job *job `json:"job"`
		}
		if err := dec.Decode(&rec); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		if rec.Job != nil {
			all = append(all, *rec.Job)
		}
	}
}

// TestRecords compares with what the linker of the recording tool, written by
// others, made of the same objects: every slot, map, table entry and reference.
func TestRecords(t *testing.T) {
	for dir, records := range map[string][]string{
		"corpus/out":       {"corpus.7.3.4.off", "corpus-asm.7.3.4.off"},
		"corpus/out-plain": {"corpus-plain.7.3.4.off"},
	} {
		for _, rec := range records {
			n := 0
			for _, j := range jobs(t, testenv.Path(t, "records/"+rec+".jsonl.gz")) {
				obj, name, _ := strings.Cut(j.Name, "/")
				o := loadFile(t, testenv.Path(t, dir+"/"+obj+".o"))
				compareJob(t, j, o, program(t, o, name))
				n++
			}
			if n < 5 {
				t.Errorf("%s: %d jobs", rec, n)
			}
		}
	}
}

// compareJob compares a program with a recorded job.
func compareJob(t *testing.T, j job, o *Object, p *bytecode.Program) {
	t.Helper()
	if j.ProgType != p.Type || j.ProgFlags != p.Flags || j.License != o.License {
		t.Errorf("%s: type %s flags %#x license %q, want %s %#x %q",
			j.Name, p.Type, p.Flags, o.License, j.ProgType, j.ProgFlags, j.License)
	}
	relocs := map[int]string{}
	for _, r := range j.Relocs {
		relocs[r.Insn] = fmt.Sprintf("%s %s+%d", r.Kind, r.Name, r.Off)
	}
	compareInsns(t, j.Name, p, strings.Join(j.Insns, ""), relocs)
	got := map[int]string{}
	for _, r := range p.Refs {
		switch r.Kind {
		case bytecode.RefMap:
			got[int(r.PC)] = fmt.Sprintf("map_fd %s+0", p.Maps[r.Index].Name)
		case bytecode.RefMapValue:
			got[int(r.PC)] = fmt.Sprintf("map_value %s+%d", p.Maps[r.Index].Name, r.Off)
		case bytecode.RefTable:
			got[int(r.PC)] = fmt.Sprintf("map_value %s+%d", p.Tables[r.Index].Name, r.Off)
		case bytecode.RefKfunc:
			got[int(r.PC)] = fmt.Sprintf("kfunc %s+0", r.Name)
		case bytecode.RefFunc: // no relocation to the tool
		default:
			got[int(r.PC)] = fmt.Sprintf("%+v", r)
		}
	}
	for pc := range p.Insns {
		if got[pc] != relocs[pc] {
			t.Errorf("%s: slot %d refers to %q, want %q", j.Name, pc, got[pc], relocs[pc])
		}
	}
	var maps, tables int
	for _, m := range j.Maps {
		if m.Type == "insn_array" {
			compareTable(t, j.Name, m.Name, p.Tables, tables, m.Targets)
			tables++
			continue
		}
		g := p.Maps[maps]
		maps++
		typ := m.Type
		if typ == "array" {
			typ = "2"
		}
		if g.Name != m.Name || fmt.Sprint(g.Type) != typ || g.KeySize != m.KeySize ||
			g.ValueSize != m.ValueSize || g.MaxEntries != m.MaxEntries {
			t.Errorf("%s: map %+v, want %+v", j.Name, g, m)
		}
	}
	if maps != len(p.Maps) || tables != len(p.Tables) {
		t.Errorf("%s: %d maps and %d tables, want %d and %d", j.Name, len(p.Maps), len(p.Tables), maps, tables)
	}
}

// compareTable compares a jump table with the recorded one.
func compareTable(t *testing.T, prog, name string, tables []bytecode.JumpTable, i int, want []int) {
	t.Helper()
	if i >= len(tables) || tables[i].Name != name {
		t.Errorf("%s: table %d is not %q", prog, i, name)
		return
	}
	got := make([]int, len(tables[i].Targets))
	for k, pc := range tables[i].Targets {
		got[k] = int(pc)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s: table %q is %v, want %v", prog, name, got, want)
	}
}

// compareInsns compares the slots with hexadecimal ones. In those with a
// relocation the fields that a loader fills in are left out: Src, Imm and, for
// wide ones, the upper half.
func compareInsns(t *testing.T, name string, p *bytecode.Program, want string, relocs map[int]string) {
	t.Helper()
	raw, err := hex.DecodeString(want)
	if err != nil {
		t.Fatal(err)
	}
	insns, err := bytecode.Decode(raw, binary.LittleEndian)
	if err != nil {
		t.Fatal(err)
	}
	if len(insns) != len(p.Insns) {
		t.Errorf("%s: %d slots, want %d", name, len(p.Insns), len(insns))
		return
	}
	for pc, w := range insns {
		g := p.Insns[pc]
		if relocs[pc] != "" {
			g.Src, g.Imm, w.Src, w.Imm = 0, 0, 0, 0
		}
		if pc > 0 && relocs[pc-1] != "" && insns[pc-1].IsWide() {
			g.Imm, w.Imm = 0, 0
		}
		if g != w {
			t.Errorf("%s: slot %d is %+v, want %+v", name, pc, g, w)
		}
	}
}

// TestKernelDumps compares with what libbpf 1.8 submitted to Linux 7.3.4: the
// instructions, and the contents of the instruction arrays. The dumps hold map
// descriptors, which are left out.
func TestKernelDumps(t *testing.T) {
	programs := 0
	for _, path := range testenv.Glob(t, "corpus/kernel-7.3/*.txt*") {
		base := strings.TrimSuffix(strings.TrimSuffix(filepath.Base(path), ".gz"), ".txt")
		stem, kind, _ := strings.Cut(base, ".")
		dir := map[string]string{"gotox": "out", "plain": "out-plain", "bad": "bad"}[kind]
		d := readDump(t, path)
		if len(d.insns) == 0 {
			continue
		}
		o := loadFile(t, testenv.Path(t, "corpus/"+dir+"/"+stem+".o"))
		for name, code := range d.insns {
			p := program(t, o, name)
			compareDump(t, base+"/"+name, p, code, d.arrays[name])
			programs++
		}
	}
	if programs < 45 {
		t.Errorf("only %d programs compared", programs)
	}
}

// dump is the submitted program in a kernel's result file.
type dump struct {
	insns  map[string]string        // hexadecimal slots by program
	arrays map[string]map[int][]int // entries by program and map id
}

// readDump reads a kernel result file.
func readDump(t *testing.T, path string) dump {
	t.Helper()
	d := dump{map[string]string{}, map[string]map[int][]int{}}
	sc := bufio.NewScanner(open(t, path))
	sc.Buffer(nil, 4<<20)
	for sc.Scan() {
		f := strings.Fields(sc.Text())
		switch {
		case len(f) == 3 && f[0] == "ORIG":
			d.insns[f[1]] = f[2]
		case len(f) > 3 && f[0] == "INSN_ARRAY":
			var id, index, orig int
			if _, err := fmt.Sscanf(strings.Join(f[2:5], " "), "id=%d %d orig=%d", &id, &index, &orig); err != nil {
				t.Fatalf("%s: %q: %v", path, sc.Text(), err)
			}
			if d.arrays[f[1]] == nil {
				d.arrays[f[1]] = map[int][]int{}
			}
			d.arrays[f[1]][id] = append(d.arrays[f[1]][id], orig)
		}
	}
	if err := sc.Err(); err != nil {
		t.Fatal(err)
	}
	return d
}

// compareDump compares a program with submitted code and arrays.
func compareDump(t *testing.T, name string, p *bytecode.Program, code string, arrays map[int][]int) {
	t.Helper()
	raw, err := hex.DecodeString(code)
	if err != nil {
		t.Fatal(err)
	}
	insns, err := bytecode.Decode(raw, binary.LittleEndian)
	if err != nil {
		t.Fatal(err)
	}
	if len(insns) != len(p.Insns) {
		t.Errorf("%s: %d slots, want %d", name, len(p.Insns), len(insns))
		return
	}
	for pc, w := range insns {
		if ref, ok := p.RefAt(bytecode.PC(pc)); ok && ref.Kind != bytecode.RefFunc {
			w.Imm = 0 // descriptor or BTF id
		}
		if p.Insns[pc] != w {
			t.Errorf("%s: slot %d is %+v, want %+v", name, pc, p.Insns[pc], w)
		}
	}
	var got, want []string
	for _, tab := range p.Tables {
		got = append(got, fmt.Sprint(tab.Targets))
	}
	for _, a := range arrays {
		want = append(want, fmt.Sprint(a))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s: tables %v, want %v", name, got, want)
	}
}
