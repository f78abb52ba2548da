package hazard_test

import "github.com/bpfcfg/bpfcfg/succ"

// reach returns the slots that any indirect jump of the program can go to.
func reach(r *succ.Result) map[uint32]bool {
	can := map[uint32]bool{}
	for _, in := range r.Indirect {
		if in.Op != "gotox" || !in.Reached {
			continue
		}
		for _, pc := range in.Range {
			can[uint32(pc)] = true
		}
		for _, pc := range in.Exact {
			can[uint32(pc)] = true
		}
	}
	return can
}
