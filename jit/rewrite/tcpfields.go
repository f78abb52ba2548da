package rewrite

import (
	"strings"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
)

// tcpFields are the fields that struct bpf_sock_ops and struct bpf_tcp_sock have of
// struct tcp_sock, each in its own place.
func tcpFields(start int16, then fieldThen, names ...string) []field {
	var out []field
	for _, name := range names {
		size := int16(4)
		if name == "bytes_received" || name == "bytes_acked" {
			size = 8
		}
		path := "tcp_sock." + name
		switch name {
		case "rtt_min":
			path += "+minmax_sample.v"
		case "icsk_retransmits":
			path = "inet_connection_sock." + name
		}
		out = append(out, field{start, start + size, path, fieldWhole, then})
		start += size
	}
	return out
}

// tcpSockFields are the fields of struct bpf_tcp_sock
// (bpf_tcp_sock_convert_ctx_access).
func tcpSockFields() []field {
	return tcpFields(0, thenNothing, "snd_cwnd", "srtt_us", "rtt_min", "snd_ssthresh", "rcv_nxt", "snd_nxt", "snd_una",
		"mss_cache", "ecn_flags", "rate_delivered", "rate_interval_us", "packets_out", "retrans_out", "total_retrans",
		"segs_in", "data_segs_in", "segs_out", "data_segs_out", "lost_out", "sacked_out", "bytes_received",
		"bytes_acked", "dsack_dups", "delivered", "delivered_ce", "icsk_retransmits")
}

// sysctlFields are the fields of struct bpf_sysctl (kernel/bpf/cgroup.c
// sysctl_convert_ctx_access).
func sysctlFields() []field {
	return []field{
		{0, 4, "bpf_sysctl_kern.write", 0, 0},
		{4, 8, "bpf_sysctl_kern.ppos/loff_t", fieldStash | fieldWords, 0},
	}
}

// sockOpsFields are the fields of struct bpf_sock_ops (sock_ops_convert_ctx_access).
func sockOpsFields() []field {
	const sk, skb = "bpf_sock_ops_kern.sk/", "bpf_sock_ops_kern.skb/"
	out := []field{
		{0, 4, "bpf_sock_ops_kern.op", fieldWhole, 0},
		{4, 20, "bpf_sock_ops_kern.replylong", fieldWhole | fieldWords, 0},
		{20, 24, sk + "sock_common.skc_family", fieldWhole, 0},
		{24, 28, sk + "sock_common.skc_daddr", fieldWhole, 0},
		{28, 32, sk + "sock_common.skc_rcv_saddr", fieldWhole, 0},
		{32, 48, sk + "sock_common.skc_v6_daddr", fieldWhole | fieldWords, 0},
		{48, 64, sk + "sock_common.skc_v6_rcv_saddr", fieldWhole | fieldWords, 0},
		{64, 68, sk + "sock_common.skc_dport", fieldWhole, thenPort},
		{68, 72, sk + "sock_common.skc_num", fieldWhole, 0},
		{72, 76, "bpf_sock_ops_kern.is_fullsock", fieldWhole, 0},
		{88, 92, sk + "sock_common.skc_state", fieldWhole, 0},
		{164, 168, "sock.sk_txhash", fieldWhole, thenOps},
		{184, 192, "", fieldWhole, thenOpsSock},
		{192, 200, skb + "sk_buff.data", fieldWhole | fieldNull, 0},
		{200, 208, "bpf_sock_ops_kern.skb_data_end", fieldWhole, 0},
		{208, 212, skb + "sk_buff.len", fieldWhole | fieldNull, 0},
		{212, 216, skb + "sk_buff.cb+tcp_skb_cb.tcp_flags", fieldNull, 0},
		{216, 224, "skb_shared_info.hwtstamps", fieldWhole, thenOpsShinfo},
	}
	// The first match counts: sk_txhash is a field of struct sock, above.
	out = append(out, tcpFields(76, thenOps, "snd_cwnd", "srtt_us", "bpf_sock_ops_cb_flags")...)
	return append(out, tcpFields(92, thenOps, "rtt_min", "snd_ssthresh", "rcv_nxt", "snd_nxt", "snd_una", "mss_cache",
		"ecn_flags", "rate_delivered", "rate_interval_us", "packets_out", "retrans_out", "total_retrans", "segs_in",
		"data_segs_in", "segs_out", "data_segs_out", "lost_out", "sacked_out", "sk_txhash", "bytes_received",
		"bytes_acked")...)
}

