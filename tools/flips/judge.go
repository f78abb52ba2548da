package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

// flip is one bit of an image, and what flipping it does to control flow: the
// transfers before and after, or nothing.
type flip struct {
	at, bit int
	change  string
}

// A flip changes how bytes are divided into instructions, until the boundaries coincide again,
// seldom more than a few instructions later. So each flip is judged by a window that starts at its
// instruction.
const (
	windowBytes = 32 // code
	slotBytes   = 48 // code, and nops that no instruction reaches over
	nop         = 0x90
)

// insn is an instruction as objdump prints it.
type insn struct {
	at   int
	text string // without the target of a direct jump or call
	to   int    // where that leads; 0 without one
}

// judge sets what each flip changes.
func judge(code []byte, flips []flip) error {
	before, err := disassemble(code, len(code))
	if err != nil {
		return err
	}
	whole := before[0]
	starts := make([]int, len(code)) // of each byte, the index of its instruction
	for i, in := range whole {
		end := len(code)
		if i+1 < len(whole) {
			end = whole[i+1].at
		}
		for k := in.at; k < end; k++ {
			starts[k] = i
		}
	}
	windows := make([]byte, 0, slotBytes*len(flips))
	for _, f := range flips {
		from := whole[starts[f.at]].at
		w := make([]byte, slotBytes)
		n := copy(w[:windowBytes], code[from:])
		for i := n; i < slotBytes; i++ {
			w[i] = nop
		}
		w[f.at-from] ^= 1 << f.bit
		windows = append(windows, w...)
	}
	after, err := disassemble(windows, slotBytes)
	if err != nil {
		return err
	}
	for i := range flips {
		f := &flips[i]
		first := starts[f.at]
		from := whole[first].at
		end := min(len(code), from+windowBytes)
		f.change = compare(whole[first:], after[i], from, f.at, end)
	}
	return nil
}

// compare returns the control transfers of two streams of instructions, up to where both begin an
// instruction after the flipped byte; "" when they are the same. The second stream counts from 0.
func compare(before, after []insn, from, flipped, end int) string {
	cuts := map[int]bool{end: true}
	for _, in := range before {
		if in.at > end {
			break
		}
		cuts[in.at] = true
	}
	stop := end + 1 // not in step again: all of the window counts
	for _, in := range after {
		if at := in.at + from; at > flipped && cuts[at] {
			stop = at
			break
		}
	}
	var x, y []string
	for _, in := range before {
		if in.at < stop && transfers(in.text) {
			x = append(x, in.String())
		}
	}
	for _, in := range after {
		if in = in.moved(from); in.at < min(stop, end) && transfers(in.text) {
			y = append(y, in.String())
		}
	}
	if stop > end {
		y = append(y, "another instruction at the end")
	}
	if a, b := strings.Join(x, "; "), strings.Join(y, "; "); a != b {
		return fmt.Sprintf("[%s] became [%s]", a, b)
	}
	return ""
}

// special matches what transfers control, traps, changes privilege or is no
// instruction (Intel SDM volume 2).
var special = regexp.MustCompile(`^((rex|rex\.[WRXB]+|bnd|notrack|repz|repnz|lock|data16|addr32|xacquire|xrelease|` +
	`cs|ds|es|fs|gs|ss) )*` +
	`(j[a-z]+|loop[a-z]*|l?jmp[a-z]*|l?call[a-z]*|[il]?ret[a-z]*|sys[a-z]+|int[0-9a-z]*|icebp|hlt|ud[0-9a-z]*|` +
	`x(begin|end|abort)|\(bad\)|\.byte|in|out|ins[bwl]?|outs[bwl]?|cli|sti|popf[a-z]*|swapgs|wrmsr|rdmsr|` +
	`l[gi]dt|lldt|ltr|lmsw|clts|invd|wbinvd|invlpg|vm[a-z]+|rsm|monitor|mwait|enter[a-z]*|bound)\b`)

// transfers reports whether an instruction is one to be counted.
func transfers(text string) bool { return special.MatchString(text) }

// target matches the address that a direct jump or call leads to.
var target = regexp.MustCompile(` 0x([0-9a-f]+)$`)

// parse makes an instruction of a line of objdump, with places relative to base.
func parse(at int, text string, base int) insn {
	text, _, _ = strings.Cut(text, "#")
	in := insn{at: at - base, text: strings.Join(strings.Fields(text), " ")}
	if m := target.FindStringSubmatchIndex(in.text); m != nil {
		if to, err := strconv.ParseInt(in.text[m[2]:m[3]], 16, 64); err == nil {
			in.text, in.to = in.text[:m[0]], int(to)-base
		}
	}
	return in
}

// String returns the instruction with its place and target.
func (in insn) String() string { return fmt.Sprintf("%#x %s %#x", in.at, in.text, in.to) }

// moved returns the instruction of code that begins n bytes further on.
func (in insn) moved(n int) insn {
	in.at += n
	if in.to != 0 {
		in.to += n
	}
	return in
}

// disassemble runs objdump on code that consists of parts of equal size, and
// returns the instructions of each part, with places and targets relative to its
// start.
func disassemble(code []byte, part int) ([][]insn, error) {
	f, err := os.CreateTemp("", "flips")
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	// Room in front, so that no target wraps below zero.
	const room = 1 << 20
	if _, err := f.Write(code); err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	cmd := exec.Command("objdump", "-D", "-w", "-z", "-b", "binary", "-m", "i386:x86-64", "--no-show-raw-insn",
		"--adjust-vma="+strconv.Itoa(room), f.Name())
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	parts := make([][]insn, (len(code)+part-1)/part)
	lines := bufio.NewScanner(pipe)
	for lines.Scan() {
		place, text, ok := strings.Cut(lines.Text(), ":\t")
		at, err := strconv.ParseInt(strings.TrimSpace(place), 16, 64)
		if !ok || err != nil {
			continue
		}
		k := (int(at) - room) / part
		parts[k] = append(parts[k], parse(int(at), text, room+k*part))
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	return parts, cmd.Wait()
}
