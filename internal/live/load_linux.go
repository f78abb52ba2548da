//go:build linux && amd64

package live

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/internal/replay"
	"github.com/bpfcfg/bpfcfg/internal/sysbpf"
)

// Load loads a program with its maps, reads the kernel's result, and unloads everything before it
// returns. Nothing is attached or pinned. Each instruction gets a line record of its own, so that
// Capture.Lines has the place of each submitted slot; the tables in the Capture are in the order of
// the program's.
//
// An error that wraps ErrRefused is the kernel's verdict on the program.
func Load(p *bytecode.Program, opt LoadOptions, k *Kernel) (*Program, error) {
	out, unload, err := Hold(p, opt, k)
	if err != nil {
		return nil, err
	}
	unload()
	return out, nil
}

// Hold is Load without unloading: the caller calls unload. The end of the
// process does the same.
func Hold(p *bytecode.Program, opt LoadOptions, k *Kernel) (out *Program, unload func(), err error) {
	l := &loader{p: p, opt: opt, kernel: k}
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	for _, step := range []func() error{l.createMaps, l.createTables, l.patch, l.addTypes, l.addOriginal} {
		if err := step(); err != nil {
			return nil, nil, err
		}
	}
	fd, log, err := l.load()
	if err != nil {
		return nil, nil, err
	}
	l.prog = fd
	if out, err = Read(fd, k); err != nil {
		return nil, nil, err
	}
	out.Log = log
	if err = l.relate(out); err != nil {
		return nil, nil, err
	}
	return out, l.close, nil
}

// loader is the work of one Load.
type loader struct {
	p      *bytecode.Program
	opt    LoadOptions
	kernel *Kernel
	vmBTF  *btf.Spec // of the kernel, nil before it is needed

	insns  []bytecode.Insn
	maps   []sysbpf.FD // by map of the program
	tables []sysbpf.FD // by table of the program
	// fdArray begins with the bound descriptors, which the program claims
	// whether or not an instruction refers to them.
	fdArray []int32
	bound   int
	prog    sysbpf.FD // 0 for none
	types   sysbpf.FD // 0 for none
	// Of an extension, the program that has the function which it replaces, with its types.
	original []sysbpf.FD
	replaces uint32
	typed    map[int]*btf.Func // of subprograms that have a certain type
	btf      []byte            // the raw form of types
	funcs    []sysbpf.FuncInfo

	sourceLines []sysbpf.LineInfo
}

// close closes all descriptors, which unloads their objects.
func (l *loader) close() {
	for _, fd := range slices.Concat(l.maps, l.tables, l.original) {
		fd.Close()
	}
	for _, fd := range []sysbpf.FD{l.prog, l.types} {
		if fd > 0 {
			fd.Close()
		}
	}
}

// Map types that are treated specially (enum bpf_map_type).
const (
	mapPerfEventArray = 4
	mapArrayOfMaps    = 12
	mapHashOfMaps     = 13
	mapStructOps      = 26
)

// mapName returns a name that the kernel accepts.
func mapName(name string) string {
	clean := strings.Map(func(c rune) rune {
		if c == '_' || c == '.' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
			return c
		}
		return '_'
	}, name)
	return clean[:min(len(clean), 15)]
}

// createMaps creates the maps with their initial values.
func (l *loader) createMaps() error {
	for i := range l.p.Maps {
		m := &l.p.Maps[i]
		fd, err := createOuter(m)
		if err != nil {
			return fmt.Errorf("map %q: %w", m.Name, err)
		}
		l.maps = append(l.maps, fd)
		if err := fill(fd, m); err != nil {
			return fmt.Errorf("map %q: %w", m.Name, err)
		}
	}
	return nil
}

// createOuter creates one map, of others if it is a map of maps: the kernel copies their properties
// from a prototype, which is closed afterwards. The map is empty.
func createOuter(m *bytecode.Map) (sysbpf.FD, error) {
	if m.Type != mapArrayOfMaps && m.Type != mapHashOfMaps {
		return createMap(m, 0)
	}
	if m.Inner == nil {
		return -1, errors.New("the prototype of its inner maps is not known")
	}
	inner, err := createMap(m.Inner, 0)
	if err != nil {
		return -1, fmt.Errorf("prototype of its inner maps: %w", err)
	}
	defer inner.Close()
	return createMap(m, inner)
}

