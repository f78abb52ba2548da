package verify

import (
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
)

// Offsets in struct bpf_sock_ops of fields that are read or written with a jump, and
// the ends of the ranges that they make (include/uapi/linux/bpf.h).
const (
	opsTCP, opsTCPEnd       = 76, 88
	opsMore, opsSocket      = 92, 184
	opsData, opsDataEnd     = 192, 200
	opsLength, opsTimestamp = 208, 216
)

// opsField returns the form of an access to a field of struct bpf_sock_ops that takes
// a jump, nil for the others (net/core/filter.c sock_ops_convert_ctx_access, Linux
// 7.3): the socket is read only when it may be, the packet only when there is one.
func (c *source) opsField(in bytecode.Insn, off int, load bool) []pat {
	tcp := off >= opsTCP && off < opsTCPEnd || off >= opsMore && off < opsSocket
	dst := in.Dst
	switch {
	case tcp && !load:
		return opsStore(in)
	case !load:
	case off == opsMore && c.k.has(kernel.MinBare):
		return c.read(in, fetch(dst, dst))
	case tcp:
		return c.opsLoad(in, fetch(dst, in.Src), fetch(dst, dst))
	case off >= opsSocket && off < opsData:
		return c.opsLoad(in, fetch(dst, in.Src))
	case off >= opsTimestamp:
		return c.read(in, p(j64|jeq, dst, 0, 4, 0), fetch(c.ax, dst), fetch(dst, dst), p(w64|opAdd|byReg, dst, c.ax, 0, 0),
			fetch(dst, dst))
	case off >= opsData && off < opsDataEnd, off >= opsLength:
		return c.read(in, p(j64|jeq, dst, 0, 1, 0), fetch(dst, dst))
	}
	return nil
}

// opsLoad is a load that goes on with body when the socket may be read, and gives 0 otherwise
// (SOCK_OPS_GET_FIELD, SOCK_OPS_GET_SK). If the value replaces the context, another register is
// saved in the context meanwhile; some kernels then keep the context in place of 0.
func (c *source) opsLoad(in bytecode.Insn, body ...pat) []pat {
	dst, ctx, n := in.Dst, in.Src, int16(len(body))
	if dst != ctx {
		return append([]pat{fetch(dst, ctx), p(j64|jeq, dst, 0, n, 0)}, body...)
	}
	reg := otherThan(dst, ctx)
	out := []pat{keep(ctx, reg), fetch(reg, ctx), p(j64|jeq, reg, 0, n+2, 0), fetch(reg, ctx)}
	if c.k.has(kernel.OpsKept) {
		return append(append(out, body...), p(bytecode.CodeGoto, 0, 0, 1, 0), fetch(reg, ctx))
	}
	return append(append(out, body...), p(bytecode.CodeGoto, 0, 0, 2, 0), fetch(reg, ctx), p(w64|opMov, dst, 0, 0, 0))
}

// opsStore is a store that is left out when the socket may not be written to
// (SOCK_OPS_SET_FIELD).
func opsStore(in bytecode.Insn) []pat {
	ctx := in.Dst
	reg := otherThan(ctx, in.Src)
	in.Dst = reg
	return []pat{keep(ctx, reg), fetch(reg, ctx), p(j64|jeq, reg, 0, 2, 0), fetch(reg, ctx), store(in), fetch(reg, ctx)}
}

// keep saves a register in the context.
func keep(ctx, reg bytecode.Reg) pat {
	return pat{in: bytecode.Insn{Code: stxD, Dst: ctx, Src: reg}, place: true}
}

// otherThan returns the highest of R9, R8 and R7 that is neither a nor b.
func otherThan(a, b bytecode.Reg) bytecode.Reg {
	reg := bytecode.R9
	for reg == a || reg == b {
		reg--
	}
	return reg
}
