package jit

import (
	"slices"
)

// Limits of the loop over walks (bpf_int_jit_compile in bpf_jit_comp.c).
const (
	maxWalks     = 20
	paddingWalks = 15  // from this walk on jumps keep their size
	maxBody      = 128 // bytes of code per instruction (BPF_MAX_INSN_SIZE)
)

// The sizes of jumps depend on distances, and distances on the sizes of jumps.
// The kernel starts from an estimate that is too large and walks over the
// function until its total size stays the same:
//
//	addrs[0]    end of the prologue = start of slot 0
//	addrs[k+1]  end of slot k       = start of slot k+1
//
// A walk replaces the entries one by one, so that while it is at slot k, addrs[0..k] are its own
// and the rest is the walk's before. A backward jump compares a new with an old offset. Only if
// this is the same here do the walks in between have the kernel's sizes; and these matter, because
// the loop ends on the first repetition of the total, not on a fixpoint of all entries.
//
// The entry after the first slot of a 64-bit immediate load is never updated
// and never used.

// compile walks over the function until its code is final, and appends that to
// the image.
func (c *function) compile() error {
	walks, size, err := c.converge()
	if err != nil {
		return err
	}
	// Now the kernel allocates memory and walks again to write the code. In a program of several
	// functions, each function is walked once more after all addresses are known. That walk pads,
	// and its bytes replace the earlier ones.
	c.settled = true
	if c.multi() {
		if err := c.repeat(size); err != nil {
			return err
		}
		walks++
		c.padding = true
	}
	c.emit = true
	c.origin = len(c.img.Code)
	c.img.Code = slices.Grow(c.img.Code, size)
	if err := c.repeat(size); err != nil {
		return err
	}
	c.finish(walks + 1)
	return nil
}

// converge walks until the size of the code repeats. It returns the number of
// walks and the size.
func (c *function) converge() (walks, size int, err error) {
	for i := range c.addrs {
		c.addrs[i] = int32(64 * (i + 1))
	}
	c.exitOff = int32(64 * (len(c.insns) + 1))
	old := 0
	for i := range maxWalks {
		c.padding = i >= paddingWalks
		size, err = c.walk()
		if err != nil {
			return 0, 0, err
		}
		if size == old {
			c.padding = i+1 >= paddingWalks
			return i + 1, size, nil
		}
		old = size
	}
	return 0, 0, c.failure(-1, ErrNoConvergence, "")
}

// repeat walks once more over a settled function.
func (c *function) repeat(size int) error {
	n, err := c.walk()
	if err == nil && n != size {
		err = c.failure(-1, ErrUnstable, "")
	}
	return err
}

// walk emits the function once, into nothing unless c.emit is set, and returns
// the size of its code.
func (c *function) walk() (int, error) {
	c.slot, c.next, c.exited, c.start, c.err = -1, 0, false, 0, nil
	c.x.Reset()
	c.prologue()
	c.addrs[0] = int32(c.x.Len())
	c.flush()
	for k := 0; k < len(c.insns); {
		in := c.insns[k]
		c.slot, c.start = k, c.addrs[k]
		c.x.Reset()
		c.instruction(in)
		if c.x.Len() > maxBody {
			c.fail(ErrTooLong, "%d bytes", c.x.Len())
		}
		k += int(in.Slots())
		end := c.start + int32(c.x.Len())
		if c.settled && end != c.addrs[k] {
			c.fail(ErrUnstable, "offset %d, was %d", end, c.addrs[k])
		}
		if c.err != nil {
			return 0, c.err
		}
		c.addrs[k] = end
		c.flush()
	}
	return int(c.addrs[len(c.insns)]), nil
}

// flush appends the code in c.x to the image in the last walk.
func (c *function) flush() {
	if c.emit {
		c.img.Code = append(c.img.Code, c.x.Bytes()...)
	}
}

// finish records the function's place and the offsets of its slots.
func (c *function) finish(walks int) {
	epilogue := -1
	if c.exited {
		epilogue = int(c.exitOff)
	}
	c.img.Funcs = append(c.img.Funcs, FuncImage{
		Name:     c.fn.Name,
		Offset:   c.origin,
		Len:      len(c.img.Code) - c.origin,
		Entry:    c.cfiLen(),
		Prologue: int(c.addrs[0]),
		Epilogue: epilogue,
		Walks:    walks,
	})
	offsets := c.img.Offsets[c.fn.Start:c.fn.End]
	copy(offsets, c.addrs)
	for k := 0; k < len(c.insns); k++ {
		if c.insns[k].IsWide() {
			k++
			offsets[k] = c.addrs[k+1]
		}
	}
}
