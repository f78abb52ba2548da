package object

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"

	"github.com/bpfcfg/bpfcfg/internal/visible"
)

// maxElement bounds an element of a path, before its hash.
const maxElement = 80

// Path returns the name as a path with slashes that is safe on every file system.
// Different names have different paths, also on disks that fold case.
func (n Name) Path() string {
	parts := strings.Split(string(n), "/")
	for i := range parts {
		parts[i] = Element(parts[i])
	}
	return strings.Join(parts, "/")
}

// Element returns a text as one element of a path. A text that is plain (lower-case letters,
// digits, '.', '_', '-', '+', not too long) stays as it is. Any other text is followed by its hash,
// so no two texts become the same file, and upper-case letters count on disks that fold case.
func Element(text string) string {
	parts := strings.Split(text, "+") // stands between the options of a profile
	for i := range parts {
		if parts[i] != "" {
			parts[i] = visible.FileName(parts[i])
		}
	}
	safe := strings.Join(parts, "+")
	if safe == text && text != "" && len(text) <= maxElement && text == strings.ToLower(text) &&
		!strings.HasSuffix(text, ".") {
		return text
	}
	sum := sha256.Sum256([]byte(text))
	return strings.TrimPrefix(safe[:min(len(safe), maxElement)]+"-"+hex.EncodeToString(sum[:4]), "-")
}

// Outside reports whether a path is that of a file outside of the root.
func (Root) Outside(p string) bool {
	first, _, _ := strings.Cut(p, "/")
	return first == Element("..") || first == Element("")
}

// Find returns the file whose name has the given path, and whether there is one.
func (r Root) Find(p string) (file string, ok bool) {
	at := r.real
	for part := range strings.SplitSeq(p, "/") {
		next, ok := child(at, part)
		if !ok {
			return "", false
		}
		at = next
	}
	return at, true
}

// child returns the entry of a directory that an element of a path stands for.
func child(dir, element string) (string, bool) {
	switch element {
	case Element(".."):
		return filepath.Dir(dir), true
	case Element(""): // of an absolute path
		return filepath.VolumeName(dir) + string(filepath.Separator), true
	}
	if Element(element) == element {
		p := filepath.Join(dir, element)
		if _, err := os.Lstat(p); err == nil {
			return p, true
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", false
	}
	for _, e := range entries {
		if Element(e.Name()) == element {
			return filepath.Join(dir, e.Name()), true
		}
	}
	return "", false
}
