package main

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/record"
)

// flow holds for each instruction what may be executed directly after it in its function, in
// ascending order and without repetition. A call of a function continues after it.
type flow map[bytecode.PC][]bytecode.PC

// sample is a program with what is known of its control flow from outside of
// this project: written down by hand, with the reason, from the kernel's listing
// and its instruction arrays.
type sample struct {
	name, about string
	kernel      string            // which kernel made xlated of the program
	program     *bytecode.Program // as submitted
	xlated      []bytecode.Insn   // as the kernel showed it
	log         string            // of the verifier; empty without a record
	arrays      []record.MapResult
	truth       flow // of program
	xlatedTruth flow // of xlated
}

// readSamples reads the samples below dir, in the order of their names.
func readSamples(dir, records string) ([]*sample, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("no samples in %s", dir)
	}
	var out []*sample
	for _, path := range paths {
		s, err := readSample(path, records)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		out = append(out, s)
	}
	return out, nil
}

// readSample reads one file: lines of a keyword and its operands. What follows
// the targets of a flow, after two spaces, is its reason.
func readSample(path, records string) (*sample, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s := &sample{name: strings.TrimSuffix(filepath.Base(path), ".txt")}
	var insns, xlated []byte
	branches, xlatedBranches := flow{}, flow{}
	for line := range strings.Lines(string(data)) {
		key, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch key {
		case "#":
			s.about = rest
		case "record":
			err = s.fromRecord(records, rest)
		case "insns":
			insns, err = appendHex(insns, rest)
		case "xlated":
			xlated, err = appendHex(xlated, rest)
		case "kernel":
			s.kernel = rest
		case "flow":
			err = branches.add(rest)
		case "xlated-flow":
			err = xlatedBranches.add(rest)
		default:
			err = fmt.Errorf("unknown keyword")
		}
		if err != nil {
			return nil, fmt.Errorf("%q: %w", strings.TrimSpace(line), err)
		}
	}
	if insns != nil {
		if s.program, err = load.Raw(s.name, []byte(hex.EncodeToString(insns)), binary.LittleEndian); err != nil {
			return nil, err
		}
		s.program.Type = "syscall"
		s.xlated = s.program.Insns
	}
	if xlated != nil {
		if s.xlated, err = bytecode.Decode(xlated, binary.LittleEndian); err != nil {
			return nil, err
		}
	}
	if s.program == nil {
		return nil, fmt.Errorf("no program")
	}
	s.truth = branches.complete(s.program.Insns)
	if len(xlatedBranches) == 0 {
		if len(s.xlated) != len(s.program.Insns) {
			return nil, fmt.Errorf("the kernel has %d slots of %d, and no flow of its own", len(s.xlated), len(s.program.Insns))
		}
		xlatedBranches = branches
	}
	s.xlatedTruth = xlatedBranches.complete(s.xlated)
	return s, nil
}

// appendHex appends slots in hexadecimal.
func appendHex(to []byte, text string) ([]byte, error) {
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	return append(to, b...), err
}

// fromRecord takes the program from a record file: "FILE NAME".
func (s *sample) fromRecord(dir, where string) error {
	file, name, _ := strings.Cut(where, " ")
	r, err := record.Open(filepath.Join(dir, file), record.Options{})
	if err != nil {
		return err
	}
	defer r.Close()
	for rec, err := range r.Records() {
		if err != nil {
			return err
		}
		if rec.Env != nil {
			s.kernel = rec.Env.Release
		}
		if rec.Job == nil || rec.Job.Name != name || rec.Result == nil || rec.Result.Prog == nil {
			continue
		}
		if rec.Result.Load != nil {
			s.log = rec.Result.Load.Log
		}
		s.arrays = rec.Result.Maps
		if s.program, err = rec.Job.Program(); err != nil {
			return err
		}
		s.xlated, err = record.Decode(rec.Result.Prog.Xlated)
		return err
	}
	return fmt.Errorf("no record of that name with a loaded program")
}

// add adds a line "7: 8 10  reason".
func (f flow) add(line string) error {
	from, rest, ok := strings.Cut(line, ":")
	pc, err := strconv.Atoi(from)
	if !ok || err != nil {
		return fmt.Errorf("not a flow")
	}
	targets, _, _ := strings.Cut(strings.TrimPrefix(rest, " "), "  ")
	f[bytecode.PC(pc)] = nil
	for _, t := range strings.Fields(targets) {
		to, err := strconv.Atoi(t)
		if err != nil {
			return err
		}
		f.insert(bytecode.PC(pc), bytecode.PC(to))
	}
	return nil
}

// insert adds one successor.
func (f flow) insert(from, to bytecode.PC) {
	list := append(f[from], to)
	slices.Sort(list)
	f[from] = slices.Compact(list)
}

// complete returns f for all instructions: those that it does not name continue with the next.
func (f flow) complete(insns []bytecode.Insn) flow {
	out := flow{}
	for pc := bytecode.PC(0); int(pc) < len(insns); pc += insns[pc].Slots() {
		if list, ok := f[pc]; ok {
			out[pc] = list
		} else {
			out[pc] = []bytecode.PC{pc + insns[pc].Slots()}
		}
	}
	return out
}

// verdict compares an answer with the truth: "right", or the numbers of successors that it misses
// and of impossible ones that it has.
func verdict(truth, answer flow) string {
	missing, wrong := 0, 0
	for pc, want := range truth {
		for _, to := range want {
			if !slices.Contains(answer[pc], to) {
				missing++
			}
		}
	}
	for pc, got := range answer {
		for _, to := range got {
			if !slices.Contains(truth[pc], to) {
				wrong++
			}
		}
	}
	switch {
	case missing == 0 && wrong == 0:
		return "right"
	case wrong == 0:
		return fmt.Sprintf("%d missing", missing)
	case missing == 0:
		return fmt.Sprintf("%d wrong", wrong)
	}
	return fmt.Sprintf("%d missing, %d wrong", missing, wrong)
}

// encode returns instructions in the form of a little-endian machine.
func encode(insns []bytecode.Insn) []byte {
	return bytes.Clone(bytecode.Encode(insns, binary.LittleEndian))
}
