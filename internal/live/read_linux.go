//go:build linux && amd64

package live

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/internal/replay"
	"github.com/bpfcfg/bpfcfg/internal/sysbpf"
)

// explain describes an error of the system call.
func explain(what string, err error) error {
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return fmt.Errorf("%s: %w", what, ErrPermission)
	case errors.Is(err, unix.ENOSYS):
		return fmt.Errorf("%s: %w", what, ErrNoBPF)
	case errors.Is(err, unix.ENOENT):
		return fmt.Errorf("%s: %w", what, ErrNoSuch)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// open finds a program and reads it.
func open(sel Selector, k *Kernel) (*Program, error) {
	var fd sysbpf.FD
	var err error
	switch {
	case sel.Name != "":
		fd, err = byName(sel.Name)
	case sel.Pin != "":
		if fd, err = sysbpf.Pinned(sel.Pin); err == nil && fd.Kind() != "bpf-prog" {
			kind := fd.Kind()
			fd.Close()
			return nil, fmt.Errorf("the file is a pinned %s, not a program", kind)
		}
		if errors.Is(err, unix.ENOENT) {
			return nil, fmt.Errorf("no such file")
		}
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EACCES) {
			return nil, fmt.Errorf("the file is not in a BPF file system, or may not be read")
		}
	default:
		fd, err = sysbpf.ProgByID(sel.ID)
	}
	if err != nil {
		return nil, explain("open", err)
	}
	defer fd.Close()
	return Read(fd, k)
}

// byName opens the only program with a name: that of its entry function, or the first 15 bytes of
// it, which the kernel keeps.
func byName(name string) (sysbpf.FD, error) {
	var ids []uint32
	found := sysbpf.FD(-1)
	for id := uint32(0); ; {
		next, ok, err := sysbpf.ProgNextID(id)
		if err != nil {
			return -1, err
		}
		if !ok {
			break
		}
		id = next
		fd, err := sysbpf.ProgByID(id)
		if errors.Is(err, unix.ENOENT) {
			continue // unloaded meanwhile
		}
		if err != nil {
			return -1, err
		}
		if !isCalled(fd, name) {
			fd.Close()
			continue
		}
		if ids = append(ids, id); len(ids) > 1 {
			fd.Close()
			continue
		}
		found = fd
	}
	switch {
	case len(ids) == 0:
		return -1, unix.ENOENT
	case len(ids) > 1:
		found.Close()
		return -1, fmt.Errorf("%d programs have this name: use live:ID with one of %s", len(ids), listIDs(ids))
	}
	return found, nil
}

// isCalled reports whether a program has the name.
func isCalled(fd sysbpf.FD, name string) bool {
	info, err := sysbpf.ReadProg(fd)
	if err != nil || info.Name == "" || !strings.HasPrefix(name, info.Name) {
		return false
	}
	if info.Name == name {
		return true
	}
	t := readTypes(info)
	return len(info.Name) == 15 && (t == nil || len(info.Funcs) > 0 && t.name(info.Funcs[0].Type) == name)
}

// listIDs joins at most ten numbers.
func listIDs(ids []uint32) string {
	var out []string
	for i, id := range ids {
		if i == 10 {
			out = append(out, "…")
			break
		}
		out = append(out, fmt.Sprint(id))
	}
	return strings.Join(out, ", ")
}

// IDs returns the numbers of all programs of the kernel in ascending order.
func IDs() ([]uint32, error) {
	var ids []uint32
	for id := uint32(0); ; {
		next, ok, err := sysbpf.ProgNextID(id)
		if err != nil {
			return nil, explain("list programs", err)
		}
		if !ok {
			return ids, nil
		}
		id = next
		ids = append(ids, id)
	}
}

// Read reads the program of a descriptor.
func Read(fd sysbpf.FD, k *Kernel) (*Program, error) {
	info, err := sysbpf.ReadProg(fd)
	if err != nil {
		return nil, explain("read", err)
	}
	if len(info.Xlated) == 0 {
		return nil, ErrHidden
	}
	r := &reader{info: info, kernel: k, types: readTypes(info)}
	if r.dump, err = bytecode.Decode(info.Xlated, binary.LittleEndian); err != nil {
		return nil, err
	}
	if err := r.readMaps(); err != nil {
		return nil, err
	}
	r.findFuncs()
	p := &Program{ID: info.ID, Tag: info.Tag, Symbols: r.names, verified: info.VerifiedInsns}
	p.Program = r.program()
	p.Capture, p.lineNumbers = r.capture(p.Program.Name)
	return p, nil
}

