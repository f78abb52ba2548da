package rewrite

import (
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/cfg/kernel"
	"github.com/bpfcfg/bpfcfg/jit"
)

// Memo keeps predictions for several kernels of one program with the same facts and
// options: for two kernels that every pass treats alike, it is made once. It is for one
// goroutine at a time. The zero value is empty.
type Memo struct {
	// Programs, if not nil, has rewritten programs of predictions with other facts. An equal
	// program is replaced by the one there, so that work on it is done once.
	Programs *Programs
	made     []prediction
}

// Programs keeps rewritten programs. The zero value is empty.
type Programs struct{ all []*jit.Program }

// unique returns the one of equal programs that came first.
func (s *Programs) unique(p *jit.Program) *jit.Program {
	for _, q := range s.all {
		if p.Same(q) {
			return q
		}
	}
	s.all = append(s.all, p)
	return p
}

// prediction is a result, with the properties of its kernel that were used.
type prediction struct {
	decides settings
	asked   *kernel.Watch
	res     *Result
}

// settings are the members of a profile that passes look at.
type settings struct {
	smp       *bool            // nil: not used
	stackForm *string          // nil: not used
	ax        uint8            // 0: the program has no use for the hidden register
	value     int              // 0: no call of a helper looks into a map
	members   map[string]found // members of the build's structures that were used
}

// Predict is the function Predict with a cache of predictions for other kernels.
func (m *Memo) Predict(p *bytecode.Program, f Facts, prof jit.Profile, opt Options) (*Result, error) {
	k := prof.Kernel()
	for i := range m.made {
		if d := &m.made[i]; d.asked.Same(k) && d.decides.fits(prof) {
			out := *d.res
			out.kernel = k
			if out.Build != "" {
				out.Build = structsOf(prof).build
			}
			return &out, nil
		}
	}
	watched, asked := k.Watched()
	res, st, err := predictFor(p, f, prof, watched, opt)
	if err != nil {
		return nil, err
	}
	res.kernel = k
	if m.Programs == nil {
		m.Programs = &Programs{}
	}
	res.Program = m.Programs.unique(res.Program)
	m.made = append(m.made, prediction{st.settings(res), asked, res})
	return res, nil
}

// settings returns the settings of its profile on which the result depends.
func (st *state) settings(res *Result) settings {
	s := settings{}
	for _, in := range res.Program.Insns {
		if in.Dst > bytecode.R10 || in.Src > bytecode.R10 || st.opt.Blind {
			s.ax = st.prof.AXReg
		}
	}
	if st.usedValue {
		s.value = st.prof.OffValue
	}
	if st.usedStackForm {
		s.stackForm = &st.prof.StackForm
	}
	if st.usedSMP {
		s.smp = &st.prof.SMP
	}
	s.members = st.asked
	return s
}

// fits reports whether a profile has the settings.
func (s *settings) fits(prof jit.Profile) bool {
	return (s.smp == nil || *s.smp == prof.SMP) &&
		(s.stackForm == nil || *s.stackForm == prof.StackForm) && (s.ax == 0 || s.ax == prof.AXReg) &&
		(s.value == 0 || s.value == prof.OffValue) && s.builtAlike(prof)
}

// builtAlike reports whether the build that a profile stands for gives the same answers.
func (s *settings) builtAlike(prof jit.Profile) bool {
	if len(s.members) == 0 {
		return true
	}
	b := structsOf(prof)
	for name, want := range s.members {
		if m, ok := b.at[name]; ok != want.ok || m != want.member {
			return false
		}
	}
	return true
}
