package record_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
)

// TestEveryFile reads every record file there is, whatever its kind, and makes
// the program of every job.
func TestEveryFile(t *testing.T) {
	for _, path := range testenv.Glob(t, "records/*.json*") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			r, err := record.Open(path, record.Options{SkipLogs: true})
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			switch r.Kind() {
			case record.FileVectors:
				v, err := r.Vectors()
				if err != nil || len(v.Vectors) == 0 || len(v.Kernels) == 0 {
					t.Errorf("%d vectors, %v", len(v.Vectors), err)
				}
			case record.FilePrograms:
				p, err := r.Programs()
				if err != nil || len(p.Programs) == 0 {
					t.Errorf("%d programs, %v", len(p.Programs), err)
				}
			default:
				readAll(t, r)
			}
		})
	}
}

func readAll(t *testing.T, r *record.Reader) {
	envs, jobs := 0, 0
	for rec, err := range r.Records() {
		if err != nil {
			t.Fatal(err)
		}
		if rec.Kind == record.KindEnv {
			envs++
			continue
		}
		jobs++
		checkRecord(t, rec)
	}
	if envs == 0 || jobs == 0 {
		t.Errorf("%d machines, %d jobs", envs, jobs)
	}
}

func checkRecord(t *testing.T, rec *record.Record) {
	p, err := rec.Job.Program()
	switch {
	case errors.Is(err, record.ErrNoProgram) && len(rec.Job.Insns) == 0:
		return
	case err != nil:
		t.Errorf("%s: %v", rec.Job.Name, err)
		return
	}
	if p.Name != rec.Job.Name || int(p.Len()) != len(rec.Job.Insns) {
		t.Errorf("%s: program %q has %d slots", rec.Job.Name, p.Name, p.Len())
	}
	if rec.Result != nil && rec.Result.Prog != nil {
		prog := rec.Result.Prog
		if len(prog.Funcs) > 0 && len(p.Subprogs) < len(prog.Funcs) {
			t.Errorf("%s: %d subprograms, the kernel has %d", p.Name, len(p.Subprogs), len(prog.Funcs))
		}
		if len(p.Diags) > 0 {
			t.Errorf("%s: accepted by a kernel but odd: %q", p.Name, p.Diags)
		}
		checkTables(t, p, rec.Result.Maps)
	}
	for i := 1; i < len(p.Refs); i++ {
		if p.Refs[i-1].PC >= p.Refs[i].PC {
			t.Errorf("%s: references are not in order", p.Name)
		}
	}
}

// checkTables compares the elements of jump tables with what the kernel read
// back.
func checkTables(t *testing.T, p *bytecode.Program, maps []record.MapResult) {
	for _, tab := range p.Tables {
		for _, m := range maps {
			if m.Name != tab.Name || m.Insns == nil {
				continue
			}
			var want []bytecode.PC
			for _, e := range m.Insns {
				want = append(want, bytecode.PC(e.Orig))
			}
			if !slices.Equal(tab.Targets, want) {
				t.Errorf("%s: table %s is %v, the kernel has %v", p.Name, tab.Name, tab.Targets, want)
			}
		}
	}
}

const (
	env  = `{"kind":"env","index":0,"env":{"release":"7.3.4"}}` + "\n"
	exit = `"9500000000000000"`
)

func job(fields string) string {
	return `{"kind":"result","index":0,"job":{"name":"a","prog_type":"xdp",` + fields + `}}` + "\n"
}

