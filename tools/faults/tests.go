package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// areas names what files of the analysis are about. Faults are drawn there twice
// as often as elsewhere.
var areas = map[string]string{
	"abstract/stack.go": "memory", "abstract/stackmem.go": "memory", "abstract/mem.go": "memory",
	"abstract/memory.go": "memory", "abstract/admit.go": "elsewhere",
	"abstract/call.go": "calls", "abstract/callx.go": "calls", "abstract/helper.go": "calls",
	"abstract/helpercall.go": "calls", "abstract/outer.go": "calls",
	"abstract/stackarg.go": "calls", "abstract/live.go": "calls",
	"abstract/state.go": "joins", "abstract/value.go": "joins", "abstract/widen.go": "joins",
	"abstract/engine.go": "joins",
}

// area returns what a file is about.
func area(file string) string {
	if a, ok := areas[file]; ok {
		return a
	}
	return "elsewhere"
}

// analysed are the folders of the analysis, and tested the packages whose tests run when one of
// their files has a fault, after the tests beside it: quick tests first.
var (
	analysed = []string{"abstract", "succ", "succ/rules", "jit/rewrite"}
	tested   = []string{"./internal/testing/asked", "./abstract", "./internal/testing/soundness", "./jit/rewrite",
		"./succ/rules", "./succ"}
)

// draw says which faults are drawn and whose tests run.
type draw struct {
	n       int
	seed    uint64
	numbers []int    // of the faults to try, none for all
	in      []string // folders and files
	by      []string // packages to test after the fault's own, none for the command
}

// counts reports whether a fault that survives is a hole: in the analysis, one where memory, calls
// and joins are modelled; elsewhere any.
func (d *draw) counts(f fault) bool {
	return area(f.file) != "elsewhere" || !slices.Equal(d.in, analysed)
}

// judges returns the packages whose tests run for a fault, its own first.
func (d *draw) judges(f fault) []string {
	own := "./" + filepath.ToSlash(filepath.Dir(f.file))
	others := d.by
	if len(others) == 0 {
		others = []string{"./cmd/bpfcfg"}
	}
	return append([]string{own}, slices.DeleteFunc(slices.Clone(others), func(p string) bool { return p == own })...)
}

// byTests draws faults and finds the package whose tests fail. Faults that do not compile are drawn
// again. It returns how many of those that count survive.
func byTests(out io.Writer, root string, d draw) (survivors int, err error) {
	root, err = filepath.Abs(root)
	if err != nil {
		return 0, err
	}
	all, err := sites(root, d.in...)
	if err != nil {
		return 0, err
	}
	more, err := moreSites(root, d.in...)
	if err != nil {
		return 0, err
	}
	dir, err := os.MkdirTemp("", "faults")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	var near, far []fault
	for _, f := range append(all, more...) {
		if area(f.file) == "elsewhere" || !slices.Equal(d.in, analysed) {
			far = append(far, f)
		} else {
			near = append(near, f)
		}
	}
	shuffle(near, d.seed)
	shuffle(far, d.seed)
	rnd := rand.New(rand.NewPCG(d.seed, 1))
	for i := 1; i <= d.n; {
		from := &near
		if rnd.IntN(3) == 0 || !slices.Equal(d.in, analysed) {
			from = &far
		}
		if len(*from) == 0 {
			break
		}
		f := (*from)[0]
		*from = (*from)[1:]
		overlay, err := f.overlay(root, dir)
		if err != nil || vet(root, overlay, f) != nil {
			continue
		}
		if len(d.numbers) == 0 || slices.Contains(d.numbers, i) {
			what := firstFailure(root, overlay, d.judges(f))
			if what == "" {
				what = "SURVIVES"
				if d.counts(f) {
					survivors++
				}
			}
			fmt.Fprintf(out, "%3d  %-9s  %s  %s\n", i, area(f.file), f, what)
		}
		i++
	}
	return survivors, nil
}

// shuffle orders faults by their text and the seed, so that the draw stays the same as long as the
// files do.
func shuffle(list []fault, seed uint64) {
	seen := map[string]int{}
	key := make(map[fault]uint64, len(list))
	for _, f := range list {
		text := fmt.Sprintf("%s\x00%s\x00%s\x00%s", f.file, f.fn, f.was, f.now)
		h := fnv.New64a()
		fmt.Fprintf(h, "%s\x00%d\x00%d", text, seen[text], seed)
		seen[text]++
		key[f] = h.Sum64()
	}
	slices.SortFunc(list, func(a, b fault) int { return cmp.Compare(key[a], key[b]) })
}

// overlay writes the file with the fault and the description that go build
// -overlay reads, and returns the latter's name.
func (f fault) overlay(root, dir string) (string, error) {
	src, err := f.apply(root)
	if err != nil {
		return "", err
	}
	file, overlay := filepath.Join(dir, "fault.go"), filepath.Join(dir, "overlay.json")
	doc, err := json.Marshal(map[string]map[string]string{
		"Replace": {filepath.Join(root, filepath.FromSlash(f.file)): file}})
	if err != nil {
		return "", err
	}
	return overlay, errors.Join(os.WriteFile(file, src, 0o600), os.WriteFile(overlay, doc, 0o600))
}

// vet compiles the package with the fault.
func vet(root, overlay string, f fault) error {
	cmd := exec.Command("go", "build", "-overlay", overlay, "./"+filepath.ToSlash(filepath.Dir(f.file)))
	cmd.Dir = root
	return cmd.Run()
}

// testLimit bounds the tests of one package.
const testLimit = 20 * time.Minute

var failure = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)|^(panic: .*)`)

// firstFailure returns the first test that fails, "" when none does.
func firstFailure(root, overlay string, by []string, args ...string) string {
	for _, pkg := range by {
		ctx, cancel := context.WithTimeout(context.Background(), testLimit)
		all := []string{"test", "-overlay", overlay, "-short", "-failfast", "-vet=off", "-timeout",
			(testLimit - 10*time.Second).String()}
		// Behind a flag that is the test's own go test takes no more names of packages.
		cmd := exec.CommandContext(ctx, "go", append(append(all, pkg), args...)...)
		cmd.Dir = root
		out, err := cmd.CombinedOutput()
		cancel()
		if err == nil {
			continue
		}
		name := "does not end"
		if strings.Contains(string(out), "[setup failed]") || strings.Contains(string(out), "[build failed]") {
			panic(fmt.Sprintf("bug: %v: %s", cmd, out))
		}
		if m := failure.FindStringSubmatch(string(out)); m != nil {
			name = m[1] + m[2]
		}
		return strings.TrimPrefix(pkg, "./") + " " + oneLine([]byte(name))
	}
	return ""
}
