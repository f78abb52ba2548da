package replay_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/internal/replay"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/bpfcfg/bpfcfg/jit"
)

// mismatches lists recorded programs whose code is known to come out
// differently, as "file name of program", with the kind of the cause and the
// reason. An entry whose program matches fails the test.
var mismatches = map[string]string{}

// TestOddities replays programs whose records are easily misread: one of more than a
// hundred slots, which Linux 7.3 lists in the log before it walks along it, and one
// that loses its only other function to a loop of no rounds.
func TestOddities(t *testing.T) {
	for _, file := range []string{"7.3.4.jsonl.gz", "6.19.14.jsonl.gz"} {
		n := 0
		for res, err := range replay.File(filepath.Join("testdata", file), replay.Options{}) {
			if err != nil {
				t.Fatal(err)
			}
			n++
			if res.Match != replay.Same {
				t.Errorf("%s: %s: %s", file, res.Name, res.Reason)
			}
		}
		if n != 2 {
			t.Errorf("%s: %d programs, want 2", file, n)
		}
	}
}

// TestRecords replays every file there is. Each program that a kernel compiled
// must come out byte for byte, with the same places of instructions and jump
// table elements.
func TestRecords(t *testing.T) {
	unseen := maps.Clone(mismatches)
	for _, path := range testenv.Glob(t, "records/*.json*") {
		file := filepath.Base(path)
		t.Run(file, func(t *testing.T) {
			total := 0
			for res, err := range replay.File(path, replay.Options{}) {
				if err != nil {
					t.Fatal(err)
				}
				total++
				key := file + " " + res.Name
				want, listed := mismatches[key]
				switch {
				case res.Match == replay.Differs && !listed:
					t.Errorf("%s (%s): %s", res.Name, res.Profile, res.Reason)
				case res.Match == replay.Differs:
					delete(unseen, key)
				case listed:
					t.Errorf("%s is listed as different (%s), but it is %s", res.Name, want, res.Match)
				}
				if res.Match == replay.Same && (len(res.Code) != res.Bytes || len(res.Offsets) != res.Insns) {
					t.Errorf("%s: %d bytes, %d offsets", res.Name, len(res.Code), len(res.Offsets))
				}
				if (res.Reason == "") != (res.Match == replay.Same) {
					t.Errorf("%s is %s for the reason %q", res.Name, res.Match, res.Reason)
				}
			}
			if total == 0 {
				t.Error("no results")
			}
		})
	}
	for key := range unseen {
		t.Errorf("%s is listed as different, but no file has it", key)
	}
}

// TestUnknown wants a comparison wherever a record holds code, but for the one
// case in which the program that was compiled is not shown.
func TestUnknown(t *testing.T) {
	for _, path := range testenv.Glob(t, "records/suite.*.jsonl*") {
		r, err := record.Open(path, record.Options{SkipLogs: true})
		if err != nil {
			t.Fatal(err)
		}
		next, stop := iterPull(replay.File(path, replay.Options{}))
		for rec, err := range r.Records() {
			if err != nil {
				t.Fatal(err)
			}
			if rec.Kind == record.KindEnv {
				continue
			}
			res, ok := next()
			if !ok || res.Name != rec.Job.Name {
				t.Fatalf("%s: no result for %s", path, rec.Job.Name)
			}
			code := rec.Result != nil && rec.Result.Prog != nil && len(rec.Result.Prog.Jited) > 0
			blinded := strings.Contains(res.Reason, "blinded")
			if code != (res.Match != replay.Unknown) && (!code || !blinded) {
				t.Errorf("%s %s: has code: %t, but %s: %s", filepath.Base(path), res.Name, code, res.Match, res.Reason)
			}
			if blinded && len(rec.Result.Prog.Funcs) < 2 {
				t.Errorf("%s %s: one function, and %s", filepath.Base(path), res.Name, res.Reason)
			}
		}
		stop()
		r.Close()
	}
}

// iterPull returns the results one by one.
func iterPull(seq func(func(*replay.Result, error) bool)) (next func() (*replay.Result, bool), stop func()) {
	var all []*replay.Result
	for res, err := range seq {
		if err != nil {
			return func() (*replay.Result, bool) { return nil, false }, func() {}
		}
		all = append(all, res)
	}
	i := 0
	return func() (*replay.Result, bool) {
		if i == len(all) {
			return nil, false
		}
		i++
		return all[i-1], true
	}, func() {}
}