// TestProgram reads one job that uses each part of the form.
func TestProgram(t *testing.T) {
	text := env + job(`"prog_flags":16,"insns":[
		"1801000000000000","0000000000000000",
		"1802000000000000","0000000000000000",
		"1803000000000000","0000000000000000",
		"1864000000000000","0000000000000000",
		"8510000004000000","8500000005000000","8500000000000000",`+exit+`,"b700000000000000",`+exit+`],
		"maps":[
		{"name":"idle","type":"hash","key_size":4,"value_size":4,"max_entries":1},
		{"name":"jt","type":"insn_array","targets":[11,12],"ops":[{"op":"update","key":"01000000",
		 "value":"09000000000000000000000000000000"},{"op":"update","key":"00000000",
		 "value":"09000000010000000000000000000000"}]},
		{"name":"ro","type":"2","key_size":4,"value_size":4,"max_entries":1,"flags":128,"freeze":true,
		 "ops":[{"op":"update","key":"00000000","value":"01020304"},{"op":"freeze"},
		 {"op":"update","key":"00000000","value":"ffffffff"}]},
		{"name":"bound","type":"insn_array","targets":[5],"freeze":false}],
		"fd_array":["bound"],
		"relocs":[{"insn":4,"kind":"map_fd","name":"ro"},{"insn":0,"kind":"map_value","name":"jt","off":8},
		{"insn":2,"kind":"map_value","name":"ro","off":2},{"insn":10,"kind":"kfunc","name":"bpf_x"}]`)
	f, err := record.Read(strings.NewReader(strings.ReplaceAll(strings.ReplaceAll(text, "\n\t", ""), "\t", "")))
	if err != nil {
		t.Fatal(err)
	}
	p, err := f.Records[0].Job.Program()
	if err != nil {
		t.Fatal(err)
	}
	want := []bytecode.Ref{
		{PC: 0, Kind: bytecode.RefTable, Index: 0, Off: 8, Name: "jt"},
		{PC: 2, Kind: bytecode.RefMapValue, Index: 0, Off: 2, Name: "ro"},
		{PC: 4, Kind: bytecode.RefMap, Index: 0, Name: "ro"},
		{PC: 6, Kind: bytecode.RefTable, Index: 1, Name: "bound"},
		{PC: 10, Kind: bytecode.RefKfunc, Name: "bpf_x"},
	}
	if !slices.Equal(p.Refs, want) {
		t.Errorf("references\n%v, want\n%v", p.Refs, want)
	}
	if len(p.Tables) != 2 || !slices.Equal(p.Tables[0].Targets, []bytecode.PC{11, 9}) || p.Tables[0].Unfrozen ||
		!p.Tables[1].FDArray || !p.Tables[1].Unfrozen {
		t.Errorf("tables %+v", p.Tables)
	}
	if len(p.Maps) != 1 || !p.Maps[0].ReadOnly || !bytes.Equal(p.Maps[0].Value, []byte{1, 2, 3, 4}) {
		t.Errorf("maps %+v", p.Maps)
	}
	if len(p.Subprogs) != 2 || p.Subprogs[1].Start != 13 || p.Type != "xdp" || p.Flags != 16 {
		t.Errorf("program %+v", p)
	}
}

// TestBadInput wants one clear error, with the line where there is one.
func TestBadInput(t *testing.T) {
	for text, want := range map[string]string{
		"":                                   "does not begin with a JSON object",
		"[]":                                 "does not begin with a JSON object",
		`{"schema":1}`:                       "no known key",
		`{"schema":`:                         "no known key",
		"\x1f\x8b":                           "gzip",
		env + "{":                            "line 2: unexpected end of JSON input",
		env + `{"kind":"result"}`:            "line 2: record without its job",
		env + `{"kind":"other"}`:             `line 2: unknown kind of record "other"`,
		env + "\n\n" + job(`"insns":["xx"]`): "line 4: byte string",
		env + strings.Repeat(" ", 200_000):   "line 2: longer than 100000 bytes",
		`{"kernels":{}, "vectors": [1]}`:     "vectors: json",
		`{"programs":[{"ksym":"nothing"}]}`:  "not a hexadecimal number",
		`{"kind":"env"}`:                     "env record without its machine",
		`{"programs":[` + strings.Repeat(" ", 300_000): "longer than 200000 bytes",
	} {
		err := readText(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
	}
}

func readText(text string) error {
	r, err := record.NewReader(strings.NewReader(text), record.Options{MaxLine: 100_000, MaxFile: 200_000})
	if err != nil {
		return err
	}
	switch r.Kind() {
	case record.FileVectors:
		_, err = r.Vectors()
		return err
	case record.FilePrograms:
		_, err = r.Programs()
		return err
	}
	for _, err := range r.Records() {
		if err != nil {
			return err
		}
	}
	return nil
}

// TestBadJob wants an error from Program, not from the reader.
func TestBadJob(t *testing.T) {
	for fields, want := range map[string]string{
		`"insns":[]`:         "no program",
		`"insns":["950000"]`: "insn 0 has 3 bytes",
		`"insns":[` + exit + `],"relocs":[{"insn":1,"kind":"kfunc"}]`:                "slot 1, which is no instruction",
		`"insns":[` + exit + `],"relocs":[{"insn":-1,"kind":"kfunc"}]`:               "slot -1, which is no instruction",
		`"insns":[` + exit + `],"relocs":[{"insn":0,"kind":"map_fd","name":"m"}]`:    `no map "m"`,
		`"insns":[` + exit + `],"relocs":[{"insn":0,"kind":"wrong"}]`:                `unknown relocation kind "wrong"`,
		`"insns":[` + exit + `],"fd_array":["m"]`:                                    `no map "m"`,
		`"insns":[` + exit + `],"relocs":[{"insn":0,"kind":"map_value","name":"m"}]`: "last slot",
		`"insns":[` + exit + `],"fd_array":["m"],"maps":[{"name":"m","type":"x"}]`:   `unknown map type "x"`,
		`"insns":[` + exit + `],"fd_array":["m"],
		 "maps":[{"name":"m","type":"insn_array","max_entries":4000000000}]`: "more than any program",
		`"insns":[` + exit + `],"relocs":[{"insn":0,"kind":"kfunc"},{"insn":0,"kind":"kfunc"}]`: "relocated twice",
	} {
		f, err := record.Read(strings.NewReader(env + strings.ReplaceAll(job(fields), "\n\t", "")))
		if err != nil {
			t.Errorf("%s: %v", fields, err)
			continue
		}
		_, err = f.Records[0].Job.Program()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", fields, err, want)
		}
	}
}

