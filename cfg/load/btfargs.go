package load

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// typedFunc is a function's type for a program type.
type typedFunc struct {
	id       uint32
	progType string
}

// argsOf caches args, because any number of functions may have one type.
func (o *object) argsOf(fn uint32, progType string) []string {
	key := typedFunc{fn, progType}
	res, ok := o.args[key]
	if !ok {
		res = o.types.args(fn, progType)
		o.args[key] = res
	}
	return res
}

// maxArgs is one more than the number of parameters that the kernel accepts (include/linux/bpf.h
// MAX_BPF_FUNC_ARGS, Linux 7.3). Further parameters are ignored.
const maxArgs = 13

// args describes the parameters of a global function as the kernel sees them in a program of the
// type (btf_prepare_func_args in kernel/bpf/btf.c, Linux 7.3): see bytecode.Subprogram.Args. It
// returns nil if the type is damaged.
func (b *btfTypes) args(fn uint32, progType string) []string {
	proto := b.at(b.at(fn).size)
	if proto.kind != kindFuncProto {
		return nil
	}
	count := min(proto.vlen, maxArgs)
	res := make([]string, 0, count)
	for i := range count {
		res = append(res, b.arg(b.word(proto, 2*i+1), b.tags[tagged{fn, int32(i)}], progType))
	}
	return res
}

// describe adds the prototype of a function to a subprogram of a program of the type.
func (b *btfTypes) describe(s *bytecode.Subprogram, fn uint32, progType string) {
	proto := b.at(b.at(fn).size)
	if proto.kind != kindFuncProto {
		return
	}
	s.Params, s.Result = proto.vlen, "other"
	switch t := b.at(b.strip(proto.size)); {
	case proto.size == 0:
		s.Result = "void"
	case t.kind == kindInt || t.kind == kindEnum || t.kind == kindEnum64:
		s.Result = "int"
	}
	for i, a := range b.args(fn, progType) {
		_, untyped := strings.CutPrefix(a, "mem:")
		untyped = untyped || strings.HasPrefix(a, "nonnull:") || a == "other" && b.tags[tagged{fn, int32(i)}] == nil
		s.Distrusted = s.Distrusted || untyped && !b.dynptr(b.word(proto, 2*i+1))
	}
}

// dynptr reports whether a type is a pointer to a bpf_dynptr.
func (b *btfTypes) dynptr(typ uint32) bool {
	t := b.at(b.strip(typ))
	to := b.at(b.strip(t.size))
	return t.kind == kindPtr && to.kind == kindStruct && b.str(to.name) == "bpf_dynptr"
}

// arg describes one parameter by its type and declaration tags.
func (b *btfTypes) arg(typ uint32, tags []string, progType string) string {
	t := b.at(b.strip(typ))
	switch t.kind {
	case kindInt, kindEnum, kindEnum64:
		return "scalar"
	case kindPtr:
	default:
		return "other"
	}
	has := map[string]bool{}
	for _, tag := range tags {
		switch tag = strings.TrimPrefix(tag, tagArg); tag {
		case "ctx":
			return "ctx"
		case "arena":
			return "arena"
		case "nonnull", "nullable", "trusted", "untrusted":
			has[tag] = true
		default:
			return "other"
		}
	}
	if b.isContext(t.size, progType) {
		return "ctx"
	}
	if b.toArena(t.size) {
		return "arena"
	}
	pointee := b.at(b.strip(t.size))
	size, ok := b.sizeOf(t.size)
	kernel := ""
	if pointee.kind == kindStruct || pointee.kind == kindFwd {
		kernel, _, _ = strings.Cut(b.str(pointee.name), "___")
	}
	switch {
	case has["untrusted"]:
		return "untrusted:" + kernel
	case has["trusted"] && has["nullable"]:
		return "trusted-or-null:" + kernel
	case has["trusted"]:
		return "trusted:" + kernel
	case pointee.kind == kindStruct && b.str(pointee.name) == "bpf_dynptr" || !ok:
		return "other"
	case has["nonnull"]:
		return fmt.Sprintf("nonnull:%d", size)
	}
	return fmt.Sprintf("mem:%d", size)
}

// toArena reports whether the target of a pointer is tagged as memory of an arena, which is a tag
// of the parameter since Linux 7.3 (kernel/bpf/btf.c btf_scan_type_tags).
func (b *btfTypes) toArena(id uint32) bool {
	for range btfMaxDepth {
		switch t := b.at(id); t.kind {
		case kindTypeTag:
			if b.str(t.name) == "arena" {
				return true
			}
			id = t.size
		case kindTypedef, kindVolatile, kindConst, kindRestrict:
			id = t.size
		default:
			return false
		}
	}
	return false
}

