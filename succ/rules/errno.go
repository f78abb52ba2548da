package rules

import "strings"

// errnoOf returns the error that goes with a message on values: EACCES for
// memory and pointer rules, EINVAL for what an indirect jump or an offset may
// be (kernel/bpf/verifier.c, Linux 7.3, as recorded).
func errnoOf(msg string) string {
	if strings.HasSuffix(msg, "is too big") {
		return "ERANGE"
	}
	for _, part := range []string{
		", expected PTR_TO_INSN", "infinite loop detected", "math between", "is not allowed", "cannot pass map_type",
		"be out of bounds", "to outside of jump table", ", expected func",
	} {
		if strings.Contains(msg, part) {
			return "EINVAL"
		}
	}
	return "EACCES"
}
