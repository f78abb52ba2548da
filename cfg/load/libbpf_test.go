package load

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/google/go-cmp/cmp"
)

// submitted is a program as libbpf 1.8 hands it to the kernel.
type submitted struct {
	object, name, typ, flags string
	attach                   uint32
	insns                    []bytecode.Insn
	maps                     []string // by slot
	functions, lines         string
}

// readSubmitted reads testdata/libbpf.txt, which testdata/libbpf/submit.c wrote.
func readSubmitted(t *testing.T) (progs []submitted, refused map[string]string) {
	t.Helper()
	f, err := os.Open("testdata/libbpf.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	refused = map[string]string{}
	object := ""
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		word, rest, _ := strings.Cut(sc.Text(), " ")
		var p *submitted
		if len(progs) > 0 {
			p = &progs[len(progs)-1]
		}
		switch word {
		case "object":
			object = rest
		case "says":
			refused[object] += rest + "\n"
		case "program":
			n := submitted{object: object}
			var code string
			if _, err := fmt.Sscanf(rest, "%s type=%s flags=%s attach=%d %s", &n.name, &n.typ, &n.flags, &n.attach, &code); err != nil {
				t.Fatalf("%q: %v", sc.Text(), err)
			}
			n.insns = decodeHex(t, code)
			progs = append(progs, n)
		case "map":
			p.maps = append(p.maps, rest)
		case "functions":
			p.functions = rest
		case "lines":
			p.lines = rest
		}
	}
	if err := sc.Err(); err != nil {
		t.Fatal(err)
	}
	return progs, refused
}

// decodeHex decodes little-endian slots in hexadecimal digits.
func decodeHex(t testing.TB, code string) []bytecode.Insn {
	t.Helper()
	raw, err := hex.DecodeString(code)
	if err != nil {
		t.Fatal(err)
	}
	insns, err := bytecode.Decode(raw, binary.LittleEndian)
	if err != nil {
		t.Fatal(err)
	}
	return insns
}

// TestLibbpf compares with what libbpf submits for the objects in testdata:
// instructions, maps, tables, functions and lines of every program. Operands
// that only a kernel knows are left out, and after programs with an indirect
// call the functions that their tables point at.
func TestLibbpf(t *testing.T) {
	progs, _ := readSubmitted(t)
	if len(progs) < 35 {
		t.Fatalf("%d programs in testdata/libbpf.txt", len(progs))
	}
	for _, want := range progs {
		name := want.object + "/" + want.name
		p := program(t, loadFile(t, filepath.Join("testdata", want.object)), want.name)
		if flags := fmt.Sprintf("%#x", p.Flags); p.Type != want.typ || p.AttachType != want.attach ||
			flags != want.flags && want.flags != "0" {
			t.Errorf("%s: type %s flags %s attach type %d, want %+v", name, p.Type, flags, p.AttachType, want)
		}
		end := bytecode.PC(len(want.insns))
		if end > p.Len() || end < p.Len() && !hasCallx(p) {
			t.Errorf("%s: %d slots, want %d", name, p.Len(), end)
			continue
		}
		compareSubmitted(t, name, p, want)
		var functions, lines []string
		for _, s := range p.Subprogs {
			if s.Start < end {
				functions = append(functions, s.Start.String())
			}
		}
		for _, l := range p.Lines {
			if l.PC < end {
				lines = append(lines, fmt.Sprintf("%d:%d:%d", l.PC, l.Line, l.Col))
			}
		}
		if strings.HasSuffix(want.object, ".nobtf.o") {
			functions = nil // the kernel is not told
		}
		if d := cmp.Diff(want.functions, strings.Join(functions, " ")); d != "" {
			t.Errorf("%s: functions: %s", name, d)
		}
		if d := cmp.Diff(want.lines, strings.Join(lines, " ")); d != "" {
			t.Errorf("%s: lines: %s", name, d)
		}
	}
}

// hasCallx reports whether the program has an indirect call.
func hasCallx(p *bytecode.Program) bool {
	return slices.ContainsFunc(p.Insns, bytecode.Insn.IsCallx)
}

// objectPrefix matches the object's name before those of the main data sections.
var objectPrefix = regexp.MustCompile(` [^ ]+(\.rodata|\.data|\.bss|\.kconfig) `)

// compareSubmitted compares instructions and the maps they refer to.
func compareSubmitted(t *testing.T, name string, p *bytecode.Program, want submitted) {
	t.Helper()
	var maps []string
	for pc, w := range want.insns {
		g := p.Insns[pc]
		ref, ok := p.RefAt(bytecode.PC(pc))
		if before, has := p.RefAt(bytecode.PC(pc - 1)); has && p.Insns[pc-1].IsWide() && before.Kind == bytecode.RefKsym ||
			p.PendingAt(bytecode.PC(pc-1)) == bytecode.PartImm64 || p.PendingAt(bytecode.PC(pc)) != 0 {
			continue // resolved, or poisoned
		}
		if ok && ref.PC < bytecode.PC(len(want.insns)) {
			switch ref.Kind {
			case bytecode.RefMap, bytecode.RefMapValue, bytecode.RefTable:
				w.Imm = 0
				maps = append(maps, describeMap(p, ref))
			case bytecode.RefKfunc, bytecode.RefKsym: // resolved, or poisoned
				continue
			}
		}
		if g != w {
			t.Errorf("%s: slot %d is %+v, want %+v", name, pc, g, w)
		}
	}
	for i, m := range want.maps {
		want.maps[i] = objectPrefix.ReplaceAllString(m, " $1 ")
	}
	if d := cmp.Diff(want.maps, maps); d != "" {
		t.Errorf("%s: maps: %s", name, d)
	}
}

