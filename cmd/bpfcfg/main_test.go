package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/cilium/ebpf/btf"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/live"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
)

// TestMain lets scripts run the command in a process of its own.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"bpfcfg": func() { os.Exit(run(os.Args[1:], streams{in: os.Stdin, out: os.Stdout, err: os.Stderr})) },
	})
}

// TestScripts runs the txtar scripts: whole runs of the command.
func TestScripts(t *testing.T) { runScripts(t, "testdata") }

// TestCases runs scripts about faults that were mended, one each.
func TestCases(t *testing.T) { runScripts(t, filepath.Join("testdata", "cases")) }

// runScripts runs the scripts in a directory.
func runScripts(t *testing.T, dir string) {
	data, err := filepath.Abs("../../testdata")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 dir,
		RequireExplicitExec: true,
		Condition:           condition(t),
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"hold": hold},
		Setup: func(e *testscript.Env) error {
			e.Setenv("TESTDATA", data)
			return nil
		},
	})
}

// condition returns the conditions of scripts. [live]: programs can be loaded
// into the running kernel, and their code read.
func condition(t *testing.T) func(string) (bool, error) {
	readable, why := testenv.Kernel()
	if !readable && os.Getenv(testenv.LiveVariable) == "must" {
		t.Fatalf("%s=must: %s", testenv.LiveVariable, why)
	}
	return func(cond string) (bool, error) {
		if cond != "live" {
			return false, fmt.Errorf("no condition %q", cond)
		}
		return readable, nil
	}
}

// hold is the command "hold FILE PROGRAM": it loads a program of an object, with
// its source lines, until the script ends, and sets ID to its number. Nothing is
// attached.
func hold(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: hold FILE PROGRAM")
	}
	data, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	o, err := load.ELF(args[0], data)
	ts.Check(err)
	types, err := btf.LoadSpecFromReader(bytes.NewReader(data))
	ts.Check(err)
	for _, p := range o.Programs {
		if p.Name == args[1] {
			opt := live.LoadOptions{License: o.License, Types: types, SourceLines: true}
			lp, unload, err := live.Hold(p, opt, live.NewKernel())
			ts.Check(err)
			ts.Defer(unload)
			ts.Setenv("ID", fmt.Sprint(lp.ID))
			return
		}
	}
	ts.Fatalf("%s has no program %q", args[0], args[1])
}
