package replay

import (
	"strconv"
	"strings"
)

// listingEnd begins the last list before the verifier's walk, since Linux 6.15. The
// lines of this list are not like those of the walk.
const listingEnd = "Live regs before insn:\n"

// followed returns the submitted slots that a verifier log shows to have been
// reached from a gotox, nil when the log does not show instructions (level 1,
// or none). The verifier marks exactly these as indirect targets.
//
// A log of level 2 has a line for each instruction that is verified, "8: (0d) gotox r2". The target
// that is followed at once comes next; the others are taken from a stack later, with a line "from 8
// to 12: …" each (kernel/bpf/ verifier.c do_check, Linux 7.3). Listings of the whole program by
// passes before the walk are not visits: lines like those of the walk in Linux 7.3
// (print_subprog_insns in kernel/bpf/liveness.c), and then the registers that live at each
// instruction.
func followed(log string) map[int]bool {
	if log == "" {
		return nil
	}
	if _, walk, ok := strings.Cut(log, listingEnd); ok {
		log = walk
	}
	var jumps, targets map[int]bool
	pending, shown := false, false
	for text := range strings.Lines(log) {
		if from, to, ok := fromTo(text); ok {
			if jumps[from] {
				targets[to] = true
			}
			continue
		}
		slot, rest, ok := numbered(text)
		if !ok {
			continue
		}
		if pending {
			targets[slot] = true
			pending = false
		}
		if !strings.HasPrefix(rest, "(") {
			continue
		}
		if !shown {
			shown, jumps, targets = true, map[int]bool{}, map[int]bool{}
		}
		if strings.HasPrefix(rest, "(0d) gotox") {
			jumps[slot], pending = true, true
		}
	}
	return targets
}

// fromTo reads "from 8 to 12: …" and "from 8 to 12 (speculative execution): …".
func fromTo(text string) (from, to int, ok bool) {
	rest, ok := strings.CutPrefix(text, "from ")
	if !ok {
		return 0, 0, false
	}
	a, rest, ok := strings.Cut(rest, " to ")
	if !ok {
		return 0, 0, false
	}
	b := rest
	if i := strings.IndexAny(rest, ": "); i >= 0 {
		b = rest[:i]
	}
	from, err1 := strconv.Atoi(a)
	to, err2 := strconv.Atoi(b)
	return from, to, err1 == nil && err2 == nil
}

// numbered reads "8: (0d) gotox r2" and "8: R0=…".
func numbered(text string) (slot int, rest string, ok bool) {
	if text == "" || text[0] < '0' || text[0] > '9' {
		return 0, "", false
	}
	n, rest, ok := strings.Cut(text, ": ")
	if !ok {
		return 0, "", false
	}
	slot, err := strconv.Atoi(n)
	return slot, rest, err == nil
}
