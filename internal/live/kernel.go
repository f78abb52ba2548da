package live

import (
	"bufio"
	"bytes"
	"os"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// Kernel reads the properties of the running kernel. It reads each file once,
// when it is first needed, and is not for use by several goroutines.
type Kernel struct {
	release string
	symbols []symbol // by address
	byName  map[string]uint64
	read    bool
}

// symbol is a line of /proc/kallsyms.
type symbol struct {
	addr uint64
	name string
}

// NewKernel returns a Kernel of which nothing has been read yet.
func NewKernel() *Kernel { return &Kernel{} }

// Release returns the kernel's release ("6.18.44"), empty when it is not known.
func (k *Kernel) Release() string {
	if k.release == "" {
		b, _ := os.ReadFile("/proc/sys/kernel/osrelease")
		k.release = strings.TrimSpace(string(b))
	}
	return k.release
}

// load reads /proc/kallsyms, once.
func (k *Kernel) load() {
	if k.read {
		return
	}
	k.read = true
	data, err := os.ReadFile("/proc/kallsyms")
	if err != nil {
		return
	}
	k.symbols, k.byName = parseSymbols(data)
}

// parseSymbols reads "ffffffff81000000 T name [module]" lines. Lines without address, which a
// kernel shows to users from whom it hides pointers, are left out. Of several addresses with one
// name the lowest counts.
func parseSymbols(data []byte) ([]symbol, map[string]uint64) {
	var list []symbol
	byName := map[string]uint64{}
	lines := bufio.NewScanner(bytes.NewReader(data))
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) < 3 {
			continue
		}
		addr, err := strconv.ParseUint(f[0], 16, 64)
		if err != nil || addr == 0 {
			continue
		}
		list = append(list, symbol{addr, f[2]})
	}
	slices.SortStableFunc(list, func(a, b symbol) int {
		switch {
		case a.addr < b.addr:
			return -1
		case a.addr > b.addr:
			return 1
		}
		return 0
	})
	for _, s := range list {
		if _, ok := byName[s.name]; !ok {
			byName[s.name] = s.addr
		}
	}
	return list, byName
}

// Address returns the address of a kernel symbol.
func (k *Kernel) Address(name string) (uint64, bool) {
	k.load()
	a, ok := k.byName[name]
	return a, ok
}

// Name returns the kernel symbol that starts at an address, of several the
// shortest, then the first in order of bytes.
func (k *Kernel) Name(addr uint64) (string, bool) {
	k.load()
	i := sort.Search(len(k.symbols), func(i int) bool { return k.symbols[i].addr >= addr })
	best := ""
	for ; i < len(k.symbols) && k.symbols[i].addr == addr; i++ {
		n := k.symbols[i].name
		if best == "" || len(n) < len(best) || len(n) == len(best) && n < best {
			best = n
		}
	}
	return best, best != ""
}

// jitSymbols returns the symbols that machine code of programs may refer to by name: thunks, and
// the address from which helper numbers count.
func (k *Kernel) jitSymbols() map[string]uint64 {
	k.load()
	out := map[string]uint64{}
	for name, addr := range k.byName {
		if strings.HasPrefix(name, "__x86_") || strings.HasSuffix(name, "_return_thunk") ||
			name == "__bpf_call_base" || name == "this_cpu_off" || name == "clear_bhb_loop" {
			out[name] = addr
		}
	}
	return out
}

// Blinds reports whether the kernel blinds constants of programs that this
// process loads with all capabilities (net.core.bpf_jit_harden is 2).
func Blinds() bool {
	b, err := os.ReadFile("/proc/sys/net/core/bpf_jit_harden")
	return err == nil && strings.TrimSpace(string(b)) == "2"
}

// jitOn reports whether the kernel compiles programs, as far as it is known.
func (k *Kernel) jitOn() bool {
	b, err := os.ReadFile("/proc/sys/net/core/bpf_jit_enable")
	return err != nil || strings.TrimSpace(string(b)) != "0"
}
