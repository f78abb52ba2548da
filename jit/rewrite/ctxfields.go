package rewrite

// field is a field of a context as programs see it: bytes from to end, and the replacement of an
// access. Without flags that is a chain of loads along path, the first from the context.
type field struct {
	from, end int16
	path      string // "sk_buff.dev/net_device.ifindex"
	flags     fieldFlags
	// then says what follows the last load.
	then fieldThen
}

type fieldFlags uint8

const (
	fieldRaw   fieldFlags = 1 << iota // accessed with the instruction's own size, at its own distance
	fieldWords                        // an array of words: the distance from the start counts
	fieldNull                         // the first pointer of the path may be null
	fieldWide                         // 8 bytes, of which parts may be read
	fieldWhole                        // no part may be read
	fieldStash                        // stores through a pointer keep a register in tmp_reg
)

type fieldThen uint8

const (
	thenNothing fieldThen = iota
	thenPktType           // & 7
	thenPresent           // whether it is not 0
	thenNapi              // 0 unless it is a number of a queue
	thenPort              // << 16
	thenQueue             // all ones unless there is a queue
	thenTstamp            // see tstamp
	thenTstampType
	thenShinfo // the path starts at the shared part of the packet
	thenDataEnd
	thenQueueStore // a store that does nothing from NO_QUEUE_MAPPING on
	thenZero       // always 0
	thenOps        // of a socket that is locked, else 0; see opsField
	thenOpsSock    // the socket itself, if it is a full one
	thenOpsShinfo  // the path starts at the shared part of the packet, if there is one
)

// skbFields are the fields of struct __sk_buff (include/uapi/linux/bpf.h;
// net/core/filter.c bpf_convert_ctx_access, Linux 7.3).
func skbFields() []field {
	return []field{
		{0, 4, "sk_buff.len", 0, 0},
		{4, 8, "sk_buff.__pkt_type_offset", 0, thenPktType},
		{8, 12, "sk_buff.mark", 0, 0},
		{12, 16, "sk_buff.queue_mapping", 0, thenQueueStore},
		{16, 20, "sk_buff.protocol", 0, 0},
		{20, 24, "sk_buff.vlan_all", 0, thenPresent},
		{24, 28, "sk_buff.vlan_tci", 0, 0},
		{28, 32, "sk_buff.vlan_proto", 0, 0},
		{32, 36, "sk_buff.priority", 0, 0},
		{36, 40, "sk_buff.skb_iif", 0, 0},
		{40, 44, "sk_buff.dev/net_device.ifindex", fieldNull, 0},
		{44, 48, "sk_buff.tc_index", 0, 0},
		{48, 68, "sk_buff.cb+qdisc_skb_cb.data", fieldRaw, 0},
		{68, 72, "sk_buff.hash", 0, 0},
		{72, 76, "sk_buff.cb+qdisc_skb_cb.tc_classid", 0, 0},
		{76, 80, "sk_buff.data", fieldWhole, 0},
		{80, 84, "sk_buff.cb+bpf_skb_data_end.data_end", fieldWhole, 0},
		{84, 88, "sk_buff.napi_id", 0, thenNapi},
		{88, 92, "sk_buff.sk/sock_common.skc_family", 0, 0},
		{92, 96, "sk_buff.sk/sock_common.skc_daddr", 0, 0},
		{96, 100, "sk_buff.sk/sock_common.skc_rcv_saddr", 0, 0},
		{100, 116, "sk_buff.sk/sock_common.skc_v6_daddr", fieldWords, 0},
		{116, 132, "sk_buff.sk/sock_common.skc_v6_rcv_saddr", fieldWords, 0},
		{132, 136, "sk_buff.sk/sock_common.skc_dport", 0, thenPort},
		{136, 140, "sk_buff.sk/sock_common.skc_num", 0, 0},
		{140, 144, "sk_buff.cb+bpf_skb_data_end.data_meta", fieldWhole, 0},
		{152, 160, "sk_buff.tstamp", fieldWhole, thenTstamp},
		{160, 164, "sk_buff.cb+qdisc_skb_cb.pkt_len", 0, 0},
		{164, 168, "skb_shared_info.gso_segs", 0, thenShinfo},
		{168, 176, "sk_buff.sk", fieldWhole, 0},
		{176, 180, "skb_shared_info.gso_size", 0, thenShinfo},
		{180, 181, "sk_buff.tc_at_ingress", fieldWhole, thenTstampType},
		{184, 192, "skb_shared_info.hwtstamps", fieldWhole, thenShinfo},
	}
}

