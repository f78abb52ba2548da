package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// verbs holds the commands that take any number of objects, by what the table
// calls them.
func verbs() [][]string {
	return [][]string{
		{"list"}, {"show", "--stage", "tables"}, {"golden", "check", "--dir", "/nowhere"},
		{"check"}, {"check", "--format", "json"}, {"check", "--format", "sarif"},
	}
}

// measureObjects runs bpfcfg on directories of so many objects, copies of those of
// the corpus, and prints time and peak memory.
func measureObjects(w io.Writer, bpfcfg, counts string) error {
	corpus, err := filepath.Glob("testdata/corpus/out*/*.o")
	if err != nil || len(corpus) == 0 {
		return fmt.Errorf("no objects in testdata/corpus: run it in the top directory")
	}
	slices.Sort(corpus)
	fmt.Fprint(w, "| command | objects | seconds | peak |\n|---|---:|---:|---:|\n")
	for count := range strings.SplitSeq(counts, ",") {
		n, err := strconv.Atoi(count)
		if err != nil || n < 1 || n > 100_000 {
			return fmt.Errorf("-objects %s: numbers from 1 to 100000", counts)
		}
		if err := measureDirectory(w, bpfcfg, corpus, n); err != nil {
			return err
		}
	}
	return nil
}

// measureDirectory is measureObjects for one number of objects.
func measureDirectory(w io.Writer, bpfcfg string, corpus []string, n int) error {
	dir, err := os.MkdirTemp("", "benchtable")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for i := range n {
		data, err := os.ReadFile(corpus[i%len(corpus)])
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, fmt.Sprintf("%06d.o", i)), data, 0o600)
		}
		if err != nil {
			return err
		}
	}
	for _, verb := range verbs() {
		cmd := exec.Command(bpfcfg, append(slices.Clone(verb), dir)...)
		start := time.Now()
		err := cmd.Run() // findings and missing golden files have a status of their own
		if cmd.ProcessState == nil {
			return err
		}
		fmt.Fprintf(w, "| `%s` | %d | %.1f | %d MB |\n", strings.Join(verb, " "), n, time.Since(start).Seconds(),
			maxResident(cmd.ProcessState)>>20)
	}
	return nil
}
