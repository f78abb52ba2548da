package load

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// Functions returns a program's functions from BTF, in order of slots: name, linkage, the
// parameters of global functions as the kernel sees them for the program type, and which function
// is the exception callback. Ends are not set.
//
// The types are a whole BTF object in the byte order given. Each element of info is the slot at
// which a function starts and the id of its type, as in the func_info of BPF_PROG_LOAD. Damaged
// types, and ids that are not functions, are errors.
func Functions(types []byte, order binary.ByteOrder, info [][2]uint32, progType string) ([]bytecode.Subprogram, error) {
	b, err := parseBTF(types, order)
	if err != nil {
		return nil, err
	}
	o := &object{types: b, args: map[typedFunc][]string{}, callback: map[uint32][]string{}}
	out := make([]bytecode.Subprogram, 0, len(info))
	callback := ""
	for _, at := range info {
		slot, id := at[0], at[1]
		t := b.at(id)
		if t.kind != kindFunc {
			return nil, fmt.Errorf("function at %d has type %d, which is not a function: %w", slot, id, errBTF)
		}
		s := bytecode.Subprogram{Name: b.str(t.name), Start: bytecode.PC(slot), Global: t.vlen == btfGlobal}
		b.describe(&s, id, progType)
		if s.Global {
			s.Args = o.argsOf(id, progType)
		}
		if names := o.callbacksOf(id); len(names) > 0 {
			callback = names[len(names)-1]
		}
		out = append(out, s)
	}
	for i := range out {
		out[i].Exception = callback != "" && out[i].Name == callback
	}
	slices.SortStableFunc(out, func(x, y bytecode.Subprogram) int { return int(x.Start - y.Start) })
	return out, nil
}

// callbacksOf returns the exception callbacks that BTF names for a function.
func (o *object) callbacksOf(id uint32) []string {
	names, ok := o.callback[id]
	if ok { // any number of functions may have one name
		return names
	}
	for _, tag := range o.types.tags[tagged{id, -1}] {
		if name, ok := strings.CutPrefix(tag, tagException); ok {
			names = append(names, name)
		}
	}
	o.callback[id] = names
	return names
}
