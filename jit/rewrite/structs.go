package rewrite

import (
	_ "embed"
	"fmt"
	"strings"
	"sync"

	"github.com/bpfcfg/bpfcfg/jit"
)

// structsText holds the offsets of members of kernel structures in the builds that profiles were
// recorded on: lines "build NAME VERSION …" and "STRUCT.MEMBER offset size" in bytes, for bit-fields
// with the number of the first bit there and that of its bits, cut out of their BTF by
// tools/structgen.
//
//go:embed structs.txt
var structsText string

// member is where a member of a structure lies, in bytes, and in bits of the byte at off.
type member struct{ off, size, bit, bits int }

// mask returns the bits of a bit-field in its byte, 0 for other members.
func (m member) mask() int32 { return (1<<m.bits - 1) << m.bit }

// structs holds members of structures of one build.
type structs struct {
	build string // "Debian 7.3.4 cloud", empty when there is none
	at    map[string]member
}

// structsOf returns the structures of the build that a built-in profile stands for, none when there
// is no such build. The build of the running machine, or of a profile from a file, is not known:
// its structures may have other layouts.
func structsOf(prof jit.Profile) structs {
	if !strings.HasPrefix(prof.Name, "linux-"+prof.Version) {
		return structs{at: map[string]member{}}
	}
	if s, ok := builds.Load(prof.Version); ok {
		return s.(structs)
	}
	s := structsOfBuild(prof.Version)
	if s.build != "" {
		builds.Store(prof.Version, s)
	}
	return s
}

// builds caches the structures of builds by version. They are only read.
var builds sync.Map

// structsOfBuild reads the structures of the build of a version.
func structsOfBuild(version string) structs {
	s := structs{at: map[string]member{}}
	here := false
	for line := range strings.Lines(structsText) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "build "); ok {
			if here {
				break
			}
			if here = standsFor(name, version); here {
				s.build = name
			}
			continue
		}
		var name string
		var m member
		if !here {
			continue
		}
		if n, _ := fmt.Sscanf(line, "%s %d %d %d %d", &name, &m.off, &m.size, &m.bit, &m.bits); n == 3 || n == 5 {
			s.at[name] = m
		}
	}
	return s
}

// standsFor reports whether a build is one of a version.
func standsFor(build, version string) bool {
	for _, word := range strings.Fields(build) {
		if word == version || strings.HasPrefix(word, version+".") {
			return true
		}
	}
	return false
}
