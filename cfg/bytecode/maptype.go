package bytecode

// Map types that matter to control flow, values or rewrites: BPF_MAP_TYPE_* of
// include/uapi/linux/bpf.h enum bpf_map_type.
const (
	MapHash        = 1
	MapArray       = 2
	MapProgArray   = 3
	MapPercpuHash  = 5
	MapPercpuArray = 6
	MapLRUHash     = 9
	MapLPMTrie     = 11
	MapArrayOfMaps = 12
	MapHashOfMaps  = 13
	MapSockMap     = 15
	MapXSK         = 17
	MapSockHash    = 18
	MapArena       = 33
	MapInsnArray   = 34
)
