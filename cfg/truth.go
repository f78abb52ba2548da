package cfg

// Truth is a three-valued answer: no, maybe or yes. The zero value is No. Code that decides on a
// Maybe records that in its result.
type Truth uint8

// The values of Truth, in this order.
const (
	No    Truth = iota // proven not to hold
	Maybe              // neither is proven
	Yes                // proven to hold
)

// TruthOf returns Yes or No.
func TruthOf(is bool) Truth {
	if is {
		return Yes
	}
	return No
}

// Or returns whether at least one of two statements holds.
func (t Truth) Or(u Truth) Truth { return max(t, u) }

// And returns whether both of two statements hold.
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
