package bytecode

import "slices"

// Kfunc is the prototype of a kernel function as the object declares it. A loader compares it
// with the kernel's own.
type Kfunc struct {
	Name   string
	Params []Param
	Result ParamKind
}

// Param is a parameter of a kernel function.
type Param struct {
	Name string
	Kind ParamKind
	// Const reports whether a pointer points to constant data. Size is the number of bytes that
	// it points to, 0 if unknown.
	Const bool
	Size  uint32
	// Of names the structure that a pointer points to, empty if there is none.
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

// Kfunc returns the prototype of a kernel function that the object declares, or nil if it
// declares none of that name.
func (p *Program) Kfunc(name string) *Kfunc {
	i := slices.IndexFunc(p.Kfuncs, func(k Kfunc) bool { return k.Name == name })
	if i < 0 {
		return nil
	}
	return &p.Kfuncs[i]
}
