package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/cilium/ebpf/btf"
)

// proto is a bpf_func_proto: its fields by name.
type proto map[string]string

// source holds what the files of a kernel state about helpers.
type source struct {
	protos map[string]proto    // by variable
	uses   map[string][]string // variables that a helper's case returns, by its name
	kfuncs map[string]string   // flags of kernel functions, by name
}

var (
	protoDecl  = regexp.MustCompile(`struct bpf_func_proto (\w+) = \{([^}]*)\}`)
	protoField = regexp.MustCompile(`\.(\w+)\s*=\s*([^,]+),`)
	helperCase = regexp.MustCompile(`case BPF_FUNC_(\w+):`)
	protoName  = regexp.MustCompile(`\b(\w+_proto\w*)\b`)
	helperEnum = regexp.MustCompile(`FN\((\w+), (\d+), `)
	kfuncFlags = regexp.MustCompile(`BTF_ID_FLAGS\(func, *(\w+) *(?:,([^)]*))?\)`)
	sizeofType = regexp.MustCompile(`sizeof\((?:struct )?(\w+)\)`)
)

// readSource reads the files of a kernel that have helpers or kernel functions.
func readSource(dir string) (*source, error) {
	src := &source{map[string]proto{}, map[string][]string{}, map[string]string{}}
	for _, sub := range []string{"kernel", "mm", "net", "drivers", "fs", "security", "io_uring"} {
		err := filepath.WalkDir(filepath.Join(dir, sub), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(path) != ".c" {
				return err
			}
			data, err := os.ReadFile(path)
			if err == nil {
				src.scan(string(data))
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return src, nil
}

// helperRows returns the rows of helpers, by number.
func helperRows(dir string, src *source, spec *btf.Spec) ([]string, error) {
	header, err := os.ReadFile(filepath.Join(dir, "include/uapi/linux/bpf.h"))
	if err != nil {
		return nil, err
	}
	rows := []string{"{}"}
	for _, m := range helperEnum.FindAllStringSubmatch(string(header), -1) {
		n, err := strconv.Atoi(m[2])
		if err != nil || n == 0 {
			continue
		}
		if n != len(rows) {
			return nil, fmt.Errorf("helper %s has number %d, not %d", m[1], n, len(rows))
		}
		rows = append(rows, src.row(m[1], spec))
	}
	return rows, nil
}

// scan notes the prototypes of a file, and which helpers have them.
func (s *source) scan(text string) {
	for _, m := range protoDecl.FindAllStringSubmatch(text, -1) {
		p := proto{}
		for _, f := range protoField.FindAllStringSubmatch(m[2]+",", -1) {
			p[f[1]] = strings.Join(strings.Fields(f[2]), "")
		}
		s.protos[m[1]] = p
	}
	for _, m := range kfuncFlags.FindAllStringSubmatch(text, -1) {
		s.kfuncs[m[1]] += " " + m[2] + " "
	}
	at := helperCase.FindAllStringSubmatchIndex(text, -1)
	for i, m := range at {
		body := text[m[1]:]
		for _, n := range at[i:] { // a case that has no code of its own
			if body = text[n[1]:]; !strings.HasPrefix(strings.TrimSpace(body), "case ") {
				break
			}
		}
		for _, stop := range []string{"case BPF_FUNC_", "default:"} {
			if j := strings.Index(body, stop); j >= 0 {
				body = body[:j]
			}
		}
		name := text[m[2]:m[3]]
		s.uses[name] = append(s.uses[name], protoName.FindAllString(body, -1)...)
	}
}

// row returns the row of a helper: the union of its prototypes' effects.
func (s *source) row(name string, spec *btf.Spec) string {
	vars := append([]string{"bpf_" + name + "_proto"}, s.uses[name]...)
	params, res := -1, ""
	args := make([]string, 5)
	for _, v := range vars {
		p, ok := s.protos[v]
		if !ok {
			continue
		}
		for i := range args {
			if args[i] = worse(args[i], p.arg(i+1, spec)); p[fmt.Sprintf("arg%d_type", i+1)] != "" {
				params = max(params, i+1)
			}
		}
		params = max(params, 0)
		if r := p.result(); res == "" || res == r {
			res = r
		} else {
			res = "Anything"
		}
	}
	if params < 0 {
		return "{}"
	}
	if name == "kptr_xchg" { // check_helper_call: of whatever the map's field holds
		res = "Trusted | OrNull"
	}
	return rowOf(name, params, res, args)
}

// worse returns the argument through which more memory is accessed.
func worse(a, b string) string {
	rank := func(s string) int {
		return slices.IndexFunc([]string{"", "{}", "{Read", "{Write", "{Callback"}, func(p string) bool {
			return p == s || len(p) > 2 && strings.HasPrefix(s, p)
		})
	}
	switch {
	case a == b || rank(a) > rank(b):
		return a
	case rank(a) < rank(b):
		return b
	}
	return a[:strings.Index(a, ",")] + ", Unknown}"
}

// result returns what a helper returns.
func (p proto) result() string {
	base, flags, _ := strings.Cut(p["ret_type"], "|")
	base, orNull := strings.CutSuffix(base, "_OR_NULL")
	null := ""
	if orNull || strings.Contains(flags, "PTR_MAYBE_NULL") {
		null = " | OrNull"
	}
	if r, ok := results[base]; ok {
		if r == "Faulty" && null == "" {
			return "Untrusted"
		}
		return r + null
	}
	return "Anything"
}

// results holds the results by the names of the kernel (include/linux/bpf.h enum
// bpf_return_type, Linux 7.3).
var results = map[string]string{
	"RET_INTEGER":               "Number",
	"RET_VOID":                  "Void",
	"RET_PTR_TO_MAP_VALUE":      "Value",
	"RET_PTR_TO_RINGBUF_MEM":    "Memory",
	"RET_PTR_TO_DYNPTR_MEM":     "Memory",
	"RET_PTR_TO_SOCKET":         "Socket",
	"RET_PTR_TO_SOCK_COMMON":    "Socket",
	"RET_PTR_TO_TCP_SOCK":       "TCPSocket",
	"RET_PTR_TO_BTF_ID_TRUSTED": "Trusted",
	"RET_PTR_TO_BTF_ID":         "Faulty",
	"RET_PTR_TO_MEM_OR_BTF_ID":  "Object",
}

// arg returns what a helper does through argument number i.
//
// Source: kernel/bpf/verifier.c check_func_arg and check_helper_mem_access, Linux 7.3.
func (p proto) arg(i int, spec *btf.Spec) string {
	typ := p[fmt.Sprintf("arg%d_type", i)]
	use := "Read"
	if strings.Contains(typ, "MEM_WRITE") || strings.Contains(typ, "UNINIT") {
		use = "Write"
	}
	is := func(part string) bool { return strings.Contains(typ, part) }
	switch {
	case is("PTR_TO_FUNC"):
		return "{Callback, 0}"
	case is("MAP_KEY"):
		return "{" + use + ", MapKey}"
	case is("MAP_VALUE"):
		return "{" + use + ", MapValue}"
	case is("CONST_STR"):
		return "{" + use + ", Unknown}"
	case is("DYNPTR"):
		return "{Write, 16}"
	case is("FIXED_SIZE_MEM"), is("PTR_TO_LONG"), is("PTR_TO_INT"):
		return fmt.Sprintf("{%s, %s}", use, p.size(i, spec))
	case is("RINGBUF_MEM"):
		return "{}"
	case is("PTR_TO_MEM"), is("UNINIT_MEM"):
		if strings.Contains(p[fmt.Sprintf("arg%d_type", i+1)], "SIZE") {
			return "{" + use + ", Next}"
		}
		return "{" + use + ", Unknown}"
	}
	return "{}"
}

// size returns the size of memory that a prototype fixes.
func (p proto) size(i int, spec *btf.Spec) string {
	m := sizeofType.FindStringSubmatch(p[fmt.Sprintf("arg%d_size", i)])
	if m == nil {
		return "Unknown"
	}
	types, err := spec.AnyTypesByName(m[1])
	if err != nil {
		return "Unknown"
	}
	n, err := btf.Sizeof(types[0])
	if err != nil {
		return "Unknown"
	}
	return fmt.Sprint(n)
}
