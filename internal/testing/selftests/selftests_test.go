package selftests_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/succ/rules"
)

// variable names the directory of the objects.
const variable = "BPFCFG_SELFTESTS"

// outcome is what is said of a program beside what is expected.
type outcome string

const (
	accepted    outcome = "accepted"
	refused     outcome = "refused"
	notAnalysed outcome = "not analysed"
	sameWords   outcome = "refused with the words"
	otherWords  outcome = "refused with other words"
	passedFlow  outcome = "passed, though for control flow"
	passed      outcome = "passed, for another reason"
)

// bounds are how many programs may differ from what is expected.
func bounds() map[string]map[outcome]int {
	return map[string]map[outcome]int{
		"success": {refused: 0, notAnalysed: 0},
		"failure": {notAnalysed: 0, passedFlow: 5, otherWords: 10},
	}
}

// TestSelftests makes the table.
func TestSelftests(t *testing.T) {
	dir := os.Getenv(variable)
	if dir == "" {
		t.Skipf("no objects of the kernel's tests: %s names their directory", variable)
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*.o"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no objects in %s: %v", dir, err)
	}
	counts := map[string]map[outcome]int{"success": {}, "failure": {}}
	for _, path := range paths {
		list, err := expectations(path)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) > 0 {
			object(t, path, list, counts)
		}
	}
	bounded := bounds()
	for _, side := range []string{"success", "failure"} {
		for _, o := range slices.Sorted(maps.Keys(counts[side])) {
			t.Logf("%s: %s: %d", side, o, counts[side][o])
		}
		for o, most := range bounded[side] {
			if n := counts[side][o]; n > most {
				t.Errorf("%s expected: %d programs %s, at most %d may be", side, n, o, most)
			}
		}
	}
}

// object judges the programs of an object.
func object(t *testing.T, path string, list []expectation, counts map[string]map[outcome]int) {
	t.Helper()
	programs, failed := read(path)
	for _, e := range list {
		o, said, err := judge(e, programs[e.program], failed)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		side := "success"
		if e.refused {
			side = "failure"
		}
		counts[side][o]++
		switch o {
		case refused, notAnalysed, otherWords, passedFlow:
			t.Logf("%s#%s: %s: %q, expected %q", filepath.Base(path), e.program, o, said, e.messages)
		}
	}
}

// read returns the programs of an object by name, or why there are none.
func read(path string) (map[string]*bytecode.Program, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	o, err := load.ELF(path, data)
	if err != nil {
		return nil, err
	}
	programs := map[string]*bytecode.Program{}
	for _, p := range o.Programs {
		programs[p.Name] = p
	}
	for _, f := range o.Failed {
		err = f.Err
	}
	return programs, err
}

// lastLines holds what Linux 7.3.4 says last of programs for which another line of its
// log is expected.
func lastLines() map[string]string {
	const scalar = "R6 invalid mem access 'scalar'"
	return map[string]string{
		"check_assert_eq_int_max": scalar, "check_assert_eq_int_min": scalar, "check_assert_eq_zero": scalar,
		"check_assert_eq_llong_max": scalar, "check_assert_eq_llong_min": scalar,
		"st_imm_join_with_multi_off": "R0 invalid mem access 'scalar'",

		"check_assert_range_s64": "value -2147483646 makes ctx pointer be out of bounds",
		"invalid_dw_ldsx":        "last insn is not an exit or jmp",
	}
}

// judge compares what the rules say of a program with what is expected.
func judge(e expectation, p *bytecode.Program, failed error) (o outcome, said string, err error) {
	if p == nil {
		return notAnalysed, fmt.Sprint(failed), nil
	}
	v, err := rules.Linux73().Judge(p)
	if err != nil {
		return notAnalysed, err.Error(), nil //nolint:nilerr // it is what is said
	}
	switch {
	case !e.refused && v.Accept:
		return accepted, "", nil
	case !e.refused:
		return refused, v.Message, nil
	case v.Accept && e.flow:
		return passedFlow, "", nil
	case v.Accept:
		return passed, "", nil
	}
	same, err := matches(e.messages, v.Text())
	if same || v.Message == lastLines()[e.program] || len(e.messages) == 0 {
		return sameWords, v.Text(), err
	}
	return otherWords, v.Text(), err
}