// opsGuard returns the member that says whether the socket of a struct
// bpf_sock_ops_kern may be read, its offset and size. Builds before Linux 6.15 do
// not distinguish locked sockets from full ones.
func (c *converter) opsGuard() (off int16, size int) {
	const locked = "bpf_sock_ops_kern.is_locked_tcp_sock"
	if _, ok := c.st.member(locked); ok && c.field.then == thenOps {
		return c.place(locked)
	}
	return c.place("bpf_sock_ops_kern.is_fullsock")
}

// opsField loads a field of the socket, or the socket, if that may be read, and 0 otherwise
// (SOCK_OPS_GET_FIELD and SOCK_OPS_GET_SK of net/core/filter.c, Linux 7.3). With one register for
// both, another one is kept in the context meanwhile, and kernels with OpsKept leave the context in it
// in place of 0.
func (c *converter) opsField() []slot {
	dst, src := c.in.Dst, c.in.Src
	guard, size := c.opsGuard()
	temp, _ := c.place("bpf_sock_ops_kern.temp")
	sk, _ := c.place("bpf_sock_ops_kern.sk")
	body := []slot{ldx(8, dst, src, sk)}
	if c.field.then == thenOps {
		off, bytes := c.place(c.field.path)
		body = append(body, ldx(bytes, dst, dst, off))
	}
	if strings.Contains(c.field.path, ".rtt_min") && c.one(kernel.MinGuard, kernel.MinBare) == kernel.MinBare {
		return body
	}
	if dst != src {
		return append([]slot{ldx(size, dst, src, guard), raw(j64|jeq, dst, 0, int16(len(body)), 0)}, body...)
	}
	reg := spare(src, dst)
	out := []slot{
		raw(stxD, src, reg, temp, 0),
		ldx(size, reg, src, guard),
		raw(j64|jeq, reg, 0, int16(len(body)+2), 0),
		ldx(8, reg, src, temp),
	}
	out = append(out, body...)
	if c.one(kernel.OpsZero, kernel.OpsKept) == kernel.OpsKept {
		return append(out, raw(bytecode.CodeGoto, 0, 0, 1, 0), ldx(8, reg, src, temp))
	}
	return append(out,
		raw(bytecode.CodeGoto, 0, 0, 2, 0),
		ldx(8, reg, src, temp),
		raw(w64|opMov, dst, 0, 0, 0))
}

// storeOps stores to the socket when it is locked (SOCK_OPS_SET_FIELD).
func (c *converter) storeOps() []slot {
	ctx := c.in.Dst
	guard, size := c.opsGuard()
	temp, _ := c.place("bpf_sock_ops_kern.temp")
	sk, _ := c.place("bpf_sock_ops_kern.sk")
	off, bytes := c.place(c.field.path)
	reg := spare(c.in.Src, ctx)
	return []slot{
		raw(stxD, ctx, reg, temp, 0),
		ldx(size, reg, ctx, guard),
		raw(j64|jeq, reg, 0, 2, 0),
		ldx(8, reg, ctx, sk),
		c.emit(bytes, reg, off),
		ldx(8, reg, ctx, temp),
	}
}

// opsShinfo loads from the shared part of the packet, if there is one.
func (c *converter) opsShinfo() []slot {
	dst := c.in.Dst
	skb, _ := c.place("bpf_sock_ops_kern.skb")
	off, size := c.place(c.field.path)
	out := []slot{ldx(8, dst, c.in.Src, skb), raw(j64|jeq, dst, 0, 4, 0)}
	c.in.Src = dst
	return append(append(out, c.shinfo()...), ldx(min(size, 8), dst, dst, off))
}
