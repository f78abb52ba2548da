package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/testing/progen"
)

// budgetFile has what each stage may allocate, a line each.
const budgetFile = "budget.txt"

// budgetSlots is the size of the programs.
const budgetSlots = 2000

// Differences that are noise: 5 %, of small numbers these.
const (
	budgetShare  = 0.05
	budgetBytes  = 16 << 10
	budgetAllocs = 100
)

// TestBudget compares what each stage allocates on programs of all shapes with
// budget.txt. A change of more than 5 %, up or down, is either undone or accepted:
//
//	BPFCFG_BUDGET=accept go -C tools test ./benchtable -run TestBudget
//
// No time is measured. What is allocated does not depend on the machine, but for the
// seeds of maps and, in small part, the version of Go.
func TestBudget(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // nothing that is pooled gets lost on the way
	now := map[string]stageCost{}
	var keys []string
	for _, s := range progen.AllShapes() {
		r, err := measure(s.Name, s.Make(budgetSlots))
		if err != nil {
			t.Fatalf("%s: %v", s.Name, err)
		}
		for _, c := range r.Stages {
			key := s.Name + " " + strings.ReplaceAll(c.Name, " ", "-")
			now[key], keys = c, append(keys, key)
		}
	}
	if os.Getenv("BPFCFG_BUDGET") == "accept" {
		var b strings.Builder
		fmt.Fprintf(&b, "# shape, stage, bytes and allocations of programs of %d slots: see budget_test.go\n", budgetSlots)
		for _, key := range keys {
			fmt.Fprintf(&b, "%s %d %d\n", key, now[key].Bytes, now[key].Allocs)
		}
		if err := os.WriteFile(budgetFile, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	data, err := os.ReadFile(budgetFile)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		var shape, stage string
		var bytes, allocs uint64
		if _, err := fmt.Sscanf(line, "%s %s %d %d", &shape, &stage, &bytes, &allocs); err != nil {
			continue // the remark
		}
		key := shape + " " + stage
		c, ok := now[key]
		if !ok {
			t.Errorf("%s: is not measured any more", key)
			continue
		}
		delete(now, key)
		if beyond(c.Bytes, bytes, budgetBytes) || beyond(c.Allocs, allocs, budgetAllocs) {
			t.Errorf("%s: %d bytes in %d allocations, budget %d in %d", key, c.Bytes, c.Allocs, bytes, allocs)
		}
	}
	for _, key := range slices.DeleteFunc(keys, func(k string) bool { _, ok := now[k]; return !ok }) {
		t.Errorf("%s: has no budget", key)
	}
	if t.Failed() {
		t.Log("accept with: BPFCFG_BUDGET=accept go -C tools test ./benchtable -run TestBudget")
	}
}

// beyond reports whether a number is further from its budget than noise is.
func beyond(n, budget, noise uint64) bool {
	d := max(n, budget) - min(n, budget)
	return d > noise && float64(d) > budgetShare*float64(budget)
}
