package scalar

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
)

// TestVerifierLog replays what Linux 7.3 wrote to its log at level 2, and
// compares every scalar that it printed after an ALU operation or on an edge
// of a branch with what the Kernel functions make of the state before. The log
// has the derived ranges of a register only, not its arcs, so the replay goes
// on with its own state as long as the print agrees, and takes the printed one
// where it knows nothing: after loads and calls.
func TestVerifierLog(t *testing.T) {
	total := map[string]int{}
	wrong := 0
	for _, file := range testenv.Glob(t, "records/*.7.3.4.off.jsonl.gz") {
		for _, rec := range readRecords(t, file) {
			r := &replay{t: t, name: filepath.Base(file) + " " + rec.Job.Name, insns: rec.Job.slots(t), compared: total}
			for line := range strings.Lines(rec.Result.Load.Log) {
				r.line(strings.TrimSuffix(line, "\n"))
			}
			wrong += r.wrong
		}
	}
	sum := 0
	for _, k := range slices.Sorted(maps.Keys(total)) {
		t.Logf("%-14s %7d", k, total[k])
		sum += total[k]
	}
	t.Logf("%-14s %7d, wrong %d", "all", sum, wrong)
	if wrong != 0 {
		t.Errorf("%d of %d differ from the kernel", wrong, sum)
	}
	if sum < 10_000 {
		t.Errorf("only %d comparisons", sum)
	}
}

// reg is a register in the replay.
type reg struct {
	known bool   // it holds a scalar, and s is the kernel's state of it
	s     S      //
	id    string // linked scalars have one id
	what  string // how s was computed, until it has been compared
}

// fork is a pushed state: the taken edge of a branch.
type fork struct {
	from, to int
	regs     [16]reg
}

type replay struct {
	t        *testing.T
	name     string
	insns    []slot
	started  bool
	regs     [16]reg
	forks    []fork
	next     int    // where the path must go on, -1 when that is not known
	why      string // and why
	compared map[string]int
	links    int // number of ids made here
	wrong    int
}

func (r *replay) fail(format string, args ...any) {
	r.wrong++
	if r.wrong <= 3 {
		r.t.Logf("%s: %s", r.name, fmt.Sprintf(format, args...))
	}
}

// line takes one line of the log. The lines that matter are
//
//	3: (25) if r2 > 0x2 goto pc+4         ; R2=scalar(…)
//	6: R0=map_value(…) R2=scalar(…)
//	from 3 to 8: R1=ctx() …
//	8: safe
//
// and any others that do not begin so may change frames.
func (r *replay) line(text string) {
	if rest, ok := strings.CutPrefix(text, "from "); ok {
		r.resume(rest)
		return
	}
	number, rest, ok := strings.Cut(text, ": ")
	pc, err := strconv.Atoi(number)
	switch {
	case strings.HasPrefix(text, "mark_precise"), strings.HasPrefix(text, "frame "), text == "":
		return
	case !ok || err != nil:
		r.forget()
		return
	case isState(rest):
		r.started = true
		r.state(rest)
		return
	case !r.started:
		return
	}
	if r.next >= 0 && pc != r.next {
		r.fail("%s: goes on at %d, not %d", r.why, pc, r.next)
	}
	r.next = -1
	if len(rest) < 4 || rest[0] != '(' { // safe
		return
	}
	code, err := strconv.ParseUint(rest[1:3], 16, 8)
	if err != nil || pc >= len(r.insns) || r.insns[pc].code != uint8(code) {
		return // hard-wired by the constant propagation before: an unconditional jump
	}
	r.step(pc, r.insns[pc])
	if _, state, ok := strings.Cut(rest, " ; "); ok && isState(state) {
		r.state(state)
	}
}

// isState reports whether the text is a register state.
func isState(s string) bool {
	if rest, ok := strings.CutPrefix(s, "frame"); ok {
		_, s, _ = strings.Cut(rest, ": ")
	}
	return len(s) > 2 && s[0] == 'R' && s[1] >= '0' && s[1] <= '9' || strings.HasPrefix(s, "fp-")
}

func (r *replay) forget() {
	r.regs = [16]reg{}
	r.next = -1
}

// resume goes on with a pushed state. The kernel takes the last one pushed;
// those of other instructions than branches are not in forks.
func (r *replay) resume(rest string) {
	r.forget()
	edge, state, _ := strings.Cut(rest, ": ")
	var from, to int
	if n, err := fmt.Sscanf(edge, "%d to %d", &from, &to); n != 2 || err != nil || strings.Contains(edge, "spec") {
		return
	}
	if n := len(r.forks) - 1; n >= 0 && r.forks[n].from == from && r.forks[n].to == to {
		r.regs = r.forks[n].regs
		r.forks = r.forks[:n]
	}
	if isState(state) {
		r.state(state)
	}
}