// createMap creates a map. Inner is the prototype of the inner maps of a map of maps.
func createMap(m *bytecode.Map, inner sysbpf.FD) (sysbpf.FD, error) {
	spec := sysbpf.Map{
		Type: m.Type, KeySize: m.KeySize, ValueSize: m.ValueSize, MaxEntries: m.MaxEntries, Flags: m.Flags,
		Name: mapName(m.Name), Inner: inner,
	}
	switch m.Type {
	case 0:
		return -1, errors.New("its definition is not known")
	case mapStructOps:
		return -1, errors.New("maps of type struct_ops are not supported here")
	case mapPerfEventArray:
		if spec.MaxEntries == 0 {
			spec.MaxEntries = 1
		}
	case record.MapArray:
		if m.Name == ".kconfig" && m.Value == nil {
			return -1, errors.New("values of the kernel's configuration are not filled in here")
		}
	}
	fd, err := sysbpf.CreateMap(&spec)
	if err != nil {
		return -1, explain("create", err)
	}
	return fd, nil
}

// fill sets the initial value of a map, and freezes one that is constant.
func fill(fd sysbpf.FD, m *bytecode.Map) error {
	if m.Value != nil && m.Type == record.MapArray {
		if err := sysbpf.Update(fd, make([]byte, 4), m.Value); err != nil {
			return fmt.Errorf("set value: %w", err)
		}
	}
	if m.ReadOnly && m.Value != nil {
		if err := sysbpf.Freeze(fd); err != nil {
			return fmt.Errorf("freeze: %w", err)
		}
	}
	return nil
}

// createTables creates the jump tables as instruction arrays.
func (l *loader) createTables() error {
	for _, t := range l.p.Tables {
		spec := sysbpf.Map{Type: record.MapInsnArray, KeySize: 4, ValueSize: 16, MaxEntries: uint32(len(t.Targets)),
			Name: mapName(t.Name)}
		fd, err := sysbpf.CreateMap(&spec)
		if errors.Is(err, unix.EINVAL) {
			return fmt.Errorf("jump table %q: %w: this kernel, %s, has no instruction arrays (Linux 6.19)", t.Name,
				ErrRefused, l.kernel.Release())
		}
		if err != nil {
			return explain(fmt.Sprintf("jump table %q: create", t.Name), err)
		}
		l.tables = append(l.tables, fd)
		key, value := make([]byte, 4), make([]byte, 16)
		for i, pc := range t.Targets {
			binary.LittleEndian.PutUint32(key, uint32(i))
			binary.LittleEndian.PutUint32(value, uint32(pc))
			if err := sysbpf.Update(fd, key, value); err != nil {
				return fmt.Errorf("jump table %q: entry %d: %w", t.Name, i, err)
			}
		}
		if !t.Unfrozen {
			if err := sysbpf.Freeze(fd); err != nil {
				return fmt.Errorf("jump table %q: freeze: %w", t.Name, err)
			}
		}
	}
	return nil
}

// patch puts descriptors, type numbers and addresses into the instructions.
func (l *loader) patch() error {
	l.insns = append([]bytecode.Insn(nil), l.p.Insns...)
	for i, t := range l.p.Tables {
		if t.FDArray {
			l.fdArray = append(l.fdArray, int32(l.tables[i]))
		}
	}
	l.bound = len(l.fdArray)
	for _, r := range l.p.Relocs {
		if r.State == bytecode.RelocPending {
			return fmt.Errorf("slot %d: %s: give the kernel's types with --btf, or load the program with another loader "+
				"and use live:ID", r.PC, r.Note())
		}
	}
	for _, r := range l.p.Refs {
		if err := l.patchOne(r); err != nil {
			return fmt.Errorf("slot %d: %w", r.PC, err)
		}
	}
	return nil
}

