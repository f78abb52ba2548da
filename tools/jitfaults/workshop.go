package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// outcome is the outcome of a fault.
type outcome int

const (
	found    outcome = iota // control flow changes, and every proof of such a program fails
	hole                    // control flow changes somewhere, and the proof does not fail
	harmless                // control flow is the same in all of the corpus
	refused                 // nothing gets machine code, or the program does not end as it should
)

var outcomeNames = [...]string{"found", "NOT FOUND", "no effect", "breaks at once"}

// limit bounds how long a program may take for one fault: it may never end.
const limit = 2 * time.Minute

// tried is a fault with its outcome.
type tried struct {
	fault   *fault
	outcome outcome
	detail  string
}

// try runs a program with planted faults, which judges some of them one by one. If a fault ends the
// program or takes too long, the next run continues after it.
func try(program, root string, faults []*fault) ([]tried, error) {
	var out []tried
	for len(out) < len(faults) {
		before := len(out)
		err := run(program, root, faults[before:], func(v verdict) {
			f := faults[len(out)]
			o, detail := v.outcome()
			out = append(out, tried{f, o, detail})
		})
		if err == nil {
			continue
		}
		if len(out) == 0 && before == 0 && !strings.Contains(err.Error(), "signal") && !strings.Contains(err.Error(),
			"status 2") {
			return nil, err
		}
		out = append(out, tried{faults[len(out)], refused, "does not end as it should"})
	}
	return out, nil
}

// run runs the program once and passes its verdicts to each.
func run(program, root string, faults []*fault, each func(verdict)) error {
	var numbers []string
	for _, f := range faults {
		numbers = append(numbers, strconv.Itoa(f.number))
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "-root", root, "-child", strings.Join(numbers, ","))
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	clock := time.AfterFunc(limit, cancel)
	defer clock.Stop()
	lines := bufio.NewScanner(pipe)
	for lines.Scan() {
		var v verdict
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			return err
		}
		clock.Reset(limit)
		each(v)
	}
	return cmd.Wait()
}

// outcome returns the meaning of the numbers, with a comment.
func (v verdict) outcome() (outcome, string) {
	switch {
	case v.Missed > 0:
		return hole, fmt.Sprintf("in %d of %d programs, %s first", v.Missed, v.Changed, v.First)
	case v.Changed > 0:
		return found, fmt.Sprintf("in all of %d programs", v.Changed)
	case v.Images == 0:
		return refused, "no machine code at all"
	}
	return harmless, ""
}
