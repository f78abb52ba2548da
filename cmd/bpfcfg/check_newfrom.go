package main

import (
	"errors"
	"os"

	"github.com/bpfcfg/bpfcfg/internal/object"
	"github.com/bpfcfg/bpfcfg/internal/report"
)

// newFrom accepts the findings that the objects of an older build have. Objects are matched by
// their path in the directory that is given on either side; a single object is the older version of
// the only input, whatever its name.
func (c *checkCmd) newFrom(run *checkRun, r *report.Report, std streams) error {
	if c.NewFrom == "" {
		return nil
	}
	if len(c.Input) != 1 || c.Baseline != "" {
		return usagef("--new-from takes one input, a file or a directory, and cannot be used with --baseline")
	}
	old := *run
	var err error
	if old.inputs, err = c.inputs([]string{c.NewFrom}, c.Prog); err != nil {
		return err
	}
	old.inputs.Sort()
	old.shard, old.shards = 1, 1
	before, err := old.all(std)
	if err != nil {
		return err
	}
	if n := before.Count(); n.FailedInputs > 0 {
		return inputError(errors.New("an object of " + c.NewFrom + " could not be read, so what is new is unknown"))
	}
	oldRoot, newRoot, err := c.roots()
	if err != nil {
		return err
	}
	for i := range before.Inputs {
		before.Inputs[i].Object = oldRoot(before.Inputs[i].Name)
	}
	kept := make([]string, len(r.Inputs))
	for i := range r.Inputs {
		kept[i], r.Inputs[i].Object = r.Inputs[i].Object, newRoot(r.Inputs[i].Name)
	}
	r.Accept(before.Baseline())
	r.Removable = nil
	for i := range r.Inputs {
		r.Inputs[i].Object = kept[i]
	}
	return nil
}

// roots returns the functions that name the objects of either side for the comparison.
func (c *checkCmd) roots() (old, now func(string) string, err error) {
	one := func(string) string { return "object" }
	side := func(arg string) (func(string) string, bool, error) {
		if st, err := os.Stat(arg); err != nil || !st.IsDir() {
			return one, false, nil
		}
		root, err := object.NewRoot(arg)
		return func(name string) string { return string(root.Name(name)) }, true, err
	}
	old, oldDir, err := side(c.NewFrom)
	if err != nil {
		return nil, nil, err
	}
	now, nowDir, err := side(c.Input[0])
	if err == nil && oldDir != nowDir {
		err = usagef("--new-from compares two objects or two directories")
	}
	return old, now, err
}