// contextFields returns the fields of the context of a program type, nil when they are not known
// here. The first match counts.
func contextFields(progType string) []field {
	switch progType {
	case "sched_cls", "sched_act":
		return append([]field{{40, 44, "sk_buff.dev/net_device.ifindex", 0, 0}}, skbFields()...)
	case "socket_filter", "cgroup_skb", "lwt_in", "lwt_out", "lwt_xmit", "lwt_seg6local":
		return skbFields()
	case "sk_skb":
		return append([]field{
			{48, 68, "sk_buff.cb+sk_skb_cb.data", fieldRaw, 0},
			{80, 84, "sk_buff.cb+sk_skb_cb.temp_reg", fieldWhole, thenDataEnd},
		}, skbFields()...)
	case "xdp":
		return []field{
			{0, 4, "xdp_buff.data", fieldWhole, 0},
			{4, 8, "xdp_buff.data_end", fieldWhole, 0},
			{8, 12, "xdp_buff.data_meta", fieldWhole, 0},
			{12, 16, "xdp_buff.rxq/xdp_rxq_info.dev/net_device.ifindex", fieldWhole, 0},
			{16, 20, "xdp_buff.rxq/xdp_rxq_info.queue_index", fieldWhole, 0},
			{20, 24, "xdp_buff.txq/xdp_txq_info.dev/net_device.ifindex", fieldWhole, 0},
		}
	case "flow_dissector":
		return []field{
			{76, 80, "bpf_flow_dissector.data", fieldWhole, 0},
			{80, 84, "bpf_flow_dissector.data_end", fieldWhole, 0},
			{144, 152, "bpf_flow_dissector.flow_keys", fieldWhole, 0},
		}
	case "cgroup_sock":
		return sockFields()
	case "cgroup_sock_addr":
		return sockAddrFields()
	case "perf_event": // struct pt_regs in front, 168 bytes on x86-64
		return []field{
			{168, 176, "bpf_perf_event_data_kern.data/perf_sample_data.period", fieldWide, 0},
			{176, 184, "bpf_perf_event_data_kern.data/perf_sample_data.addr", fieldWide, 0},
			{0, 168, "bpf_perf_event_data_kern.regs/pt_regs", fieldRaw, 0},
		}
	case "sk_msg":
		return skMsgFields()
	case "sk_lookup":
		return skLookupFields()
	case "sk_reuseport":
		return reuseportFields()
	case "sock_ops":
		return sockOpsFields()
	case "cgroup_sysctl":
		return sysctlFields()
	case "cgroup_sockopt":
		return []field{
			{0, 8, "bpf_sockopt_kern.sk", fieldWhole, 0},
			{8, 16, "bpf_sockopt_kern.optval", fieldWhole, 0},
			{16, 24, "bpf_sockopt_kern.optval_end", fieldWhole, 0},
			{24, 28, "bpf_sockopt_kern.level", fieldWhole, 0},
			{28, 32, "bpf_sockopt_kern.optname", fieldWhole, 0},
			{32, 36, "bpf_sockopt_kern.optlen", fieldWhole, 0},
			{36, 40, "bpf_sockopt_kern.current_task/task_struct.bpf_ctx/bpf_cg_run_ctx.retval", fieldWhole | fieldStash, 0},
		}
	}
	return nil
}

// reuseportFields are those of struct sk_reuseport_md (sk_reuseport_convert_ctx_access).
func reuseportFields() []field {
	return []field{
		{0, 8, "sk_reuseport_kern.skb/sk_buff.data", fieldWhole, 0},
		{8, 16, "sk_reuseport_kern.data_end", fieldWhole, 0},
		{16, 20, "sk_reuseport_kern.skb/sk_buff.len", 0, 0},
		{20, 24, "sk_reuseport_kern.skb/sk_buff.protocol", 0, 0},
		{24, 28, "sk_reuseport_kern.sk/sock.sk_protocol", 0, 0},
		{28, 32, "sk_reuseport_kern.bind_inany", 0, 0},
		{32, 36, "sk_reuseport_kern.hash", 0, 0},
		{40, 48, "sk_reuseport_kern.sk", fieldWhole, 0},
		{48, 56, "sk_reuseport_kern.migrating_sk", fieldWhole, 0},
	}
}

