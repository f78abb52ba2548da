package native_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"strconv"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/testing/interp"
	"github.com/bpfcfg/bpfcfg/internal/testing/native"
	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
)

// programsEnv is how many programs TestRandom makes; docs/testing.md.
const programsEnv = "BPFCFG_RANDOM_PROGRAMS"

// seedEnv is the seed of the first of them.
const seedEnv = "BPFCFG_RANDOM_SEED"

// number reads a number from the environment.
func number(t *testing.T, name string, def int) int {
	t.Helper()
	s := os.Getenv(name)
	if s == "" {
		return def
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// variant is a way to compile a program.
type variant struct {
	profile string
	blind   bool
}

var variants = []variant{
	{"linux-7.3+plain", false},
	{"linux-7.3+plain-ibt-sls-bmi2", false},
	{"linux-6.19+plain", false},
	{"linux-7.3+plain", true},
	{"linux-6.18+plain+ret", false}, // has no gotox: programs with tables are refused
}

// TestRandom runs random programs in the interpreter and as machine code on the
// same inputs: result, context and maps must be the same.
func TestRandom(t *testing.T) {
	if !inChild(t) {
		return
	}
	n, first := number(t, programsEnv, 350), number(t, seedEnv, 0)
	c := comparer{left: map[string]int{}}
	for i := range n {
		seed := uint64(first + i)
		p := progen.RandomLoadable(seed, 10+i%90)
		if i%7 == 0 {
			p = progen.Stack(seed, false)
		}
		v := variants[i%len(variants)]
		begin(t, "seed %d, size %d, %+v", seed, 10+i%90, v)
		c.program(t, p, seed, v)
		if t.Failed() {
			t.Fatalf("seed %d, size %d, %+v", seed, 10+i%90, v)
		}
	}
	t.Logf("%d programs of %d, %d runs, %d instructions interpreted, %d bytes of code; not compared: %v",
		c.programs, n, c.runs, c.steps, c.bytes, c.left)
	// The rest is refused when it is compiled, or has a place that is not predicted, as most loops of
	// may_goto have: in another round a kernel may have forgotten what it knew.
	if c.programs < n/5 {
		t.Errorf("only %d of %d programs were compared", c.programs, n)
	}
}

// digits are left out where reasons are counted.
var digits = regexp.MustCompile(`[0-9]+`)

// comparer counts what was compared.
type comparer struct {
	programs, runs, steps, bytes int
	left                         map[string]int
}

// program compares the two on one program.
func (c *comparer) program(t *testing.T, p *bytecode.Program, seed uint64, v variant) {
	t.Helper()
	prof := profile(t, v.profile)
	if skipBMI2(t, prof) {
		return
	}
	if len(p.Tables) > 0 && !prof.Gotox {
		prof = profile(t, variants[0].profile)
	}
	rnd := rand.New(rand.NewPCG(seed, 99))
	opt := rewrite.Options{Blind: v.blind, Random: rnd.Uint32}
	const rounds = 30 // of may_goto: the kernel's 65535 take long in the interpreter
	code, why := placeWith(t, p, prof, opt, rounds)
	if why != "" {
		c.left[digits.ReplaceAllString(why, "N")]++
		return
	}
	defer code.Close()
	vm, err := interp.New(p, interp.Config{Helpers: stubHelpers(), MayGoto: rounds, Steps: 1_000_000})
	if err != nil {
		t.Fatal(err)
	}
	c.programs++
	c.bytes += len(code.Image().Code)
	for range 6 {
		ctx := randomContext(rnd)
		mine := bytes.Clone(ctx)
		want, err := vm.Run(interp.Input{Ctx: mine})
		c.steps += vm.Steps()
		if errors.Is(err, interp.ErrSteps) {
			c.left["too many steps"]++
			return // maps differ from now on
		}
		if err != nil {
			t.Fatalf("the interpreter cannot run it: %v", err)
		}
		before := bytes.Clone(ctx)
		got, err := code.Run(ctx)
		if err != nil {
			t.Fatal(err)
		}
		c.runs++
		if why := differ(p, vm, code, got, want, ctx, mine); why != "" {
			t.Errorf("context %x: %s", before, why)
			return
		}
	}
}

// differ compares the outcomes of the machine code and of the interpreter.
func differ(p *bytecode.Program, vm *interp.VM, code *native.Code, got, want uint64, ctx, wantCtx []byte) string {
	switch {
	case got != want:
		return fmt.Sprintf("code returned %#x, want %#x", got, want)
	case !bytes.Equal(ctx, wantCtx):
		return fmt.Sprintf("code left the context %x, want %x", ctx, wantCtx)
	}
	for i := range p.Maps {
		for j := range int(p.Maps[i].MaxEntries) {
			a, b := code.Element(i, j), vm.Map(p.Maps[i].Name).Value(uint32(j))
			if !bytes.Equal(a, b) {
				return fmt.Sprintf("code left %s[%d] %x, want %x", p.Maps[i].Name, j, a, b)
			}
		}
	}
	return ""
}

// stubHelpers returns helpers that do what package native's stubs do.
func stubHelpers() map[int32]interp.Helper {
	h := interp.CommonHelpers()
	h[7] = func(*interp.VM, [5]uint64) (uint64, error) { return native.RandomNumber, nil }
	h[118] = func(*interp.VM, [5]uint64) (uint64, error) { return native.Jiffies, nil }
	h[4] = func(vm *interp.VM, a [5]uint64) (uint64, error) {
		b, err := vm.Bytes(a[0], int(uint32(a[1])), true)
		for i := range b {
			b[i] = native.ProbeByte
		}
		return 0, err
	}
	return h
}

// randomContext returns 64 bytes: words that are small, large, or anything.
func randomContext(rnd *rand.Rand) []byte {
	ctx := make([]byte, 64)
	for i := 0; i < len(ctx); i += 8 {
		v := rnd.Uint64() >> rnd.IntN(64)
		if rnd.IntN(4) == 0 {
			v = -v
		}
		for j := range 8 {
			ctx[i+j] = byte(v >> (8 * j))
		}
	}
	return ctx
}