// patchOne patches the operand of one instruction.
func (l *loader) patchOne(r bytecode.Ref) error {
	in := &l.insns[r.PC]
	switch r.Kind {
	case bytecode.RefMap, bytecode.RefMapValue:
		l.patchMap(in, l.maps[r.Index])
	case bytecode.RefTable, bytecode.RefTableMap:
		l.patchMap(in, l.tables[r.Index])
	case bytecode.RefFunc, bytecode.RefHelper:
	case bytecode.RefKfunc:
		id, err := l.kernelType(r.Name, new(*btf.Func))
		if err != nil {
			return fmt.Errorf("kernel function %q: %w", r.Name, err)
		}
		in.Imm, in.Off = int32(id), 0
	case bytecode.RefKsym:
		return l.patchKsym(r, in)
	default:
		return fmt.Errorf("%q is unknown", r.Name)
	}
	return nil
}

// patchMap inserts a map: its descriptor, or for a load by index the place of its descriptor in
// fd_array.
func (l *loader) patchMap(in *bytecode.Insn, fd sysbpf.FD) {
	if in.Src != bytecode.LdMapIdx && in.Src != bytecode.LdMapIdxValue {
		in.Imm = int32(fd)
		return
	}
	i := slices.Index(l.fdArray, int32(fd))
	if i < 0 {
		i = len(l.fdArray)
		l.fdArray = append(l.fdArray, int32(fd))
	}
	in.Imm = int32(i)
}

// patchKsym inserts a kernel variable: by its type, or by its address.
func (l *loader) patchKsym(r bytecode.Ref, in *bytecode.Insn) error {
	if in.Src == bytecode.LdBTFID {
		id, err := l.kernelType(r.Name, new(*btf.Var))
		if err != nil {
			return fmt.Errorf("kernel variable %q: %w", r.Name, err)
		}
		in.Imm = int32(id)
		return nil
	}
	addr, ok := l.kernel.Address(r.Name)
	if !ok {
		return fmt.Errorf("kernel symbol %q: its address is unknown", r.Name)
	}
	in.Imm, l.insns[r.PC+1].Imm = int32(uint32(addr)), int32(addr>>32)
	return nil
}

// kernelType returns the number of a type of the running kernel.
func (l *loader) kernelType(name string, typ any) (btf.TypeID, error) {
	if l.vmBTF == nil {
		spec, err := btf.LoadKernelSpec()
		if err != nil {
			return 0, fmt.Errorf("types of the kernel: %w", err)
		}
		l.vmBTF = spec
	}
	if err := l.vmBTF.TypeByName(name, typ); err != nil {
		return 0, err
	}
	switch t := typ.(type) {
	case **btf.Func:
		return l.vmBTF.TypeID(*t)
	case **btf.Var:
		return l.vmBTF.TypeID(*t)
	case **btf.Typedef:
		return l.vmBTF.TypeID(*t)
	case **btf.Struct:
		return l.vmBTF.TypeID(*t)
	}
	panic("bug: a kind of type that no caller asks for")
}

// Room for the verifier's log in bytes: of a log with only the reason, and of one with the states
// at each instruction.
const (
	logSize     = 1 << 20
	longLogSize = 16 << 20
)

// load loads the program. The log is what the options ask for.
func (l *loader) load() (fd sysbpf.FD, log string, err error) {
	typ, err := progType(l.p.Type)
	if err != nil {
		return -1, "", err
	}
	req := &sysbpf.Load{
		Type: typ, AttachType: l.p.AttachType, Flags: l.p.Flags, Name: mapName(l.p.Name),
		License: l.opt.License, Insns: bytecode.Encode(l.insns, binary.LittleEndian),
		BTF: l.types, Funcs: l.funcs, Lines: l.lines(), FDArray: l.fdArray, Bound: l.bound,
		LogSize: logSize, LogLevel: l.opt.LogLevel,
	}
	if l.opt.LogLevel > 1 {
		req.LogSize = longLogSize
	}
	if l.opt.AttachType != 0 {
		req.AttachType = l.opt.AttachType
	}
	if req.License == "" {
		req.License = "GPL"
	}
	if err := l.attach(req); err != nil {
		return -1, "", err
	}
	fd, log, err = sysbpf.LoadProg(req)
	switch {
	case err == nil:
		return fd, log, nil
	case errors.Is(err, unix.EPERM) && log == "":
		return -1, "", explain("load", err)
	}
	return -1, "", &Refusal{Errno: unix.ErrnoName(errnoOf(err)), Line: verdict(log), Log: log}
}