// sockFields are the fields of struct bpf_sock (bpf_sock_convert_ctx_access).
func sockFields() []field {
	return []field{
		{0, 4, "sock_common.skc_bound_dev_if", 0, 0},
		{4, 8, "sock_common.skc_family", 0, 0},
		{8, 12, "sock.sk_type", 0, 0},
		{12, 16, "sock.sk_protocol", 0, 0},
		{16, 20, "sock.sk_mark", 0, 0},
		{20, 24, "sock.sk_priority", 0, 0},
		{24, 28, "sock_common.skc_rcv_saddr", 0, 0},
		{28, 44, "sock_common.skc_v6_rcv_saddr", fieldWords, 0},
		{44, 48, "sock_common.skc_num", 0, 0},
		{48, 52, "sock_common.skc_dport", 0, 0},
		{52, 56, "sock_common.skc_daddr", 0, 0},
		{56, 72, "sock_common.skc_v6_daddr", fieldWords, 0},
		{72, 76, "sock_common.skc_state", 0, 0},
		{76, 80, "sock_common.skc_rx_queue_mapping", 0, thenQueue},
	}
}

// sockAddrFields are the fields of struct bpf_sock_addr
// (sock_addr_convert_ctx_access).
func sockAddrFields() []field {
	return []field{
		{0, 4, "bpf_sock_addr_kern.uaddr/sockaddr.sa_family", 0, 0},
		{4, 8, "bpf_sock_addr_kern.uaddr/sockaddr_in.sin_addr", fieldStash | fieldWords, 0},
		{8, 24, "bpf_sock_addr_kern.uaddr/sockaddr_in6.sin6_addr", fieldStash | fieldWords, 0},
		{24, 28, "bpf_sock_addr_kern.uaddr/sockaddr_in6.sin6_port", fieldStash, 0},
		{28, 32, "bpf_sock_addr_kern.sk/sock_common.skc_family", 0, 0},
		{32, 36, "bpf_sock_addr_kern.sk/sock.sk_type", 0, 0},
		{36, 40, "bpf_sock_addr_kern.sk/sock.sk_protocol", 0, 0},
		{40, 44, "bpf_sock_addr_kern.t_ctx/in_addr", fieldStash | fieldWords, 0},
		{44, 60, "bpf_sock_addr_kern.t_ctx/in_addr", fieldStash | fieldWords, 0},
		{64, 72, "bpf_sock_addr_kern.sk", fieldWhole, 0},
	}
}

// skMsgFields are the fields of struct sk_msg_md (sk_msg_convert_ctx_access).
func skMsgFields() []field {
	return []field{
		{0, 8, "sk_msg.data", fieldWhole, 0},
		{8, 16, "sk_msg.data_end", fieldWhole, 0},
		{16, 20, "sk_msg.sk/sock_common.skc_family", fieldWhole, 0},
		{20, 24, "sk_msg.sk/sock_common.skc_daddr", fieldWhole, 0},
		{24, 28, "sk_msg.sk/sock_common.skc_rcv_saddr", fieldWhole, 0},
		{28, 44, "sk_msg.sk/sock_common.skc_v6_daddr", fieldWhole | fieldWords, 0},
		{44, 60, "sk_msg.sk/sock_common.skc_v6_rcv_saddr", fieldWhole | fieldWords, 0},
		{60, 64, "sk_msg.sk/sock_common.skc_dport", fieldWhole, thenPort},
		{64, 68, "sk_msg.sk/sock_common.skc_num", fieldWhole, 0},
		{68, 72, "sk_msg.sg.size", fieldWhole, 0},
		{72, 80, "sk_msg.sk", fieldWhole, 0},
	}
}

// skLookupFields are the fields of struct bpf_sk_lookup
// (sk_lookup_convert_ctx_access).
func skLookupFields() []field {
	return []field{
		{0, 8, "bpf_sk_lookup_kern.selected_sk", fieldWhole, 0},
		{8, 12, "bpf_sk_lookup_kern.family", 0, 0},
		{12, 16, "bpf_sk_lookup_kern.protocol", 0, 0},
		{16, 20, "bpf_sk_lookup_kern.v4.saddr", 0, 0},
		{20, 36, "bpf_sk_lookup_kern.v6.saddr/in6_addr", fieldWords | fieldNull, 0},
		{36, 38, "bpf_sk_lookup_kern.sport", 0, 0},
		{38, 40, "bpf_sk_lookup_kern.sport", 0, thenZero},
		{40, 44, "bpf_sk_lookup_kern.v4.daddr", 0, 0},
		{44, 60, "bpf_sk_lookup_kern.v6.daddr/in6_addr", fieldWords | fieldNull, 0},
		{60, 64, "bpf_sk_lookup_kern.dport", 0, 0},
		{64, 68, "bpf_sk_lookup_kern.ingress_ifindex", 0, 0},
	}
}
