package bytecode

import "slices"

// Kfunc is the prototype of a kernel function that the object declares. A loader
// takes it for the kernel's own, with which it compares it.
type Kfunc struct {
	Name   string
	Params []Param
	Result ParamKind
}

// Param is a parameter of a kernel function.
type Param struct {
	Name string
	Kind ParamKind
	// Const reports whether what a pointer leads to is constant, and Size is how many
	// bytes that are, 0 when it is not known.
	Const bool
	Size  uint32
	// Of names the structure that a pointer leads to, empty when there is none.
	Of string
}

// ParamKind is the kind of a parameter or result.
type ParamKind uint8

// The kinds.
const (
	ParamVoid     ParamKind = iota // none
	ParamNumber                    // an integer or enum
	ParamPointer                   // a pointer to memory or an object
	ParamFunction                  // a pointer to a function
	ParamStruct                    // a structure itself
	ParamUnion                     // a union itself
	ParamOther                     // anything else
)

// Kfunc returns the prototype of a kernel function that the object declares, nil when
// it declares none of the name.
func (p *Program) Kfunc(name string) *Kfunc {
	i := slices.IndexFunc(p.Kfuncs, func(k Kfunc) bool { return k.Name == name })
	if i < 0 {
		return nil
	}
	return &p.Kfuncs[i]
}
