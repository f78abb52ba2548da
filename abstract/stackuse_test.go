package abstract

import (
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg"
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
)

// Lines of the table of stack uses in a log of level 2 (kernel/bpf/liveness.c print_instance, Linux 7.3).
var (
	useHead = regexp.MustCompile(`^stack use/def subprog#(\d+).* \(d(\d+),cs\d+\):$`)
	useLine = regexp.MustCompile(`^ *(\d+): .*?(?:; use: (fp[^;d]*))?(?:;? +def: (fp.*))?$`)
	useSlot = regexp.MustCompile(`fp(\d+)-(\d+)(?:\.\.-(\d+)|(h))?`)
)

// TestStackUse compares what instructions read and overwrite of their frame with what Linux 7.3.4 lists
// in its logs: nothing that the kernel lists as read is missing, nothing counts as overwritten that it
// does not list, and for most instructions both are the same. testdata/stackuse.jsonl.gz has logs, cut to
// these lists, for programs of progen.Idle and for some that were written for this test: a pointer on one
// of two paths, in a slot, in part, from a function, with arithmetic on it; helpers that read or fill; atomics.
func TestStackUse(t *testing.T) {
	files := append(testenv.Glob(t, "records/*.7.3.4.off.jsonl.gz"), filepath.Join("testdata", "stackuse.jsonl.gz"))
	same, more := 0, 0
	for _, file := range files {
		r, err := record.Open(file, record.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for rec, err := range r.Records() {
			if err != nil {
				t.Fatal(err)
			}
			if rec.Job == nil || rec.Result == nil || rec.Result.Load == nil ||
				!strings.Contains(rec.Result.Load.Log, "stack use/def subprog#") {
				continue
			}
			p, err := rec.Job.Program()
			if err != nil {
				continue
			}
			s, m := compareUses(t, filepath.Base(file)+" "+rec.Job.Name, p, rec.Result.Load.Log)
			same, more = same+s, more+m
		}
		r.Close()
	}
	t.Logf("%d instructions that use the stack as the kernel says, %d that may read more or overwrite less", same, more)
	if same < 1282 || more > 62 {
		t.Error("1282 and 62 were before")
	}
}

// compareUses compares the uses of one program's stack with a log. It counts the instructions that use
// the stack: those with the kernel's use, and those with more reads or fewer stores.
func compareUses(t *testing.T, name string, p *bytecode.Program, log string) (same, more int) {
	g, err := cfg.Build(p, nil)
	if err != nil {
		return 0, 0
	}
	d := newIdler(g)
	d.follow()
	frame := 0 // the subprogram's own
	listing := false
	for line := range strings.Lines(log) {
		line = strings.TrimRight(line, "\n")
		if m := useHead.FindStringSubmatch(line); m != nil {
			frame, _ = strconv.Atoi(m[2])
			listing = true
			continue
		}
		m := useLine.FindStringSubmatch(line)
		if m == nil || !listing {
			listing = false
			continue
		}
		n, _ := strconv.Atoi(m[1])
		pc := bytecode.PC(n)
		if pc >= p.Len() {
			return same, more
		}
		kernel := frameUse{reads: usedSlots(m[2], frame), kills: usedSlots(m[3], frame)}
		b, ok := g.BlockAt(pc)
		if !ok || d.in[b] == nil || d.untracked[p.SubprogAt(pc)] {
			continue
		}
		ours := d.uses[pc]
		if kind := p.Flow(pc).Kind; kind == bytecode.FlowCall || kind == bytecode.FlowCallx {
			continue // the kernel lists it with the function that is called
		}
		for half := range 2 {
			missing := kernel.reads[half] &^ ours.reads[half]
			extra := ours.kills[half] &^ kernel.kills[half]
			if missing != 0 || extra != 0 {
				t.Errorf("%s, %d: %s: half %d: reads %x, overwrites %x; the kernel says %x and %x", name, pc, p.Text(pc), half,
					ours.reads[half], ours.kills[half], kernel.reads[half], kernel.kills[half])
			}
		}
		switch {
		case ours == kernel && ours != frameUse{}:
			same++
		case ours != kernel:
			more++
			if testing.Verbose() {
				t.Logf("%s, %d: %s: %x, the kernel says %x", name, pc, p.Text(pc), ours, kernel)
			}
		}
	}
	return same, more
}

// usedSlots returns the halves of slots in a list such as "fp0-8 fp0-16h fp0-24..-40", as frameUse has
// them. A whole slot is named by its lower address, a half by its own.
func usedSlots(list string, frame int) (out [2]slotSet) {
	for _, m := range useSlot.FindAllStringSubmatch(list, -1) {
		if f, _ := strconv.Atoi(m[1]); f != frame {
			continue
		}
		from, _ := strconv.Atoi(m[2])
		to := from
		if m[3] != "" {
			to, _ = strconv.Atoi(m[3])
		}
		if m[4] != "" {
			half := from / 4 % 2 // -8h is the lower half of slot 1, -4h the upper one
			out[half] |= 1 << ((from+7)/8 - 1)
			continue
		}
		for off := from; off <= to; off += 8 {
			out[0] |= 1 << (off/8 - 1)
			out[1] |= 1 << (off/8 - 1)
		}
	}
	return out
}