// describeMap describes the map of a reference as submit.c does.
func describeMap(p *bytecode.Program, ref bytecode.Ref) string {
	if ref.Kind == bytecode.RefTable {
		tab := p.Tables[ref.Index]
		return fmt.Sprintf("%d .jumptables type=34 key=4 value=16 entries=%d flags=0 %s",
			ref.PC, len(tab.Targets), strings.Trim(fmt.Sprint(tab.Targets), "[]"))
	}
	m := p.Maps[ref.Index]
	flags := "0"
	if m.Flags != 0 {
		flags = fmt.Sprintf("%#x", m.Flags)
	}
	return fmt.Sprintf("%d %s type=%d key=%d value=%d entries=%d flags=%s",
		ref.PC, m.Name, m.Type, m.KeySize, m.ValueSize, m.MaxEntries, flags)
}

// badObject is where the shared objects are that some loader refuses.
const badObject = "../../../testdata/corpus/bad/"

// TestRefused: what libbpf refuses gives an error, or a diagnostic if the object can be analysed
// all the same.
func TestRefused(t *testing.T) {
	_, refused := readSubmitted(t)
	for _, c := range []struct {
		object, says string // libbpf's words, for the record
		programs     string
		failed       string
		diag         string
	}{
		{"broken.o", "failed to find BTF for extern", "bad_call good bad_data", "neither a map nor data",
			`undefined symbol "not_here"`},
		{"legacy.o", "legacy map definitions", "use", "", "in the old style"},
		{"linked.o", "invalid jump table value 0x40 at offset 112", "a", "off by one constant, as bpftool gen object", ""},
		{"sections.o", "is static and not supported", "prog elsewhere tail", "",
			`libbpf refuses static functions outside of .text: "beside", "tail"`},
		{badObject + "b06_zero_size_symbol.o", "can't create jump table: sym_off 0", "", "size 0", ""},
		{badObject + "b01_outside_function.o", "", "prog other", "", `entry 1 is outside of function "prog"`},
		{badObject + "b04_misaligned_entry.o", "", "prog", "", "entry 1 is not a multiple of 8 bytes"},
		{badObject + "b03_mid_ldimm64.o", "", "prog", "", ""},
		{badObject + "b14_reserved_fields.o", "", "src off imm", "", ""},
		{"library.o", "", "outer outermost", "", "all functions are in .text"},
		{"untyped.o", "", "f g", "", "libbpf finds no program in sections \"socket\""},
	} {
		if !strings.Contains(refused[c.object], c.says) {
			t.Errorf("%s: libbpf says %q, not %q", c.object, refused[c.object], c.says)
		}
		o := loadFile(t, filepath.Join("testdata", c.object))
		var names []string
		diags := strings.Join(append(o.Diags, o.Refused...), "\n")
		for _, p := range o.Programs {
			names = append(names, p.Name)
			diags += strings.Join(p.Diags, "\n")
		}
		if got := strings.Join(names, " "); got != c.programs {
			t.Errorf("%s: programs %q, want %q", c.object, got, c.programs)
		}
		var errs string
		for _, f := range o.Failed {
			errs += f.Error() + "\n"
		}
		if !strings.Contains(errs, c.failed) || (c.failed == "") != (errs == "") {
			t.Errorf("%s: failed %q, want %q", c.object, errs, c.failed)
		}
		if !strings.Contains(diags, c.diag) || (c.diag == "") != (diags == "") {
			t.Errorf("%s: diagnostics %q, want %q", c.object, diags, c.diag)
		}
	}
}

// TestBigEndian checks that objects of both byte orders give the same programs:
// the compiler makes the same instructions of these sources.
func TestBigEndian(t *testing.T) {
	for _, name := range []string{"order", "data", "kernel"} {
		le := loadFile(t, "testdata/"+name+".o")
		be := loadFile(t, "testdata/"+name+".be.o")
		if be.ByteOrder != binary.BigEndian || le.ByteOrder != binary.LittleEndian {
			t.Errorf("%s: byte orders %v and %v", name, le.ByteOrder, be.ByteOrder)
		}
		for _, p := range be.Programs {
			if len(p.Diags) == 0 || p.Diags[0] != OtherOrder {
				t.Fatalf("%s: %s: diagnostics %q", name, p.Name, p.Diags)
			}
			if p.Diags = p.Diags[1:]; len(p.Diags) == 0 {
				p.Diags = nil
			}
			if !p.BigEndian {
				t.Errorf("%s: %s: not big-endian", name, p.Name)
			}
			p.BigEndian = false
		}
		for _, o := range []*Object{le, be} {
			for _, p := range o.Programs {
				for i := range p.Maps {
					p.Maps[i].Value = nil // in the file's byte order
				}
			}
		}
		if d := cmp.Diff(le.Programs, be.Programs); d != "" {
			t.Errorf("%s: little-endian against big-endian:\n%s", name, d)
		}
		if d := cmp.Diff(le.Diags, be.Diags); d != "" {
			t.Errorf("%s: diagnostics:\n%s", name, d)
		}
	}
}
