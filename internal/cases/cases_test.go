package cases

import "testing"

// TestPlainSwitch states over which lines an index can be turned into a case.
func TestPlainSwitch(t *testing.T) {
	for line, want := range map[string]bool{
		"switch (proto) {": true, "	switch (p->proto)": true, "switch (x - 1) {": false, "switch (a + b)": false,
		"switch (f(x)) { // n-1": true, "goto *labels[x];": false, "": false, "if (x) switch (y[2]) {": true,
		"#define SWITCH(x) switch_(x)": false,
	} {
		if got := plainSwitch(line); got != want {
			t.Errorf("%q: %v", line, got)
		}
	}
}
