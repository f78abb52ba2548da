package guest

import (
	"testing"

	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
)

// TestObjectWithoutTypes: an object need not have BTF to be loaded.
func TestObjectWithoutTypes(t *testing.T) {
	g := &guest{objects: map[string]*object{}}
	o := g.object(testenv.Path(t, "calls/gcc12.o"))
	if o.err != nil || o.types != nil || o.ext == nil || len(o.Programs) == 0 {
		t.Errorf("the object is %+v", o)
	}
}