// errnoOf returns the number of a system call's error.
func errnoOf(err error) unix.Errno {
	var n unix.Errno
	errors.As(err, &n)
	return n
}

// verdict returns the line of a verifier log with the reason, empty if there is none. Since Linux
// 7.1 an explanation of several paragraphs may follow that line.
func verdict(log string) string {
	var last string
	if i := strings.Index(log, "\nVerification failed:"); i >= 0 {
		log = log[:i]
	}
	for text := range strings.Lines(log) {
		text = strings.TrimSpace(text)
		if text != "" && !strings.HasPrefix(text, "processed ") && !strings.HasPrefix(text, "verification time") &&
			!strings.HasPrefix(text, "stack depth") && !strings.HasPrefix(text, "cur state:") &&
			!strings.HasPrefix(text, "old state:") {
			last = text
		}
	}
	return last
}

// attach sets the attachment of a program that is bound when it is loaded.
func (l *loader) attach(req *sysbpf.Load) (err error) {
	if l.p.Type != "ext" {
		req.AttachBTF, err = l.attachID()
		return err
	}
	req.AttachProg, req.AttachBTF = l.original[0], l.replaces
	return nil
}

// attachID returns the type of the target that a tracing program attaches to, or of the structure
// that a struct_ops is a member of; 0 for other programs.
func (l *loader) attachID() (uint32, error) {
	name := l.p.AttachTo
	if name == "" {
		return 0, nil
	}
	var id btf.TypeID
	var err error
	what := "kernel function"
	switch {
	case l.p.Type == "struct_ops":
		what = "kernel structure"
		id, err = l.kernelType(strings.TrimPrefix(name, "struct "), new(*btf.Struct))
	case l.p.Type != "tracing" && l.p.Type != "lsm":
		return 0, nil
	case strings.HasPrefix(name, "btf_trace_"):
		id, err = l.kernelType(name, new(*btf.Typedef))
	default:
		id, err = l.kernelType(name, new(*btf.Func))
	}
	if err != nil {
		return 0, fmt.Errorf("section %q: %s %q: %w", l.p.Section, what, name, err)
	}
	return uint32(id), nil
}

// progType returns the number of a program type.
func progType(name string) (uint32, error) {
	if name == "" {
		return 0, errors.New("the program's type is unknown: libbpf does not know the name of its section")
	}
	for n := range uint64(64) {
		if record.ProgTypeName(strconv.FormatUint(n, 10)) == name {
			return uint32(n), nil
		}
	}
	return 0, fmt.Errorf("unknown program type %q", name)
}

// relate replaces line records by slots as submitted, and puts tables in the
// order of the source.
func (l *loader) relate(out *Program) error {
	c := out.Capture
	for i := range c.Lines {
		if !l.opt.SourceLines {
			c.Lines[i].Insn = out.lineNumbers[i]
		}
	}
	c.Source = l.insns
	c.Tables = nil
	for i, fd := range l.tables {
		m, err := (&reader{}).readMap(fd)
		if err != nil {
			return fmt.Errorf("read jump table %q: %w", l.p.Tables[i].Name, err)
		}
		c.Tables = append(c.Tables, replay.CapturedTable{Name: l.p.Tables[i].Name, Entries: m.entries})
	}
	for i := range c.Funcs {
		for _, s := range l.p.Subprogs {
			c.Funcs[i].Exception = c.Funcs[i].Exception || s.Exception && s.Name == c.Funcs[i].Name
		}
	}
	return nil
}
