package live

import (
	"errors"
	"testing"
)

func TestParseSelector(t *testing.T) {
	tests := []struct {
		in   string
		want Selector
	}{
		{"17", Selector{ID: 17}},
		{"4294967295", Selector{ID: 4294967295}},
		{"name=xdp_pass", Selector{Name: "xdp_pass"}},
		{"name=17", Selector{Name: "17"}},
		{"pin=/sys/fs/bpf/x", Selector{Pin: "/sys/fs/bpf/x"}},
		{"pin=a=b", Selector{Pin: "a=b"}},
	}
	for _, tt := range tests {
		if got, err := ParseSelector(tt.in); err != nil || got != tt.want {
			t.Errorf("%q: %+v, %v, want %+v", tt.in, got, err, tt.want)
		}
	}
	for _, bad := range []string{"", "0", "-1", "4294967296", "x", "name=", "pin=", "0x11", "17 "} {
		if got, err := ParseSelector(bad); err == nil {
			t.Errorf("%q: %+v without error", bad, got)
		}
	}
}

func TestSymbols(t *testing.T) {
	const text = "ffffffff81000010 T second\n" +
		"ffffffff81000000 T first\n" +
		"0000000000000000 T hidden\n" +
		"ffffffff81000010 t __pi_second\n" +
		"ffffffff81000020 t second\t[module]\n" +
		"nonsense\n\nxyz T bad\n" +
		"ffffffffc0001000 t bpf_prog_6deef7357e7b4530_f\t[bpf]\n"
	k := &Kernel{read: true}
	k.symbols, k.byName = parseSymbols([]byte(text))
	for name, want := range map[string]uint64{"first": 0xffffffff81000000, "second": 0xffffffff81000010,
		"bpf_prog_6deef7357e7b4530_f": 0xffffffffc0001000} {
		if got, ok := k.Address(name); !ok || got != want {
			t.Errorf("%s: %#x, %t, want %#x", name, got, ok, want)
		}
	}
	if a, ok := k.Address("hidden"); ok {
		t.Errorf("a symbol without address has %#x", a)
	}
	if n, _ := k.Name(0xffffffff81000010); n != "second" {
		t.Errorf("of two names %q was taken", n)
	}
	if n, ok := k.Name(0xffffffff81000011); ok {
		t.Errorf("the middle of a function is called %q", n)
	}
}

func TestOpenErrors(t *testing.T) {
	for _, sel := range []string{"4294967294", "name=no_program_has_this_name", "pin=/no/such/file", "pin=/etc/passwd", "x"} {
		p, err := Open(sel, NewKernel())
		if err == nil {
			t.Errorf("%s: program %d", sel, p.ID)
		} else if errors.Is(err, ErrUnsupported) {
			t.Skip(err)
		}
	}
}
