package native

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit"
)

// enter calls code with two arguments on a stack that ends at stack, and returns
// rax. It is in enter_linux_amd64.s.
func enter(code, stack, arg1, arg2 uintptr) (rax uint64)

// Sizes in bytes.
const (
	stackBytes  = 64 << 10
	packetBytes = 4096
	maxMapBytes = 64 << 20 // of all maps together
	guard       = 4096     // unmapped, below the stack
)

// Code is an image in executable memory with the memory that it works on. It is
// not safe for concurrent use.
type Code struct {
	img    *jit.Image
	text   []byte // stubs, then the image
	data   []byte // context, maps, tables
	stack  []byte
	start  uintptr // of the image
	ctx    []byte
	packet []byte
	maps   []array
	tables [][]byte
	ticks  []byte // the kernel's jiffies
}

// array is the memory of an array map: a header with the kernel's size, then the
// elements.
type array struct {
	mem     []byte // nil when the map has none here
	header  int
	size    int // of a value
	element int // size of a value, rounded up
}

// Load compiles x, the rewritten form of src, for addresses in this process and places it there.
// src has the maps. If an address that the image needs is not known, the error wraps ErrMissing and
// names it.
func Load(src *bytecode.Program, x *jit.Program, prof jit.Profile, opt Options) (*Code, error) {
	c := &Code{}
	if err := c.allocate(src, x, prof, opt); err != nil {
		c.Close()
		return nil, err
	}
	if err := c.place(*x, prof); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// allocate makes the memory that the program works on.
func (c *Code) allocate(src *bytecode.Program, x *jit.Program, prof jit.Profile, opt Options) error {
	if opt.CtxSize == 0 {
		opt.CtxSize = 4096
	}
	size := roundUp(opt.CtxSize, 64) + packetBytes + 64
	for i := range src.Maps {
		a, err := newArray(&src.Maps[i], prof)
		if err != nil {
			return err
		}
		c.maps = append(c.maps, a)
		size += a.bytes(&src.Maps[i])
	}
	for _, t := range x.Tables {
		size += roundUp(8*len(t), 64)
	}
	if size > maxMapBytes {
		return fmt.Errorf("%w: %d bytes of maps", ErrMissing, size)
	}
	var err error
	const rw = unix.PROT_READ | unix.PROT_WRITE
	if c.data, err = unix.Mmap(-1, 0, size, rw, unix.MAP_PRIVATE|unix.MAP_ANON); err != nil {
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	if c.stack, err = unix.Mmap(-1, 0, guard+stackBytes, rw, unix.MAP_PRIVATE|unix.MAP_ANON); err != nil {
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	if err := unix.Mprotect(c.stack[:guard], unix.PROT_NONE); err != nil {
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	free := c.data
	take := func(n int) []byte {
		b := free[:n:n]
		free = free[roundUp(n, 64):]
		return b
	}
	c.ctx, c.packet, c.ticks = take(opt.CtxSize), take(packetBytes), take(8)
	binary.LittleEndian.PutUint64(c.ticks, Jiffies)
	for i := range c.maps {
		if a := &c.maps[i]; a.element > 0 {
			a.mem = take(a.bytes(&src.Maps[i]))
			copy(a.mem[a.header:][:a.size], src.Maps[i].Value)
		}
	}
	for _, t := range x.Tables {
		c.tables = append(c.tables, take(8*len(t)))
	}
	return nil
}

// newArray lays out a map's memory.
func newArray(m *bytecode.Map, prof jit.Profile) (array, error) {
	if !arrayMap(m) {
		return array{}, nil
	}
	if m.ValueSize > maxMapBytes || m.MaxEntries > maxMapBytes ||
		uint64(m.ValueSize)*uint64(m.MaxEntries) > maxMapBytes {
		return array{}, fmt.Errorf("%w: map of %d times %d bytes", ErrMissing, m.MaxEntries, m.ValueSize)
	}
	return array{header: prof.OffValue, size: int(m.ValueSize), element: max(roundUp(int(m.ValueSize), 8), 8)}, nil
}

// bytes returns the size of the map's memory.
func (a *array) bytes(m *bytecode.Map) int {
	if a.element == 0 {
		return 0
	}
	return roundUp(a.header+a.element*max(int(m.MaxEntries), 1), 64)
}

// place compiles the program for the addresses where it will be. The length of a call or load may
// depend on the address, and so the functions' addresses on themselves; it repeats until they stay
// the same.
func (c *Code) place(x jit.Program, prof jit.Profile) error {
	x.Addresses = jit.Addresses{Value: c.value, Symbol: c.symbol}
	img, err := jit.Compile(&x, prof)
	if err != nil {
		return err
	}
	room := len(stubs)*stubSpacing + 2*len(img.Code) + 4096
	// Below 2 GiB, because a function's address must fit 32 bits, as in the
	// kernel's module area.
	const flags = unix.MAP_PRIVATE | unix.MAP_ANON | unix.MAP_32BIT
	if c.text, err = unix.Mmap(-1, 0, room, unix.PROT_READ|unix.PROT_WRITE, flags); err != nil {
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	for i, s := range stubs {
		copy(c.text[i*stubSpacing:][:stubSpacing], s.code)
	}
	c.start = addr(c.text) + uintptr(len(stubs)*stubSpacing)
	for range 5 {
		funcs := make([]uint64, len(img.Funcs))
		for i, f := range img.Funcs {
			funcs[i] = uint64(c.start) + uint64(f.Offset+f.Entry)
		}
		if slices.Equal(funcs, x.Addresses.Funcs) {
			return c.finish(&x, img)
		}
		x.Addresses.Funcs = funcs
		if img, err = jit.Compile(&x, prof); err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: function addresses do not settle", ErrMissing)
}

// finish copies the image, fills the jump tables and makes the code executable.
func (c *Code) finish(x *jit.Program, img *jit.Image) error {
	for _, r := range img.Relocs {
		if !r.Resolved {
			return fmt.Errorf("%w: %s", ErrMissing, r.Target)
		}
	}
	c.img = img
	copy(c.text[len(stubs)*stubSpacing:], img.Code)
	for i, t := range img.Tables {
		for j, off := range t {
			pc := x.Tables[i][j]
			if pc == jit.Deleted {
				continue // 0: a jump there must not happen, and ends the process
			}
			fn := funcOf(x.Funcs, pc)
			target := uint64(c.start) + uint64(img.Funcs[fn].Offset) + uint64(off)
			binary.LittleEndian.PutUint64(c.tables[i][8*j:], target)
		}
	}
	if err := unix.Mprotect(c.text, unix.PROT_READ|unix.PROT_EXEC); err != nil {
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	return nil
}

// funcOf returns the index of the function that holds an xlated slot.
func funcOf(funcs []jit.Func, pc bytecode.PC) int {
	return slices.IndexFunc(funcs, func(f jit.Func) bool { return f.Start <= pc && pc < f.End })
}

// value gives the addresses of maps and tables.
func (c *Code) value(ref bytecode.Ref) (uint64, bool) {
	switch i := ref.Index; ref.Kind {
	case bytecode.RefMap:
		if i < len(c.maps) && c.maps[i].mem != nil {
			return uint64(addr(c.maps[i].mem)), true
		}
	case bytecode.RefMapValue:
		if i < len(c.maps) && c.maps[i].mem != nil {
			return uint64(addr(c.maps[i].mem[c.maps[i].header:])) + uint64(ref.Off), true
		}
	case bytecode.RefTable:
		if i < len(c.tables) && len(c.tables[i]) > 0 {
			return uint64(addr(c.tables[i])) + uint64(ref.Off), true
		}
	}
	return 0, false
}

// symbol gives the addresses of stubs.
func (c *Code) symbol(name string) (uint64, bool) {
	if name == "jiffies" {
		return uint64(addr(c.ticks)), true
	}
	for i, s := range stubs {
		if slices.Contains(s.names, strings.TrimSpace(name)) && c.text != nil {
			return uint64(addr(c.text)) + uint64(i*stubSpacing), true
		}
	}
	return 0, false
}

// Run copies ctx to where the program can see it, calls the program and copies
// the context back. It errs when there is no room for ctx.
func (c *Code) Run(ctx []byte) (uint64, error) {
	if len(ctx) > len(c.ctx) {
		return 0, fmt.Errorf("context of %d bytes, more than %d", len(ctx), len(c.ctx))
	}
	clear(c.ctx)
	copy(c.ctx, ctx)
	r0 := c.call(addr(c.ctx), 0)
	copy(ctx, c.ctx)
	return r0, nil
}

// RunPlain is Run with the length of the context in R2, and 0 in R1 without a
// context: how bpf_conformance starts programs.
func (c *Code) RunPlain(ctx []byte) (uint64, error) {
	if len(ctx) == 0 {
		return c.call(0, 0), nil
	}
	if len(ctx) > len(c.ctx) {
		return 0, fmt.Errorf("context of %d bytes, more than %d", len(ctx), len(c.ctx))
	}
	copy(c.ctx, ctx)
	r0 := c.call(addr(c.ctx), uintptr(len(ctx)))
	copy(ctx, c.ctx)
	return r0, nil
}

// RunPacket is Run for programs of type xdp: the context is the beginning of a
// struct xdp_buff (data, data_end, data_meta; include/net/xdp.h, Linux 7.3) for a
// copy of the packet, which is copied back.
func (c *Code) RunPacket(packet []byte) (uint64, error) {
	if len(packet) > len(c.packet) {
		return 0, fmt.Errorf("packet of %d bytes, more than %d", len(packet), len(c.packet))
	}
	clear(c.ctx)
	copy(c.packet, packet)
	data := uint64(addr(c.packet))
	binary.LittleEndian.PutUint64(c.ctx[0:], data)
	binary.LittleEndian.PutUint64(c.ctx[8:], data+uint64(len(packet)))
	binary.LittleEndian.PutUint64(c.ctx[16:], data)
	r0 := c.call(addr(c.ctx), 0)
	copy(packet, c.packet)
	return r0, nil
}

// call enters the image with R1 and R2.
func (c *Code) call(r1, r2 uintptr) uint64 {
	entry := c.img.Funcs[0].Offset + c.img.Funcs[0].Entry
	return enter(c.start+uintptr(entry), addr(c.stack)+uintptr(len(c.stack)), r1, r2)
}

// Value returns the value of element 0 of the map with this index, nil when the
// map is no array. It is the map's memory.
func (c *Code) Value(m int) []byte { return c.Element(m, 0) }

// Element returns the value of an element of the map with this index, nil when
// there is none.
func (c *Code) Element(m, i int) []byte {
	a := &c.maps[m]
	if at := a.header + i*a.element; i >= 0 && a.mem != nil && at+a.element <= len(a.mem) {
		return a.mem[at:][:a.size:a.size]
	}
	return nil
}

// Image returns the image that was placed, with all addresses filled in.
func (c *Code) Image() *jit.Image { return c.img }

// Close gives the memory back. Nothing of c may be used afterwards.
func (c *Code) Close() {
	for _, m := range [][]byte{c.text, c.data, c.stack} {
		if m != nil {
			// An error would mean that m is no mapping of ours.
			_ = unix.Munmap(m)
		}
	}
	*c = Code{}
}

// addr returns the address of a mapping's first byte. Mappings do not move.
func addr(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }
