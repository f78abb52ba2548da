package live

import (
	"strings"
	"testing"
)

// FuzzSelector reads what stands after live: on the command line.
func FuzzSelector(f *testing.F) {
	for _, s := range []string{"17", "name=x", "pin=/sys/fs/bpf/x", "", "=", "name=", "-1", "99999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		sel, err := ParseSelector(s)
		if err != nil {
			if sel != (Selector{}) || len(err.Error()) > 200+4*len(s) {
				t.Fatalf("%+v and %v", sel, err)
			}
			return
		}
		if sel == (Selector{}) && strings.Trim(s, "0") != "" {
			t.Fatalf("%q selects nothing", s)
		}
	})
}
