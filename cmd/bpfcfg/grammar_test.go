package main

import (
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// A command line means the same whether all verbs are described or one.
func TestOneVerb(t *testing.T) {
	std := streams{out: io.Discard, err: io.Discard}
	whole := grammar(&cli{}, std)
	for _, n := range whole.Model.Children {
		_, ok := only(&cli{}, []string{n.Name})
		if want := !slices.Contains([]string{"completion", "man"}, n.Name); ok != want {
			t.Errorf("%s: described alone: %v, want %v", n.Name, ok, want)
		}
	}
	for _, line := range []string{
		"list a.o --timeout 3s", "render a.o#f -o x.svg --fold 7", "check a.o --fail-on note --btf x --root /tmp",
		"golden check a.o --dir d", "show a.o --stage succ --all", "version", "pr old new", "list", "list --nosuch a.o",
		"golden", "render a.o --format gif", "lst a.o", "--timeout 2s list a.o",
	} {
		args := strings.Fields(line)
		var one, all cli
		k, err := parse(&one, args, std)
		w, want := grammar(&all, std).Parse(args)
		if (err == nil) != (want == nil) || err != nil && err.Error() != want.Error() {
			t.Errorf("%s: error %v, want %v", line, err, want)
			continue
		}
		if err != nil {
			continue
		}
		if got, want := k.Selected().Target.Interface(), w.Selected().Target.Interface(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", line, got, want)
		}
		if one.Timeout != all.Timeout || one.Color != all.Color || one.Root != all.Root ||
			!slices.Equal(one.Target.BTF, all.Target.BTF) {
			t.Errorf("%s: flags of all verbs differ: %+v, want %+v", line, one, all)
		}
	}
	var c cli
	if _, err := parse(&c, []string{"list", "a.o", "--timeout", "3s"}, std); err != nil || c.Timeout != 3*time.Second {
		t.Errorf("--timeout 3s is %v, %v", c.Timeout, err)
	}
}
