package explain

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/succ"
)

// indirect explains an indirect jump or call.
func (x *Explainer) indirect(at Place, d *succ.Indirect) *Answer {
	b, _ := x.g.BlockAt(d.PC)
	ans := x.start(at, b, d.PC, d.PC)
	ans.Verdict = statusText(d)
	ans.Code = x.code(d.PC)
	ans.Targets = &Targets{
		Status: string(d.Status), Exact: x.slots(d.Exact), Range: x.slots(d.Range), Kernel: x.slots(d.Kernel),
		Differences: x.differences(d),
	}
	t := ans.Targets
	c := Counts{len(d.Exact) - len(t.Exact), len(d.Range) - len(t.Range), len(d.Kernel) - len(t.Kernel)}
	if c != (Counts{}) {
		t.More = &c
	}
	if v := x.verdict(); v.Accept {
		ans.Rules = x.a.Rules.Name + " does not refuse the program"
	} else {
		ans.Rejected = true
		ans.Rules = fmt.Sprintf("%s refuses the program: %s", x.a.Rules.Name, v.Message)
		if v.PC >= 0 {
			ans.Rules += fmt.Sprintf(" (insn %d)", v.PC)
		}
	}
	if !ans.Executed {
		x.liveness(ans, b)
		return ans
	}
	ans.Facts = []string{d.Reason}
	ans.Origin = x.origin(d.PC, d.Reg)
	for i := range d.Tables {
		ans.Tables = append(ans.Tables, x.table(&d.Tables[i]))
	}
	return ans
}

// slots converts to plain numbers, up to the limit; the result is not nil.
func (x *Explainer) slots(pcs []bytecode.PC) []int {
	if most := x.limits.Targets; most > 0 {
		pcs = pcs[:min(len(pcs), most)]
	}
	out := make([]int, len(pcs))
	for i, pc := range pcs {
		out[i] = int(pc)
	}
	return out
}

// table describes the use of a table.
func (x *Explainer) table(u *succ.TableUse) Table {
	t := Table{Name: u.Name, Entries: u.Entries, Min: u.Min, Max: u.Max, Selected: len(u.Selected), Rows: []Entry{}}
	targets := x.targets(u)
	for i, pc := range targets {
		_, sel := slices.BinarySearch(u.Selected, i)
		e := Entry{First: i, Last: i, Target: int(pc), Block: -1, Selected: sel}
		if b, ok := x.g.BlockAt(pc); ok {
			e.Block, e.Source = int(b), x.source(pc)
		}
		switch {
		case sel:
		case i < u.Min || i > u.Max:
			e.Why = fmt.Sprintf("outside the index range %d..%d", u.Min, u.Max)
		default:
			e.Why = "in the range, but the index never has this value"
		}
		if n := len(t.Rows); n > 0 && t.Rows[n-1].Target == e.Target && t.Rows[n-1].Why == e.Why {
			t.Rows[n-1].Last = i
			continue
		}
		if most := x.limits.Rows; most > 0 && len(t.Rows) == most {
			t.More = len(targets) - i
			break
		}
		t.Rows = append(t.Rows, e)
	}
	return t
}

// targets returns the slots that the entries of a table lead to; none for labels in a data
// section that are not a jump table.
func (x *Explainer) targets(u *succ.TableUse) []bytecode.PC {
	if u.Table >= 0 && u.Table < len(x.p.Tables) {
		return x.p.Tables[u.Table].Targets
	}
	if u.Map < 0 || u.Map >= len(x.p.Maps) {
		return nil
	}
	m := &x.p.Maps[u.Map]
	i, ok := x.look().cell(x.p, u.Map)[u.Name]
	if !ok {
		return nil
	}
	var out []bytecode.PC
	for j := i; j < min(i+u.Entries, len(m.Code)); j++ {
		out = append(out, m.Code[j].Target)
	}
	return out
}

// differences says why the three answers are not the same.
func (x *Explainer) differences(d *succ.Indirect) []string {
	var out []string
	if n := len(d.Range) - len(d.Exact); n > 0 {
		out = append(out, fmt.Sprintf("the verifier follows %d more: it takes every entry between the smallest and the "+
			"largest index, the index has steps or holes", n))
	}
	if d.Op == "gotox" && len(d.Kernel) > len(d.Range) && d.Reached {
		out = append(out, x.wide(d))
	}
	if d.Op == "callx" && d.Status != succ.Unresolved && len(d.Kernel) == 0 {
		out = append(out, "Linux up to 7.3 has no indirect calls, so its control-flow pass has no answer")
	}
	return out
}

// wide describes the targets that Linux's control-flow pass adds: all tables whose smallest entry
// lies in the subprogram (kernel/bpf/cfg.c create_jt, Linux 7.3).
func (x *Explainer) wide(d *succ.Indirect) string {
	used := map[int]bool{}
	var holes int
	for _, u := range d.Tables {
		if u.Table >= 0 {
			used[u.Table] = true
			holes += u.Entries - (u.Max - u.Min + 1)
		}
	}
	const most = 4
	var others []string
	sub := x.p.SubprogAt(d.PC)
	here := x.look().begin[sub]
	n := len(here)
	for i := range used {
		if x.look().home[i] == sub {
			n--
		}
	}
	for _, i := range here {
		if len(others) == most {
			break
		}
		if !used[i] {
			others = append(others, x.p.Tables[i].Name)
		}
	}
	text := fmt.Sprintf("the kernel's control-flow pass assumes %d more, before it knows any index: ",
		len(d.Kernel)-len(d.Range))
	var why []string
	if holes > 0 {
		why = append(why, "entries outside the range")
	}
	if n > most {
		others = append(others, fmt.Sprintf("%d more tables", n-most))
	}
	if len(others) > 0 {
		why = append(why, "all entries of "+strings.Join(others, ", ")+", which begin in the same function")
	}
	return text + strings.Join(why, ", and ")
}
