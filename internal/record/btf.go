package record

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/cilium/ebpf/btf"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// functions returns what the BTF knows of the program's functions, by slot:
// name, linkage, and the parameters of global ones. Nil without BTF.
func (b *BTF) functions(progType string) ([]bytecode.Subprogram, error) {
	if b == nil {
		return nil, nil
	}
	spec, err := btf.LoadSpecFromReader(bytes.NewReader(b.Data))
	if err != nil {
		return nil, err
	}
	var out []bytecode.Subprogram
	callback := ""
	for _, info := range b.FuncInfo {
		t, err := spec.TypeByID(btf.TypeID(info[1]))
		if err != nil {
			return nil, fmt.Errorf("function at %d: %w", info[0], err)
		}
		f, ok := t.(*btf.Func)
		if !ok {
			return nil, fmt.Errorf("function at %d has a type that is no function", info[0])
		}
		s := bytecode.Subprogram{
			Name: f.Name, Start: bytecode.PC(info[0]), Global: f.Linkage == btf.GlobalFunc,
		}
		if s.Global {
			s.Args = arguments(f, ProgTypeName(progType))
		}
		for _, tag := range f.Tags {
			if name, ok := strings.CutPrefix(tag, "exception_callback:"); ok {
				callback = name
			}
		}
		out = append(out, s)
	}
	for i := range out {
		out[i].Exception = callback != "" && out[i].Name == callback
	}
	slices.SortStableFunc(out, func(x, y bytecode.Subprogram) int { return int(x.Start - y.Start) })
	return out, nil
}

// arguments returns the kind of each parameter, in the words of
// bytecode.Subprogram.Args.
func arguments(f *btf.Func, progType string) []string {
	proto, ok := f.Type.(*btf.FuncProto)
	if !ok {
		return nil
	}
	args := []string{}
	for i, p := range proto.Params {
		var tags []string
		if i < len(f.ParamTags) {
			tags = f.ParamTags[i]
		}
		args = append(args, argument(p.Type, tags, progType))
	}
	return args
}

// argument returns the kind of one parameter (kernel/bpf/btf.c
// btf_prepare_func_args, Linux 7.3).
func argument(t btf.Type, tags []string, progType string) string {
	switch t := btf.UnderlyingType(t).(type) {
	case *btf.Int, *btf.Enum:
		return "scalar"
	case *btf.Pointer:
		if slices.Contains(tags, "arg:ctx") || isContext(t.Target, progType) {
			return "ctx"
		}
		size, err := btf.Sizeof(t.Target)
		if err != nil || size == 0 {
			return "other"
		}
		for _, tag := range tags {
			if strings.HasPrefix(tag, "arg:") && tag != "arg:nonnull" && tag != "arg:nullable" {
				return "other"
			}
		}
		if slices.Contains(tags, "arg:nonnull") {
			return fmt.Sprintf("nonnull:%d", size)
		}
		return fmt.Sprintf("mem:%d", size)
	}
	return "other"
}

// isContext reports whether t is the structure that programs of the type get
// as their context (include/linux/bpf_types.h, Linux 7.3).
func isContext(t btf.Type, progType string) bool {
	name := ""
	if s, ok := btf.UnderlyingType(t).(*btf.Struct); ok {
		name = s.Name
	}
	if d, ok := t.(*btf.Typedef); ok && progType == "kprobe" {
		name = d.Name
	}
	want := contextName(progType)
	return want != "" && name == want
}

// contextName returns the C name of the context of a program type; empty when
// the type has none that a program could name.
func contextName(progType string) string {
	switch progType {
	case "socket_filter", "sched_cls", "sched_act", "cgroup_skb", "lwt_in", "lwt_out", "lwt_xmit",
		"lwt_seg6local", "sk_skb", "flow_dissector":
		return "__sk_buff"
	case "xdp":
		return "xdp_md"
	case "cgroup_sock":
		return "bpf_sock"
	case "cgroup_sock_addr":
		return "bpf_sock_addr"
	case "sock_ops":
		return "bpf_sock_ops"
	case "sk_msg":
		return "sk_msg_md"
	case "kprobe":
		return "bpf_user_pt_regs_t"
	case "perf_event":
		return "bpf_perf_event_data"
	case "raw_tracepoint", "raw_tracepoint_writable":
		return "bpf_raw_tracepoint_args"
	case "cgroup_device":
		return "bpf_cgroup_dev_ctx"
	case "cgroup_sysctl":
		return "bpf_sysctl"
	case "cgroup_sockopt":
		return "bpf_sockopt"
	case "sk_reuseport":
		return "sk_reuseport_md"
	case "sk_lookup":
		return "bpf_sk_lookup"
	}
	return ""
}
