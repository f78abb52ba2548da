package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// workshop builds programs with faults and runs them.
type workshop struct {
	root, dir string
	sound     map[string]verdict // what becomes of the corpus without a fault
}

// limit bounds the run of a program with a fault, which may never end.
const limit = 5 * time.Minute

func newWorkshop(root string) (*workshop, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "faults")
	if err != nil {
		return nil, err
	}
	w := &workshop{root: root, dir: dir}
	if err := w.build(""); err == nil {
		w.sound, err = w.run()
		if err != nil {
			return nil, err
		}
	} else {
		return nil, err
	}
	for name, v := range w.sound {
		if v.Wrong != "" {
			return nil, fmt.Errorf("%s does not agree without a fault: %s", name, v.Wrong)
		}
	}
	return w, nil
}

func (w *workshop) close() { os.RemoveAll(w.dir) }

// build builds this program, with an overlay if one is given.
func (w *workshop) build(overlay string) error {
	args := []string{"build", "-o", filepath.Join(w.dir, "child")}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	cmd := exec.Command("go", append(args, "./internal/testing/faults")...)
	cmd.Dir = w.root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, lastLine(out))
	}
	return nil
}

// run runs the program that was built on the corpus.
func (w *workshop) run() (map[string]verdict, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(w.dir, "child"), "-child", "-root", w.root)
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	all := map[string]verdict{}
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var v verdict
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			return nil, err
		}
		all[v.Name] = v
	}
	return all, lines.Err()
}

// try plants a fault, and returns what becomes of it and a word on that.
func (w *workshop) try(f fault) (outcome, string) {
	overlay, err := f.overlay(w.root, w.dir)
	if err != nil {
		return refused, err.Error()
	}
	if err := w.build(overlay); err != nil {
		return refused, "does not build"
	}
	all, err := w.run()
	if err != nil {
		return refused, "does not end as it should"
	}
	return w.judge(all)
}

// judge compares what became of the corpus with and without a fault.
func (w *workshop) judge(all map[string]verdict) (outcome, string) {
	changed, missed, first := 0, 0, ""
	for name, sound := range w.sound {
		v := all[name]
		if v.Flow == sound.Flow || v.Flow == "" {
			continue
		}
		changed++
		if v.Wrong == "" {
			missed++
			if first == "" || name < first {
				first = name
			}
		}
	}
	images := 0
	for _, v := range all {
		if v.Flow != "" {
			images++
		}
	}
	switch {
	case missed > 0:
		return hole, fmt.Sprintf("in %d of %d programs, %s first", missed, changed, first)
	case changed > 0:
		return found, fmt.Sprintf("in all of %d programs", changed)
	case images == 0:
		return refused, "no machine code at all"
	}
	return harmless, ""
}

func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}
