// Package where maps a place in machine code, as a stack trace or a profile names it, to
// the block, the instructions and the line of C that it comes from:
//
//	pos, err := where.Parse("bpf_prog_6deef7357e7b4530_f+0x8a0/0x900")
//	place, err := where.At(analysis, 0, int(pos.Offset))
//	place.Text(os.Stdout)
//
// It does not look for the program: the caller knows which function of which analysis the
// position is in.
package where
