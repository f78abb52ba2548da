// Package tag computes the tags that Linux gives a program, which are in its symbols and so in
// stack traces (bpf_prog_TAG_name):
//
//	if tags, known := tag.Of(p); known {
//		fmt.Println(tags) // [36afca2b8653041f 0c3f…]: as from Linux 6.18 on, and as before
//	}
//
// A tag is a hash of the instructions as they are submitted, so it is the same in all
// kernels of its age. Tags of subprograms are hashes of rewritten instructions with
// addresses in them; the package does not know those.
package tag

import (
	"crypto/sha1" //nolint:gosec // the kernel's own hash, of no use as a secret
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// size is that of a tag in bytes (BPF_TAG_SIZE).
const size = 8

// Of returns the two tags of a program in hexadecimal digits: of Linux 6.18 and later
// (SHA-256) and of earlier ones (SHA-1). They are not known where the running kernel
// decides what is submitted: BTF numbers of kernel functions and variables, and CO-RE
// relocations.
//
// Source: kernel/bpf/core.c bpf_prog_calc_tag, Linux 6.12 and 7.3, which is called with
// the instructions of user space, references to maps taken out.
func Of(p *bytecode.Program) (tags [2]string, known bool) {
	if p.Rewritten || len(p.Relocs) > 0 {
		return tags, false
	}
	for _, r := range p.Refs {
		switch r.Kind {
		case bytecode.RefKfunc, bytecode.RefKsym, bytecode.RefBTFID, bytecode.RefUnknown:
			return tags, false
		}
	}
	raw := submitted(p)
	now, before := sha256.Sum256(raw), sha1.Sum(raw) //nolint:gosec // see the import
	return [2]string{hex.EncodeToString(now[:size]), hex.EncodeToString(before[:size])}, true
}

// submitted returns the bytes that are hashed: a load of a map's address has no number.
func submitted(p *bytecode.Program) []byte {
	raw := make([]byte, 0, 8*len(p.Insns))
	second := false // slot of a load of a map's address
	for _, in := range p.Insns {
		isMap := in.Code == bytecode.CodeLdImm64 && (in.Src == bytecode.LdMapFD || in.Src == bytecode.LdMapValue)
		if isMap || second {
			in.Imm = 0
		}
		second = isMap && !second
		raw = append(raw, in.Code, byte(in.Dst)|byte(in.Src)<<4)
		raw = binary.LittleEndian.AppendUint16(raw, uint16(in.Off))
		raw = binary.LittleEndian.AppendUint32(raw, uint32(in.Imm))
	}
	return raw
}
