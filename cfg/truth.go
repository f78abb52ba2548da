package cfg

// Truth is an answer that need not be known: no, maybe or yes. The zero value
// is No. Whoever decides on a Maybe says so in what comes of it.
type Truth uint8

// The values of Truth, in this order.
const (
	No    Truth = iota // it is proven that it is not so
	Maybe              // neither is proven
	Yes                // it is proven that it is so
)

// TruthOf returns Yes or No.
func TruthOf(is bool) Truth {
	if is {
		return Yes
	}
	return No
}

// Or returns whether at least one of two things is so.
func (t Truth) Or(u Truth) Truth { return max(t, u) }

// And returns whether both of two things are so.
func (t Truth) And(u Truth) Truth { return min(t, u) }

// String returns "no", "maybe" or "yes", as in listings and JSON.
func (t Truth) String() string {
	switch t {
	case No:
		return "no"
	case Yes:
		return "yes"
	}
	return "maybe"
}
