package explain

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
)

// FuzzPlace reads places: what is read is written and read again as the same, and
// what is not is an error of one line that says it is about the place.
func FuzzPlace(f *testing.F) {
	for _, s := range []string{"gotox@8", "block@b3", "insn@2147483647", "callx@-1", "block@bb1", "@", "insn@+1\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePlace(s)
		if err != nil {
			if !errors.Is(err, ErrPlace) || strings.Contains(err.Error(), "\n") || len(err.Error()) > 600 {
				t.Errorf("%q: %v", s, err)
			}
			return
		}
		if again, err := ParsePlace(p.String()); err != nil || again != p || p.Number < 0 {
			t.Errorf("%q is %v, which is %v: %v", s, p, again, err)
		}
	})
}

// FuzzAnswers asks for what there is to explain in a random program, and for one
// more place, which may not exist: an answer holds what check states, is the same
// from an explainer that was asked other things before, and can be written.
func FuzzAnswers(f *testing.F) {
	prof, err := jit.LookupProfile(jit.DefaultProfile)
	if err != nil {
		f.Fatal(err)
	}
	for i, kind := range []string{"gotox", "callx", "block", "insn"} {
		f.Add(uint64(i), uint8(12*i), kind, int32(5*i))
	}
	f.Fuzz(func(t *testing.T, seed uint64, size uint8, kind string, number int32) {
		a, err := pipeline.Run(progen.Random(seed, 1+int(size)%40), prof, rewrite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		x := New(a)
		for _, at := range append(x.Places(), Place{Kind: kind, Number: int(number)}) {
			ans, err := x.At(at)
			if err != nil {
				if !errors.Is(err, ErrPlace) || ans != nil || at.Kind != kind {
					t.Errorf("%v: %v", at, err)
				}
				continue
			}
			check(t, a, ans)
			if alone, err := New(a).At(at); err != nil || !reflect.DeepEqual(alone, ans) {
				t.Errorf("%v: asked alone, the answer differs: %v", at, err)
			}
			var b bytes.Buffer
			if err := ans.Write(&b); err != nil || !strings.HasPrefix(b.String(), at.String()+"  in b") {
				t.Errorf("%v: %v %q", at, err, b.String())
			}
			if _, err := json.Marshal(ans); err != nil {
				t.Errorf("%v: %v", at, err)
			}
		}
	})
}
