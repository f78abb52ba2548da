package bytecode

// helperParams holds for each helper, by number, how many parameters it has
// (include/uapi/linux/bpf.h, Linux 7.3; the variable arguments of variadic helpers do not count).
const helperParams = "-24230200555330021314422154353332310323221032311254344243522422432545444444341410242" +
	"551322443111111554333444215533332104451130531243222211111444342335414212420203154534" +
	"13231111341454332101144533231442255333220442"

// HelperParams returns the number of parameters of a helper, and reports whether it is known.
func HelperParams(number int32) (int, bool) {
	if number <= 0 || int(number) >= len(helperParams) {
		return 0, false
	}
	return int(helperParams[number] - '0'), true
}

// HelperIsVoid reports whether the verifier assumes that a helper leaves nothing in r0 (RET_VOID
// in its struct bpf_func_proto, Linux 7.3).
func HelperIsVoid(number int32) bool {
	switch number {
	case 41, 93, 94, 132, 133, 199, 200: // set_hash_invalid, spin_lock and unlock, ringbuf_submit and discard, …_dynptr
		return true
	}
	return false
}