// step computes the state after the instruction.
func (r *replay) step(pc int, in slot) {
	d := &r.regs[in.dst]
	switch in.code & 7 {
	case 4, 7:
		r.alu(in, d)
	case 5, 6:
		r.jump(pc, in)
	case 0: // immediate and packet loads
		r.regs[0] = reg{}
		*d = reg{}
	case 1:
		*d = reg{}
	case 3:
		r.regs[in.src], r.regs[0] = reg{}, reg{} // perhaps an atomic that loads
	}
}

// operand returns the source operand of an ALU operation or a jump.
func (r *replay) operand(in slot) reg {
	if in.code&8 != 0 {
		return r.regs[in.src]
	}
	return reg{known: true, s: Const(uint64(int64(in.imm)))}
}

func (r *replay) alu(in slot, d *reg) {
	op, is32, ok := OpOf(in.code, in.off, in.imm)
	src := r.operand(in)
	if !ok || !src.known && !op.Unary() || !d.known && !op.srcOnly() {
		*d = reg{}
		return
	}
	dst := d.s
	if now, _, forks := KernelFork(op, dst, src.s); forks {
		dst = now
	}
	s, _ := KernelSanity(KernelALU(op, is32, dst, src.s))
	name := op.String()
	if is32 {
		name += "32"
	}
	id := ""
	switch op { // what may stay linked; printed ids, when they come, are better
	case Add, Sub:
		id = d.id
	case Mov:
		if src.id == "" && in.code&8 != 0 {
			r.links++
			src.id = fmt.Sprint("own", r.links)
			r.regs[in.src].id = src.id
		}
		id = src.id
	}
	*d = reg{known: true, s: s, id: id, what: fmt.Sprintf("%s %v, %v", name, dst, src.s)}
}

func (r *replay) jump(pc int, in slot) {
	c, is32, ok := CondOf(in.code)
	if !ok {
		switch in.code {
		case 0x85, 0x8d: // call
			for i := range 6 {
				r.regs[i] = reg{}
			}
		case 0x95, 0xe5: // exit, may_goto
			r.forget()
		}
		return
	}
	d, src := r.regs[in.dst], r.operand(in)
	r.unlink(in, d.id, src.id)
	if !d.known || !src.known {
		r.regs[in.dst] = reg{}
		if in.code&8 != 0 {
			r.regs[in.src] = reg{}
		}
		return
	}
	same := in.code&8 != 0 && in.dst == in.src
	target := pc + 1 + int(in.off)
	what := fmt.Sprintf("%v %v %v (32: %v)", d.s, c, src.s, is32)
	switch r.why = what; KernelDecide(c, is32, d.s, src.s, same) {
	case Always:
		r.next = target
		r.compared["decided"]++
		return
	case Never:
		r.next = pc + 1
		r.compared["decided"]++
		return
	}
	r.next = pc + 1
	before := r.regs
	r.edge(in, c, is32, d, src, "taken "+what)
	r.forks = append(r.forks, fork{from: pc, to: target, regs: r.regs})
	r.regs = before
	r.edge(in, c.Negate(), is32, d, src, "fall-through "+what)
}

// edge refines the operands on an edge.
func (r *replay) edge(in slot, c Cond, is32 bool, d, src reg, what string) {
	x, y := KernelRefine(c, is32, d.s, src.s)
	r.regs[in.dst] = reg{known: true, s: x, id: d.id, what: what}
	if in.code&8 != 0 {
		r.regs[in.src] = reg{known: true, s: y, id: src.id, what: what}
	}
}

// unlink forgets registers that the kernel refines along with the operands of
// a branch.
func (r *replay) unlink(in slot, ids ...string) {
	for i := range r.regs {
		operand := i == int(in.dst) || in.code&8 != 0 && i == int(in.src)
		if id := r.regs[i].id; !operand && id != "" && slices.Contains(ids, id) {
			r.regs[i] = reg{}
		}
	}
}

// state compares printed registers with the computed ones, and takes those
// that are not known.
func (r *replay) state(text string) {
	if strings.HasPrefix(text, "frame") {
		_, text, _ = strings.Cut(text, ": ")
	}
	for name, value := range values(text) {
		n, err := strconv.Atoi(strings.TrimPrefix(name, "R"))
		if !strings.HasPrefix(name, "R") || err != nil || n > 10 {
			continue
		}
		p, isScalar := parseScalar(value)
		old := &r.regs[n]
		if !isScalar {
			*old = reg{}
			continue
		}
		if old.known && printOf(old.s) != p.bounds {
			r.fail("r%d after %s: %+v, the kernel has %+v (%s)", n, old.what, printOf(old.s), p.bounds, value)
			old.known = false
		}
		if old.what != "" {
			kind, _, _ := strings.Cut(old.what, " ")
			r.compared[kind]++
		}
		if !old.known {
			old.s = p.set()
		}
		old.known, old.what, old.id = true, "", p.id
	}
}
