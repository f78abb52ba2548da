package interp

import "encoding/binary"

// Byte offsets in struct __sk_buff and struct xdp_md (include/uapi/linux/bpf.h).
const (
	skbLen        = 0
	skbMark       = 8
	skbProtocol   = 16
	skbPriority   = 32
	skbIngress    = 36
	skbIfindex    = 40
	skbCB         = 48
	skbCBEnd      = 68
	skbData       = 76
	skbDataEnd    = 80
	skbDataMeta   = 140
	skbTstamp     = 152
	skbTstampEnd  = 160
	skbWireLen    = 160
	skbSize       = 192
	xdpData       = 0
	xdpDataEnd    = 4
	xdpDataMeta   = 8
	xdpSize       = 24
	ethHeaderSize = 14
	ethTypeOff    = 12
)

// XDPInput returns the input of an xdp program for a packet, as a test run has
// it (net/bpf/test_run.c bpf_prog_test_run_xdp, Linux 7.3).
func XDPInput(packet []byte) Input {
	return Input{
		Ctx: make([]byte, xdpSize), Packet: packet,
		Fields: []CtxField{{xdpData, 0}, {xdpDataEnd, int64(len(packet))}, {xdpDataMeta, 0}},
	}
}

// SKBInput returns the input of a program whose context is a socket buffer, for
// a packet that begins with an Ethernet header and a context of which a test
// run takes mark, priority, cb and the like (net/bpf/test_run.c
// bpf_prog_test_run_skb, Linux 7.3). With l2 the program sees the Ethernet
// header, as sched_cls does and socket_filter does not.
func SKBInput(ctx, packet []byte, l2 bool) Input {
	in := Input{Ctx: make([]byte, max(skbSize, len(ctx))), Packet: packet}
	copy(in.Ctx, ctx)
	if len(packet) >= ethHeaderSize {
		copy(in.Ctx[skbProtocol:], packet[ethTypeOff:ethHeaderSize])
		if !l2 {
			in.Packet = packet[ethHeaderSize:]
		}
	}
	n := len(in.Packet)
	binary.LittleEndian.PutUint32(in.Ctx[skbLen:], uint32(n))
	binary.LittleEndian.PutUint32(in.Ctx[skbWireLen:], uint32(n))
	binary.LittleEndian.PutUint32(in.Ctx[skbIfindex:], 1) // the loopback device
	in.Fields = []CtxField{{skbData, 0}, {skbDataEnd, int64(n)}, {skbDataMeta, 0}}
	return in
}

// SKBResult returns the context that a test run returns for the context before, if the program left
// after: the fields that the kernel copies from the socket buffer, and the others unchanged.
func SKBResult(before, after []byte) []byte {
	out := make([]byte, len(before))
	copy(out, before)
	for _, f := range [][2]int{
		{skbMark, skbMark + 4}, {skbPriority, skbPriority + 4}, {skbIngress, skbIngress + 4},
		{skbIfindex, skbIfindex + 4}, {skbCB, skbCBEnd}, {skbTstamp, skbTstampEnd}, {skbWireLen, skbWireLen + 4},
	} {
		if f[1] <= len(out) && f[1] <= len(after) {
			copy(out[f[0]:f[1]], after[f[0]:f[1]])
		}
	}
	return out
}
