package native

// stub is machine code that stands for a helper, a kernel function or another
// symbol that images call. Arguments are in rdi, rsi, rdx, rcx and r8, the
// result in rax, as in C.
type stub struct {
	names []string // symbols
	code  []byte
}

// stubs lists what can be called. Encodings: Intel SDM volume 2.
var stubs = []stub{
	{[]string{"bpf_get_prandom_u32", "bpf_user_rnd_u32"}, []byte{
		0xb8, 0xb9, 0x79, 0x37, 0x9e, // mov eax, RandomNumber
		0xc3, // ret
	}},
	{[]string{"bpf_probe_read", "bpf_probe_read_kernel", "bpf_probe_read_user"}, []byte{
		0x89, 0xf1, // mov ecx, esi
		0xb0, ProbeByte, // mov al, ProbeByte
		0xf3, 0xaa, // rep stosb
		0x31, 0xc0, // xor eax, eax
		0xc3, // ret
	}},
	{[]string{"bpf_rcu_read_lock", "bpf_rcu_read_unlock", "bpf_preempt_disable", "bpf_preempt_enable"}, []byte{
		0x31, 0xc0, // xor eax, eax
		0xc3, // ret
	}},
	// Count in r10, result there too: 0, because no time is left
	// (arch/x86/net/bpf_timed_may_goto.S, Linux 7.3).
	{[]string{"arch_bpf_timed_may_goto"}, []byte{
		0x45, 0x31, 0xd2, // xor r10d, r10d
		0xc3, // ret
	}},
}

// stubSpacing is how far apart stubs are placed, in bytes.
const stubSpacing = 16
