package selftests_test

import (
	"cmp"
	"debug/elf"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/cilium/ebpf/btf"
)

// expectation is what is expected of a program that is loaded with all rights, on
// x86-64 and with the compiler.
type expectation struct {
	program  string
	refused  bool
	messages []string // patterns that the log must have
	flow     bool     // one of them is about where control goes
}

// expectations reads what an object expects of its programs, by name.
//
// Source: tools/testing/selftests/bpf/progs/bpf_misc.h and test_loader.c, Linux 7.3:
// a tag of a function is comment:NUMBER:KEY=VALUE, by NUMBER in the order of the
// source; what is said for few rights ends in _unpriv.
func expectations(path string) ([]expectation, error) {
	f, err := elf.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if f.Section(".BTF") == nil {
		return nil, nil
	}
	raw, err := f.Section(".BTF").Data()
	if err != nil {
		return nil, err
	}
	spec, err := btf.LoadSpecFromReader(strings.NewReader(string(raw)))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var out []expectation
	for typ, err := range spec.All() {
		if err != nil {
			return nil, err
		}
		fn, ok := typ.(*btf.Func)
		if !ok {
			continue
		}
		if e, ok := expected(fn.Tags); ok {
			e.program = fn.Name
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b expectation) int { return cmp.Compare(a.program, b.program) })
	return out, nil
}

// expected reads the tags of a function, and reports whether it is a test that can be
// judged here.
func expected(tags []string) (e expectation, ok bool) {
	var elsewhere, x86, archs, unpriv, priv, aux bool
	for _, tag := range ordered(tags) {
		key, value, _ := strings.Cut(tag, "=")
		base, few := strings.CutSuffix(key, "_unpriv")
		switch base {
		case "test_expect_success", "test_expect_failure":
			e.refused = e.refused || !few && base == "test_expect_failure"
		case "test_expect_msg":
			if !few {
				e.messages = append(e.messages, value)
			}
		case "test_expect_not_msg", "test_expect_xlated", "test_jited", "test_retval", "test_caps":
		case "test_auxiliary":
			aux = aux || !few
		case "test_arch":
			archs, x86 = true, x86 || value == "X86_64"
			continue
		case "load_mode":
			elsewhere = elsewhere || value == "no_jited"
			continue
		default:
			continue
		}
		unpriv, priv = unpriv || few, priv || !few
	}
	e.flow = slices.ContainsFunc(e.messages, aboutFlow.MatchString)
	known := priv || unpriv
	return e, known && !aux && !elsewhere && (x86 || !archs) && (priv || !unpriv)
}

// ordered returns the texts of a function's tags in the order of their numbers.
func ordered(tags []string) []string {
	type numbered struct {
		n    int
		text string
	}
	var all []numbered
	for _, tag := range tags {
		num, text, _ := strings.Cut(strings.TrimPrefix(tag, "comment:"), ":")
		if n, err := strconv.Atoi(num); err == nil && strings.HasPrefix(tag, "comment:") {
			all = append(all, numbered{n, text})
		}
	}
	slices.SortStableFunc(all, func(a, b numbered) int { return cmp.Compare(a.n, b.n) })
	var out []string
	for _, t := range all {
		out = append(out, t.text)
	}
	return out
}

// aboutFlow matches the messages on where control can go, on the limits of paths, and
// on what is read before it is written.
var aboutFlow = regexp.MustCompile(strings.Join([]string{
	"unreachable", "out of range from", "jump into", "not an exit or jmp", "fall through", "back-edge", "loop detected",
	"infinite loop", "unknown (opcode|insn)", "reserved fields", "(?i)invalid bpf_(ld|alu|jmp)", "BUG_", "invalid atomic",
	"program is too large", "too complex", "complexity limit", "read_ok", "__bpf_trap", "gotox", "callx", "(?i)jump.table",
	"insn.array", "PTR_TO_INSN", "may_goto", "call stack of", "combined stack", "recursi", "called from callback",
	"exception cb directly", "multiple exception", "within callback", "LD_ABS is", "tail_calls?( is| are|$)|mixing of tail",
}, "|"))

// matches reports whether a message is one that the patterns expect. A pattern is
// text with regular expressions between {{ and }}; what is said here is one line of
// a log that may have more.
func matches(patterns []string, said string) (bool, error) {
	for _, p := range patterns {
		if strings.Contains(p, said) {
			return true, nil
		}
		var expr strings.Builder
		for rest := p; rest != ""; {
			text, after, found := strings.Cut(rest, "{{")
			expr.WriteString(regexp.QuoteMeta(text))
			if !found {
				break
			}
			re, behind, _ := strings.Cut(after, "}}")
			expr.WriteString(re)
			rest = behind
		}
		re, err := regexp.CompilePOSIX(expr.String())
		if err != nil {
			return false, fmt.Errorf("pattern %q: %w", p, err)
		}
		if re.MatchString(said) {
			return true, nil
		}
	}
	return false, nil
}
