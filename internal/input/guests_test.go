package input_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/ask"
	"github.com/bpfcfg/bpfcfg/internal/input"
	"github.com/bpfcfg/bpfcfg/internal/record"
)

// answering is a machine that answers each item with a record of its name.
func answering(starts *[][]string) input.Start {
	return func(_ ask.Machine, work ask.Work, emit func(*record.Record) error) error {
		var asked []string
		if err := emit(&record.Record{Kind: record.KindEnv, Env: &record.Env{Release: "7.3.4"}}); err != nil {
			return err
		}
		for i, it := range work.Items {
			asked = append(asked, it.Program)
			r := &record.Record{Kind: record.KindResult, Index: i, Job: &record.Job{Name: it.Name}, Result: &record.Result{}}
			if err := emit(r); err != nil {
				return err
			}
		}
		*starts = append(*starts, asked)
		return nil
	}
}

// TestGuests asks one machine about two objects whose programs have the same names: it starts
// once, and each object gets its own answers.
func TestGuests(t *testing.T) {
	dir := t.TempDir()
	a := put(t, dir, "a.o", read(t, twoPrograms))
	b := put(t, dir, "b.o", read(t, twoPrograms))
	bad := put(t, dir, "bad.o", []byte("damaged"))
	var starts [][]string
	m := ask.Machine{UML: "linux"}
	g := input.NewGuests(input.Opener{}, answering(&starts))
	for _, file := range []string{a, bad, b, a} {
		g.Want(m, file)
	}
	for _, file := range []string{a, b, a} {
		ans, err := g.Ask(m, file)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		recs, env, err := ans.ByProgram()
		if err != nil || env.Release != "7.3.4" || len(recs) != 2 || recs["one"] == nil || recs["last"] == nil {
			t.Errorf("%s: %v, machine %v, %v", file, recs, env, err)
		}
	}
	if _, err := g.Ask(m, bad); err == nil {
		t.Error("a damaged object has answers")
	}
	if len(starts) != 1 || !slices.Equal(starts[0], []string{"one", "last", "one", "last"}) {
		t.Errorf("starts: %q", starts)
	}
}

// TestGuestsFail has a machine that does not start: every object has its error, and none
// starts it again.
func TestGuestsFail(t *testing.T) {
	starts, broken := 0, errors.New("no such kernel")
	g := input.NewGuests(input.Opener{}, func(ask.Machine, ask.Work, func(*record.Record) error) error {
		starts++
		return broken
	})
	for range 2 {
		if _, err := g.Ask(ask.Machine{VM: "k"}, twoPrograms); !errors.Is(err, broken) {
			t.Errorf("error %v", err)
		}
	}
	if starts != 1 {
		t.Errorf("started %d times", starts)
	}
}