// reader is the work of one Read.
type reader struct {
	info   *sysbpf.Prog
	kernel *Kernel
	types  *types
	dump   []bytecode.Insn

	maps   []*mapOf
	starts []bytecode.PC // of functions, also of one that the verifier appended
	names  []string      // of functions, empty when unknown
	diags  []string
}

// mapOf is a map of the program.
type mapOf struct {
	sysbpf.Map
	name    string // unique among the program's maps
	value   []byte // of an array of one element
	entries []replay.CapturedEntry
}

// diag records what is not known about the program.
func (r *reader) diag(format string, args ...any) {
	r.diags = append(r.diags, fmt.Sprintf(format, args...))
}

// Limits on what is read of maps: bytes of a value, elements of an instruction
// array (as many as a program may have instructions).
const (
	maxValue = 16 << 20
	maxTable = 1_000_000
)

// readMaps reads the program's maps, and the relevant contents.
func (r *reader) readMaps() error {
	seen := map[string]bool{}
	for _, id := range r.info.MapIDs {
		fd, err := sysbpf.MapByID(id)
		if err != nil {
			return explain(fmt.Sprintf("open map %d", id), err)
		}
		m, err := r.readMap(fd)
		fd.Close()
		if err != nil {
			return explain(fmt.Sprintf("read map %d", id), err)
		}
		m.name = m.Name
		if m.name == "" || seen[m.name] {
			m.name = fmt.Sprintf("%s#%d", m.Name, id)
		}
		seen[m.name] = true
		r.maps = append(r.maps, m)
	}
	return nil
}

// readMap reads one map.
func (r *reader) readMap(fd sysbpf.FD) (*mapOf, error) {
	info, err := sysbpf.ReadMap(fd)
	if err != nil {
		return nil, err
	}
	m := &mapOf{Map: *info}
	key := make([]byte, 4)
	switch {
	case m.Type == record.MapArray && m.MaxEntries == 1 && m.ValueSize <= maxValue:
		m.value = make([]byte, m.ValueSize)
		if err := sysbpf.Lookup(fd, key, m.value); err != nil {
			r.diag("map %d: its value cannot be read: %v", m.ID, err)
			m.value = nil
		}
	case m.Type == record.MapInsnArray && m.MaxEntries <= maxTable:
		v := make([]byte, 16)
		for i := range m.MaxEntries {
			binary.LittleEndian.PutUint32(key, i)
			if err := sysbpf.Lookup(fd, key, v); err != nil {
				return nil, err
			}
			le := binary.LittleEndian
			m.entries = append(m.entries, replay.CapturedEntry{Orig: le.Uint32(v), Xlated: le.Uint32(v[4:]),
				Jitted: le.Uint32(v[8:])})
		}
	}
	return m, nil
}

// findFuncs finds the first slots and names of functions. A dump holds them in
// calls and function addresses; function records have all of them when the
// program has types. Both are needed: a function that only the verifier calls
// has no call, and types may be missing.
func (r *reader) findFuncs() {
	n := max(len(r.info.FuncLens), 1)
	starts := make([]bytecode.PC, n)
	for i := range starts {
		starts[i] = -1
	}
	starts[0] = 0
	set := func(i int, pc bytecode.PC) {
		if i > 0 && i < n && pc > 0 && int(pc) < len(r.dump) && starts[i] < 0 {
			starts[i] = pc
		}
	}
	r.names = make([]string, n)
	for i, f := range r.info.Funcs {
		if len(r.info.Funcs) == n {
			set(i, bytecode.PC(f.Slot))
			r.names[i] = r.types.name(f.Type)
		}
	}
	for pc := 0; pc < len(r.dump); pc += int(r.dump[pc].Slots()) {
		in := r.dump[pc]
		switch {
		case in.IsSubprogramCall() && in.Off != 0:
			set(int(in.Imm), bytecode.PC(pc+1+int(in.Off)))
		case in.IsWide() && in.Src == bytecode.LdFunc && pc+1 < len(r.dump):
			set(int(r.dump[pc+1].Imm), bytecode.PC(pc+1+int(in.Imm)))
		}
	}
	r.lineStarts(set)
	if r.names[0] == "" {
		r.names[0] = r.info.Name
	}
	r.starts = starts
}

// lineStarts takes the first slots of functions from line records, whose first
// in each function has the function's address.
func (r *reader) lineStarts(set func(int, bytecode.PC)) {
	if len(r.info.JitedLines) != len(r.info.Lines) {
		return
	}
	for i, l := range r.info.Lines {
		if f := slices.Index(r.info.Ksyms, r.info.JitedLines[i]); f >= 0 {
			set(f, bytecode.PC(l.Slot))
		}
	}
}
