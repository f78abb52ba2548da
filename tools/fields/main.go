// Command fields writes a program for each place of a context, size and direction of access, as
// records without results, for a kernel to be asked:
//
//	go -C tools run ./fields -only xdp,sk_msg > /tmp/fields.jsonl
//	bpfcfg ask --vm IMAGE -o fields.jsonl.gz record:/tmp/fields.jsonl
//
// The programs try all places that a structure could have, so the kernel shows which accesses
// exist. They load into another register and into the same, and store a register and a constant.
// The command knows no fields and judges nothing.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/cilium/ebpf/asm"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/record"
)

// context is what is accessed: the context of a program type, or a socket that the
// program gets by the instructions before the access.
type context struct {
	name     string
	progType string
	attach   uint32
	bytes    int // size of the structure that programs see
	result   int32
	socket   int16 // offset of a pointer to a socket that is loaded first, -1 for none
	helper   int32 // helper that turns that into another kind of socket
}

// contexts lists the structures (include/uapi/linux/bpf.h).
func contexts() []context {
	const skb, sock, tcp = 192, 80, 112
	of := func(name, progType string, attach uint32, bytes int, result int32) context {
		return context{name, progType, attach, bytes, result, -1, 0}
	}
	out := []context{
		of("xdp", "xdp", 0, 24, 2), of("perf_event", "perf_event", 0, 184, 0),
		of("sock_create", "cgroup_sock", 2, sock, 1), of("post_bind4", "cgroup_sock", 12, sock, 1),
		of("sock_ops", "sock_ops", 3, 224, 1), of("sk_msg", "sk_msg", 7, sock, 1),
		of("sk_lookup", "sk_lookup", 36, 72, 1), of("sk_reuseport", "sk_reuseport", 39, 56, 1),
		of("migrate", "sk_reuseport", 40, 56, 1), of("sysctl", "cgroup_sysctl", 18, 8, 1),
		of("getsockopt", "cgroup_sockopt", 21, 40, 1), of("setsockopt", "cgroup_sockopt", 22, 40, 1),
		of("netfilter", "netfilter", 45, 16, 1), of("cgroup_device", "cgroup_device", 6, 12, 1),
		{"skb_sock", "cgroup_skb", 0, sock, 1, 168, 95}, {"tcp_sock", "cgroup_skb", 0, tcp, 1, 168, 96},
	}
	for _, t := range []string{"socket_filter", "sched_cls", "sched_act", "cgroup_skb", "sk_skb", "flow_dissector",
		"lwt_in", "lwt_out", "lwt_xmit", "lwt_seg6local"} {
		out = append(out, of(t, t, 0, skb, 0))
	}
	for _, a := range []struct {
		name   string
		attach uint32
	}{{"bind4", 8}, {"bind6", 9}, {"sendmsg4", 14}, {"sendmsg6", 15}} {
		out = append(out, of(a.name, "cgroup_sock_addr", a.attach, 72, 1))
	}
	return out
}

// program returns a program with one access.
func (c *context) program(kind string, size int, off int16) []bytecode.Insn {
	mem := func(class asm.Class) uint8 {
		sizes := map[int]asm.Size{1: asm.Byte, 2: asm.Half, 4: asm.Word, 8: asm.DWord}
		return uint8(class) | uint8(asm.MemMode) | uint8(sizes[size])
	}
	const (
		movImm = 0xb7 // 64-bit, of a constant
		movReg = 0xbf
		load64 = 0x79
		jeq    = 0x15
	)
	r0, r1, r2 := bytecode.R0, bytecode.R1, bytecode.R2
	var out []bytecode.Insn
	if c.socket >= 0 {
		out = append(out,
			bytecode.Insn{Code: load64, Dst: r1, Src: r1, Off: c.socket},
			bytecode.Insn{Code: jeq, Dst: r1, Off: 5},
			bytecode.Insn{Code: bytecode.CodeCall, Imm: c.helper},
			bytecode.Insn{Code: jeq, Dst: r0, Off: 3},
			bytecode.Insn{Code: movReg, Dst: r1, Src: r0},
			bytecode.Insn{Code: movImm, Dst: r2})
	}
	if kind == "store" && c.socket < 0 {
		out = append(out, bytecode.Insn{Code: movImm, Dst: r2})
	}
	switch kind {
	case "load":
		out = append(out, bytecode.Insn{Code: mem(asm.LdXClass), Dst: r2, Src: r1, Off: off})
	case "same":
		out = append(out, bytecode.Insn{Code: mem(asm.LdXClass), Dst: r1, Src: r1, Off: off})
	case "store":
		out = append(out, bytecode.Insn{Code: mem(asm.StXClass), Dst: r1, Src: r2, Off: off})
	case "const":
		out = append(out, bytecode.Insn{Code: mem(asm.StClass), Dst: r1, Off: off})
	}
	return append(out, bytecode.Insn{Code: movImm, Dst: r0, Imm: c.result}, bytecode.Insn{Code: bytecode.CodeExit})
}

func main() {
	only := flag.String("only", "", "the names of the contexts to write, as in xdp,sk_msg (default: all)")
	flag.Parse()
	list := contexts()
	if *only != "" {
		all := list
		list = nil
		for name := range strings.SplitSeq(*only, ",") {
			i := slices.IndexFunc(all, func(c context) bool { return c.name == name })
			if i < 0 {
				fmt.Fprintf(os.Stderr, "fields: no context is named %s\n", name)
				os.Exit(2)
			}
			list = append(list, all[i])
		}
	}
	if err := write(os.Stdout, list); err != nil {
		fmt.Fprintln(os.Stderr, "fields:", err)
		os.Exit(1)
	}
}

// write writes the programs of contexts as records without results.
func write(to io.Writer, list []context) error {
	w := bufio.NewWriter(to)
	enc := json.NewEncoder(w)
	n := 0
	for _, c := range list {
		for _, size := range []int{1, 2, 4, 8} {
			for off := 0; off+size <= c.bytes; off += size {
				for _, kind := range []string{"load", "same", "store", "const"} {
					job := &record.Job{
						Name:     fmt.Sprintf("fields/%s/%s%d@%d", c.name, kind, size, off),
						ProgType: c.progType, AttachType: c.attach,
						Insns: record.Slots(c.program(kind, size, int16(off))),
					}
					if err := enc.Encode(record.Record{Kind: record.KindResult, Index: n, Job: job}); err != nil {
						return err
					}
					n++
				}
			}
		}
	}
	return w.Flush()
}