const envLine = `{"kind":"env","env":{"release":"7.3.4","cpu_flags":["bmi2"],"vulnerabilities":{}}}` + "\n"

func jobLine(fields string) string {
	return `{"kind":"result","job":{"name":"a","prog_type":"xdp","insns":["b700000000000000","9500000000000000"]` +
		`},"result":{` + fields + `"micros":1}}` + "\n"
}

func results(t *testing.T, text string, o replay.Options) ([]*replay.Result, error) {
	t.Helper()
	r, err := record.NewReader(strings.NewReader(text), record.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var all []*replay.Result
	for res, err := range replay.Records(r, o) {
		if err != nil {
			return all, err
		}
		all = append(all, res)
	}
	return all, nil
}

// accepted is a program of two instructions, r0 = 0 and exit, with the code
// that Linux 7.3.4 makes of it without mitigations.
const accepted = `"load":{"ok":true},"prog":{"xlated":["b700000000000000","9500000000000000"],` +
	`"jited":"f30f1efa0f1f44000f1f00554889e5f30f1efa31c0c9c3cc",` +
	`"funcs":[{"addr":"0xffffffffc0000010","len":24,"off":0}]},`

// TestJSON wants the documented members and nothing else.
func TestJSON(t *testing.T) {
	good := strings.Replace(accepted, "0f1f44000f1f00", "0f1f4400000f1f00", 1)
	good = strings.Replace(good, `"len":24`, `"len":25`, 1)
	all, err := results(t, envLine+jobLine(good)+jobLine(`"load":{"ok":false,"errno":"EINVAL","error":"no <x>"},`)+
		jobLine(accepted), replay.Options{})
	if err != nil || len(all) != 3 {
		t.Fatalf("%d results, %v", len(all), err)
	}
	profile := `"kernel":"7.3.4","profile":"linux-7.3+plain"`
	want := []string{
		`{"name":"a",` + profile + `,"match":true,"code":"f30f1efa0f1f4400000f1f00554889e5f30f1efa31c0c9c3cc",` +
			`"offsets":[20,22],"reason":""}`,
		`{"name":"a",` + profile + `,"match":null,"code":"","offsets":[],` +
			`"reason":"the kernel refused the program: EINVAL: no <x>"}`,
	}
	for i, w := range want {
		got, err := all[i].MarshalJSON()
		if err != nil || string(got) != w {
			t.Errorf("%s, %v\nwant %s", got, err, w)
		}
	}
	var third struct{ Match *bool }
	b, _ := json.Marshal(all[2])
	if err := json.Unmarshal(b, &third); err != nil || third.Match == nil || *third.Match {
		t.Errorf("damaged code: %s", b)
	}
	if all[2].Diff == nil || all[2].Diff.Slot != -1 || all[2].Diff.Offset != 8 {
		t.Errorf("difference %+v, want byte 8 in the prologue", all[2].Diff)
	}
}

// TestNoProfile wants an answer for each program of a kernel that no profile
// is for.
func TestNoProfile(t *testing.T) {
	env := strings.Replace(envLine, "7.3.4", "3.18.0", 1)
	all, err := results(t, env+jobLine(accepted), replay.Options{})
	if err != nil || len(all) != 1 || all[0].Match != replay.Unknown || !strings.Contains(all[0].Reason, "3.18.0") {
		t.Errorf("%v, %v", all, err)
	}
	p, err := jit.LookupProfile("linux-7.3+plain")
	if err != nil {
		t.Fatal(err)
	}
	all, err = results(t, env+jobLine(accepted), replay.Options{Profile: &p})
	if err != nil || len(all) != 1 || all[0].Match != replay.Differs {
		t.Errorf("%v, %v", all, err)
	}
}

// TestBadFile wants an error with the line.
func TestBadFile(t *testing.T) {
	for text, want := range map[string]string{
		jobLine(accepted):                            "line 1: no env record before it",
		envLine + "{}\n":                             `line 2: unknown kind of record ""`,
		`{"kind":"env","env":{}}`:                    "line 1: env record without a kernel release",
		`{"vectors":[{"name":"v"}]}`:                 `does not describe kernel ""`,
		`{"programs":[{"name":"p"}]}`:                `"" is not a kernel version`,
		`{"programs":[{"name":"p","kernel":"1.0"}]}`: "invalid profile",
	} {
		if _, err := results(t, text, replay.Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %q", text, err, want)
		}
	}
	for _, err := range replay.File("no such file", replay.Options{}) {
		if err == nil {
			t.Error("a file that does not exist was read")
		}
	}
}

// TestContradiction wants records that cannot be true to be unknown, not
// different, and never a panic.
func TestContradiction(t *testing.T) {
	for _, change := range [][2]string{
		{`"len":24`, `"len":23`},
		{`"off":0`, `"off":1`},
		{`"addr":"0xff`, `"addr":"0xzz`},
		{`"9500000000000000"]`, `"9500"]`},
		{`"xlated":["b700000000000000","9500000000000000"]`, `"xlated":[]`},
	} {
		text := strings.Replace(accepted, change[0], change[1], 1)
		if text == accepted {
			t.Fatalf("%q does not occur", change[0])
		}
		all, err := results(t, envLine+jobLine(text), replay.Options{})
		if err != nil || len(all) != 1 || all[0].Match != replay.Unknown ||
			!strings.Contains(all[0].Reason, "is inconsistent") {
			t.Errorf("%s: %+v, %v", change[1], all, err)
		}
	}
}

// TestPredict wants refused programs compiled from their source when asked.
func TestPredict(t *testing.T) {
	o := replay.Options{Predict: func(p *bytecode.Program, prof jit.Profile) (*jit.Program, error) {
		if p.Name == "bad" {
			return nil, errors.New("not today")
		}
		return &jit.Program{Insns: p.Insns, Funcs: []jit.Func{{Start: 0, End: p.Len()}}}, nil
	}}
	refused := jobLine(`"load":{"ok":false,"errno":"EINVAL","error":"e"},`)
	all, err := results(t, envLine+refused+strings.Replace(refused, `"a"`, `"bad"`, 1), o)
	if err != nil || len(all) != 2 {
		t.Fatal(all, err)
	}
	if all[0].Match != replay.Unknown || len(all[0].Code) != 25 || !slices.Equal(all[0].Offsets, []int32{20, 22}) {
		t.Errorf("%+v", all[0])
	}
	if all[1].Code != nil || !strings.HasSuffix(all[1].Reason, "not predicted: not today") {
		t.Errorf("%+v", all[1])
	}
}

// ExampleFile shows what an image of Linux 7.3.4 looks like.
func ExampleFile() {
	path := filepath.Join("..", "..", "testdata", "records", "corpus-asm.7.3.4.off.jsonl.gz")
	for res, err := range replay.File(path, replay.Options{}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s %s: %d bytes, %s\n", res.Name, res.Profile, len(res.Code), res.Match)
	}
	// Output:
	// 10_single_target/one linux-7.3+plain+la57: 65 bytes, same
	// 10_single_target/last linux-7.3+plain+la57: 51 bytes, same
	// 27_asm_corners/arith linux-7.3+plain+la57: 57 bytes, same
	// 27_asm_corners/merge linux-7.3+plain+la57: 116 bytes, same
	// 27_asm_corners/spill linux-7.3+plain+la57: 93 bytes, same
	// 27_asm_corners/again linux-7.3+plain+la57: 126 bytes, same
	// 27_asm_corners/self linux-7.3+plain+la57: 134 bytes, same
}

// TestSameTwice wants the same output for the same file: no order of a map may
// reach it.
func TestSameTwice(t *testing.T) {
	var runs [2]string
	for i := range runs {
		var b strings.Builder
		for _, file := range []string{"records/jit-vectors.json.gz", "records/suite-good.7.3.4.stuff.jsonl.gz"} {
			for res, err := range replay.File(testenv.Path(t, file), replay.Options{}) {
				if err != nil {
					t.Fatal(err)
				}
				line, err := json.Marshal(res)
				if err != nil {
					t.Fatal(err)
				}
				fmt.Fprintf(&b, "%s %q\n", line, res.Recovered)
			}
		}
		runs[i] = b.String()
	}
	if runs[0] != runs[1] || runs[0] == "" {
		t.Error("two runs differ")
	}
}

func BenchmarkFile(b *testing.B) {
	path := testenv.Path(b, "records/suite.7.3.4.off.jsonl.gz")
	for b.Loop() {
		for _, err := range replay.File(path, replay.Options{}) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}
