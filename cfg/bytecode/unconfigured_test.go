package bytecode_test

import (
	"runtime"
	"slices"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
)

// TestUnconfigured: the values of configuration constants become unknown, in order of offsets. A
// range that was unknown stays so if it overlaps one of them in part.
func TestUnconfigured(t *testing.T) {
	type vars = []bytecode.DataSymbol
	for _, c := range []struct {
		name                   string
		symbols, unknown, want vars
	}{
		{"none", vars{{"a", 0, 4, false}}, nil, nil},
		{"some", vars{{"a", 0, 4, true}, {"b", 4, 4, false}, {"c", 8, 8, true}}, nil, vars{{"a", 0, 4, true}, {"c", 8, 8, true}}},
		{"a part of it", vars{{"a", 0, 8, true}}, vars{{"a.x", 4, 4, false}}, vars{{"a", 0, 8, true}}},
		{"another", vars{{"a", 0, 8, true}}, vars{{"b", 8, 4, false}}, vars{{"a", 0, 8, true}, {"b", 8, 4, false}}},
		{"before", vars{{"a", 8, 8, true}}, vars{{"b", 4, 8, false}}, vars{{"a", 4, 12, true}}},
		{"behind", vars{{"a", 0, 8, true}}, vars{{"b", 4, 8, false}}, vars{{"a", 0, 12, true}}},
		{"two names", vars{{"a", 0, 8, true}, {"b", 4, 4, true}}, nil, vars{{"a", 0, 8, true}}},
	} {
		p := &bytecode.Program{Maps: []bytecode.Map{{ReadOnly: true, Symbols: c.symbols, Unknown: c.unknown}}}
		q, has := p.Unconfigured()
		if got := q.Maps[0].Unknown; !slices.Equal(got, c.want) || has != (c.want != nil) {
			t.Errorf("%s: %v, %v; want %v", c.name, got, has, c.want)
		}
		if !slices.Equal(p.Maps[0].Unknown, c.unknown) {
			t.Errorf("%s: the program itself has changed", c.name)
		}
	}
}

// TestUnconfiguredMany: a variable costs the same, however many there are.
func TestUnconfiguredMany(t *testing.T) {
	const n = 4000
	m := bytecode.Map{ReadOnly: true}
	for i := range int64(n) {
		m.Symbols = append(m.Symbols, bytecode.DataSymbol{Off: 4 * i, Size: 4, Config: true})
	}
	p := &bytecode.Program{Maps: []bytecode.Map{m}}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	q, _ := p.Unconfigured()
	runtime.ReadMemStats(&after)
	if got := len(q.Maps[0].Unknown); got != n {
		t.Errorf("%d of %d variables are unknown", got, n)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 1000*n {
		t.Errorf("%d variables took %d MB", n, used>>20)
	}
}