// TestSkipLogs wants the same record without the log, and the log of the
// expectation kept.
func TestSkipLogs(t *testing.T) {
	logs := []string{"one line\n", `a "quote" and \`, `\"`, `\\"`, `{"load":{"log":"x"}}`, `"`, ""}
	for _, log := range logs {
		quoted, err := json.Marshal(log)
		if err != nil {
			t.Fatal(err)
		}
		text := `{"kind":"result","job":{"name":"n","insns":[],"expect":{"log":"kept \" so"}},` +
			`"result":{"load":{"ok":true,"log":` + string(quoted) + `,"error":"e"},"micros":7}}` + "\n"
		whole := one(t, text, record.Options{})
		cut := one(t, text, record.Options{SkipLogs: true})
		if cut.Job.Expect.Log != `kept " so` || cut.Result.Load.Log != "" || cut.Result.Load.Error != "e" ||
			cut.Result.Micros != 7 || !cut.Result.Load.OK {
			t.Errorf("%s: cut to %+v", log, cut.Result.Load)
		}
		if whole.Result.Load.Log != log {
			t.Errorf("%q: read as %q", log, whole.Result.Load.Log)
		}
	}
}

func one(t *testing.T, text string, o record.Options) *record.Record {
	t.Helper()
	r, err := record.NewReader(strings.NewReader(text), o)
	if err != nil {
		t.Fatal(err)
	}
	rec, err := r.Next()
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if _, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("behind the last record: %v", err)
	}
	return rec
}

// FuzzReader wants no panic from any input, compressed or not, and that a
// program is either whole or absent.
func FuzzReader(f *testing.F) {
	f.Add([]byte(env + job(`"insns":[`+exit+`],"fd_array":["m"],"maps":[{"name":"m","type":"34","targets":[1]}]`)))
	f.Add([]byte(`{"kernels":{"a":{}},"vectors":[{"name":"b"}]}`))
	f.Add([]byte(`{"programs":[{"name":"b","ksym":"ff"}]}`))
	f.Add([]byte(env + job(`"insns":["1840000000000000"],"btf":{"data":"9feb","func_info":[[0,1]]}`)))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, o := range []record.Options{{}, {SkipLogs: true}} {
			r, err := record.NewReader(bytes.NewReader(data), o)
			if err != nil {
				return
			}
			for rec, err := range r.Records() {
				if err != nil || rec.Job == nil {
					break
				}
				if p, err := rec.Job.Program(); (p == nil) == (err == nil) {
					t.Fatalf("program %v, error %v", p, err)
				}
			}
		}
		var z bytes.Buffer
		w := gzip.NewWriter(&z)
		w.Write(data)
		w.Close()
		_, _ = record.Read(&z)
	})
}