// isContext reports whether a pointer to the type is the context of a program type: the structure
// has the name that C programs use for the context. For kprobes that name is a typedef, or the
// registers of the machine. The context of an extension is that of a program that is not known
// here.
func (b *btfTypes) isContext(typ uint32, progType string) bool {
	known := func(name string) bool { return name != "" && name == contextTypes[progType] }
	if progType == "ext" {
		known = func(name string) bool {
			for _, n := range contextTypes {
				if n == name {
					return true
				}
			}
			return false
		}
	}
	for range btfMaxDepth {
		t := b.at(typ)
		switch t.kind {
		case kindTypedef:
			if known(b.str(t.name)) {
				return true
			}
			typ = t.size
		case kindVolatile, kindConst, kindRestrict, kindTypeTag:
			typ = t.size
		case kindStruct, kindFwd:
			name := b.str(t.name)
			return known(name) || progType == "kprobe" && name == "pt_regs"
		default:
			return false
		}
	}
	return false
}

// coreKind is a kind of CO-RE relocation by number (enum bpf_core_relo_kind in
// include/uapi/linux/bpf.h).
type coreKind uint32

const (
	coreByteOffset coreKind = iota
	coreByteSize
	coreFieldExists
	coreSigned
	coreLshift
	coreRshift
	coreLocalID
	coreTargetID
	coreTypeExists
	coreTypeSize
	coreEnumExists
	coreEnumValue
	coreTypeMatches
)

// coreKinds names the value that a CO-RE relocation yields, by kind.
var coreKinds = [...]string{
	coreByteOffset: "byte offset of", coreByteSize: "size of", coreFieldExists: "existence of",
	coreSigned: "signedness of", coreLshift: "left shift of", coreRshift: "right shift of",
	coreLocalID: "own type number of", coreTargetID: "type number of",
	coreTypeExists: "existence of", coreTypeSize: "size of",
	coreEnumExists: "existence of", coreEnumValue: "value of", coreTypeMatches: "whether it matches",
}

// most returns the largest number that the relocation can yield, 0 if it can be any.
func (info coreInfo) most() uint64 {
	switch info.kind {
	case coreFieldExists, coreTypeExists, coreEnumExists, coreTypeMatches, coreSigned:
		return 1
	case coreLshift, coreRshift:
		return 64
	case coreByteOffset, coreByteSize, coreTypeSize, coreLocalID, coreTargetID:
		return math.MaxInt32
	}
	return 0
}

// corePath describes a CO-RE relocation: "byte offset of struct task_struct.pid". Members are
// named as far as the access path, a list of indices that starts with an array index, can be
// followed.
func (b *btfTypes) corePath(info coreInfo) string {
	kind := fmt.Sprintf("kind %d of", info.kind)
	if int(info.kind) < len(coreKinds) {
		kind = coreKinds[info.kind]
	}
	return kind + " " + b.typeName(info.typ) + b.memberPath(info.typ, b.str(info.path))
}

// typeName returns a type as C writes it, without qualifiers.
func (b *btfTypes) typeName(id uint32) string {
	t := b.at(id)
	name := b.str(t.name)
	if name == "" {
		name = "(anonymous)"
	}
	switch t.kind {
	case kindStruct, kindUnion, kindEnum:
		return map[btfKind]string{kindStruct: "struct ", kindUnion: "union ", kindEnum: "enum "}[t.kind] + name
	case kindEnum64:
		return "enum " + name
	case kindFwd:
		return "struct " + name
	}
	return name
}

// maxPath is the number of steps of the longest access path that libbpf accepts
// (BPF_CORE_SPEC_MAX_LEN). Further steps are ignored.
const maxPath = 64

// memberPath turns the access path "0:4:1" into ".member.member". The part that cannot be
// followed stays as numbers, ":4:1".
func (b *btfTypes) memberPath(typ uint32, path string) string {
	var sb strings.Builder
	steps := strings.SplitN(path, ":", maxPath+1)
	steps = steps[:min(len(steps), maxPath)]
	id := b.strip(typ)
	isEnum := func(t btfType) bool { return t.kind == kindEnum || t.kind == kindEnum64 }
	if len(steps) > 0 && steps[0] == "0" && !isEnum(b.at(id)) {
		steps = slices.Delete(steps, 0, 1)
	}
	for _, step := range steps {
		t := b.at(id)
		i, err := strconv.Atoi(step)
		if err != nil || i < 0 || i >= t.vlen ||
			t.kind != kindStruct && t.kind != kindUnion && !isEnum(t) {
			sb.WriteString(":" + step)
			id = 0
			continue
		}
		if isEnum(t) {
			words := map[btfKind]int{kindEnum: 2, kindEnum64: 3}[t.kind]
			sb.WriteString("." + b.str(b.word(t, words*i)))
			id = 0
			continue
		}
		m := b.member(t, i)
		if m.name != "" {
			sb.WriteString("." + m.name)
		}
		id = b.strip(m.typ)
	}
	return sb.String()
}
