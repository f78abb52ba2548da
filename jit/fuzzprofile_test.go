package jit_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit"
)

// someCode is a program with what profiles decide about: a jump, a helper, a tail
// call, an indirect jump and two exits.
func someCode() *jit.Program {
	return &jit.Program{
		Insns: []bytecode.Insn{
			{Code: 0xb7, Dst: 3, Imm: 1}, {Code: 0x55, Dst: 3, Off: 2}, {Code: 0x85, Imm: 4096}, {Code: bytecode.CodeExit},
			{Code: 0x27, Dst: 3, Imm: 7}, {Code: 0x0d, Dst: 3}, {Code: 0xb7}, {Code: bytecode.CodeExit},
		},
		Funcs:          []jit.Func{{Start: 0, End: 8}},
		IndirectTarget: []bool{6: true, 7: false},
	}
}

// FuzzProfileName reads names with options. A profile that is accepted can be
// written, read again, and compiled for.
func FuzzProfileName(f *testing.F) {
	for _, name := range []string{"linux-7.3", "linux-6.18+ibt-sls", "linux-7.3+retpoline+its-bmi2", "linux-", "+", ""} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		p, err := jit.LookupProfile(name)
		if err != nil {
			if !errors.Is(err, jit.ErrProfile) || len(err.Error()) > 1000+4*len(name) {
				t.Fatalf("%v", err)
			}
			return
		}
		if p.Name != name {
			t.Fatalf("%q is called %q", name, p.Name)
		}
		doc, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		again, err := jit.ParseProfile(doc)
		if err != nil || !reflect.DeepEqual(p, again) {
			t.Fatalf("%v: %+v became %+v", err, p, again)
		}
		if _, err := jit.Compile(someCode(), p); err != nil {
			t.Logf("%s: %v", name, err)
		}
	})
}

// FuzzProfileJSON reads documents. A profile that is accepted survives being
// written and read, and compiling for it gives an image or an error.
func FuzzProfileJSON(f *testing.F) {
	for _, name := range []string{"linux-7.3", "linux-6.18+ibt", "linux-7.3+retpoline"} {
		p, err := jit.LookupProfile(name)
		if err != nil {
			f.Fatal(err)
		}
		doc, err := json.Marshal(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(doc))
	}
	f.Add(`{"base":"linux-7.3","name":"x","off_ptrs":1073741824,"off_max_entries":-128}`)
	f.Add(strings.Repeat("[", 20_000))
	f.Fuzz(func(t *testing.T, doc string) {
		p, err := jit.ParseProfile([]byte(doc))
		if err != nil {
			if !errors.Is(err, jit.ErrProfile) {
				t.Fatal(err)
			}
			return
		}
		text, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		again, err := jit.ParseProfile(text)
		if err != nil || !reflect.DeepEqual(p, again) {
			t.Fatalf("%v: %s became %+v", err, text, again)
		}
		img, err := jit.Compile(someCode(), p)
		if (img == nil) == (err == nil) {
			t.Fatalf("%v and %v", img, err)
		}
	})
}
