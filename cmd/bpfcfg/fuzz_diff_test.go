package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/diff"
	"github.com/bpfcfg/bpfcfg/internal/testing/damage"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/bpfcfg/bpfcfg/internal/union"
	"github.com/bpfcfg/bpfcfg/internal/where"
	"github.com/bpfcfg/bpfcfg/render"
)

// smallObjects returns the objects of the corpus that are cheap to analyse, the
// smallest first, so that a fuzzer gets round often.
func smallObjects(f *testing.F) (out [][]byte) {
	const most = 9000
	for size := 0; size < most; size += most / 3 {
		for _, glob := range []string{"corpus/bad/*.o", "corpus/out/*.o", "corpus/out-plain/*.o", "seed-callx/*.o"} {
			for _, path := range testenv.Glob(f, glob) {
				st, err := os.Stat(path)
				if err != nil {
					f.Fatal(err)
				}
				if n := int(st.Size()); n < size || n >= size+most/3 {
					continue
				}
				data, err := os.ReadFile(path)
				if err != nil {
					f.Fatal(err)
				}
				out = append(out, data)
			}
		}
	}
	if len(out) < 20 {
		f.Fatalf("only %d objects", len(out))
	}
	return out
}

// FuzzDiff compares two objects of the corpus, each with a fault of package damage
// or without: the report is harmless, well-formed and the same twice, no object
// differs from itself, and the picture of both versions has all of each.
func FuzzDiff(f *testing.F) {
	objects := smallObjects(f)
	kinds := damage.Kinds()
	formats := []string{"text", "markdown", "json", "svg", "html"}
	for i := range objects {
		f.Add(uint8(i), uint8(i), uint8(255), uint8(i), uint64(i), uint8(i))
		f.Add(uint8(i), uint8(i+1), uint8(255), uint8(255), uint64(i), uint8(i+1))
	}
	dir := f.TempDir()
	files := [2]string{filepath.Join(dir, "old.o"), filepath.Join(dir, "new.o")}
	f.Fuzz(func(t *testing.T, old, now, oldFault, nowFault uint8, seed uint64, format uint8) {
		var data [2][]byte
		for i, n := range []uint8{old, now} {
			data[i] = objects[int(n)%len(objects)]
			if k := int([]uint8{oldFault, nowFault}[i]); k < 2*len(kinds) {
				data[i] = kinds[k%len(kinds)].Apply(data[i], seed+uint64(i))
			}
			if err := os.WriteFile(files[i], data[i], 0o600); err != nil {
				t.Fatal(err)
			}
		}
		args := []string{"diff", "--format", formats[int(format)%len(formats)], files[0], files[1]}
		first := runHere(args...)
		checkEvil(t, first)
		if second := runHere(args...); second.out != first.out || second.err != first.err || second.status != first.status {
			t.Errorf("bpfcfg %q: a second run says something else", args)
		}
		var sides [2]diff.Side
		for i, file := range files {
			side, _, err := (&diffCmd{}).side(streams{err: new(bytes.Buffer)}, file)
			if err != nil {
				if first.status == exitClean {
					t.Errorf("status 0, and %v", err)
				}
				return
			}
			sides[i] = side
			if r := diff.Compare(side, side); !r.Same() {
				t.Errorf("object %d differs from itself", i)
			}
		}
		for i := range 2 {
			r := diff.Compare(sides[i], sides[1-i])
			for j := range r.Programs {
				checkUnion(t, &r.Programs[j])
			}
		}
	})
}

// checkUnion states that the picture of a difference has every block of both versions.
func checkUnion(t *testing.T, p *diff.Program) {
	t.Helper()
	now, old := 0, 0
	for _, b := range union.Scene(p, "fuzz").Blocks {
		if b.Mark != render.MarkRemoved {
			now++
		}
		if b.Mark != render.MarkAdded {
			old++
		}
	}
	if want := len(p.New.Graph.Blocks); now != want {
		t.Errorf("%s: %d blocks of the new version, want %d", p.Name, now, want)
	}
	if want := len(p.Old.Graph.Blocks); old != want {
		t.Errorf("%s: %d blocks of the old version, want %d", p.Name, old, want)
	}
}

// FuzzWhere asks for places in machine code: what is found lies in the code that it
// is said to lie in, and what is not is one harmless line.
func FuzzWhere(f *testing.F) {
	objects := smallObjects(f)
	for i, pos := range []string{"+0x20", "+0", "main+0x1c", "bpf_prog_6deef7357e7b4530_f+0x8a0/0x900 [bpf]", "0xffffffffc0001234",
		"+4294967295", "\u202e+0x1\n", "bpf_prog_6deef7357e7b4530+0x1", "+0x20/0x"} {
		f.Add(uint8(i), pos)
	}
	f.Fuzz(func(t *testing.T, object uint8, pos string) {
		r := runOn(objects[int(object)%len(objects)], []string{"where", "--format", "json", "--", "-", pos})
		r.args = []string{"where", "--format", "json", "-"}
		checkEvil(t, r)
		if r.status != exitClean {
			if r.err == "" || r.out != "" {
				t.Errorf("%q: status %d, %q, %q", pos, r.status, r.out, r.err)
			}
			return
		}
		var d where.Place
		if err := json.Unmarshal([]byte(r.out), &d); err != nil {
			t.Fatal(err)
		}
		want, err := where.Parse(pos)
		if err != nil || uint64(d.Offset) != want.Offset {
			t.Errorf("%q is at %#x: %v", pos, d.Offset, err)
		}
		if d.X86.Offset > d.Offset || d.Offset-d.X86.Offset > 14 || d.X86.Text == "" {
			t.Errorf("%q: the instruction at %#x does not hold %#x", pos, d.X86.Offset, d.Offset)
		}
		if (d.Kind == "block") != (d.Block >= 0) || d.Block >= 0 && d.Xlated.Slot < 0 {
			t.Errorf("%q: %+v", pos, d)
		}
		if c := d.ReturnFrom; c != nil && (c.Offset >= d.Offset || d.X86.Offset != d.Offset) {
			t.Errorf("%q: returns from %#x to %#x", pos, c.Offset, d.Offset)
		}
	})
}
