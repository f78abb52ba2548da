package layered

import "context"

// The phases, as Options.Progress names them.
const (
	phaseRows   = "rows"   // loops, rows, dummies
	phaseOrder  = "order"  // order of each row
	phasePlaces = "places" // coordinates
	phaseLines  = "lines"  // routes
	phaseDone   = "done"
)

// progressTotal is the total of every report.
const progressTotal = 1000

// share returns the parts of the time that are over when a phase begins and when
// it ends, of progressTotal, as profiles of 5,000 and 50,000 nodes have it.
func share(phase string) (from, to int) {
	switch phase {
	case phaseRows:
		return 0, 250
	case phaseOrder:
		return 250, 500
	case phasePlaces:
		return 500, 850
	case phaseLines:
		return 850, progressTotal
	}
	return progressTotal, progressTotal
}

// work reports the progress of a placement and whether it is still wanted.
type work struct {
	ctx    context.Context
	report func(phase string, done, total int)
	last   int
}

// at reports that a part of a phase, in thousandths, is done. Reports never go
// back.
func (w *work) at(phase string, part int) {
	if w.report == nil {
		return
	}
	from, to := share(phase)
	w.last = max(w.last, from+(to-from)*part/1000)
	w.report(phase, w.last, progressTotal)
}

// ended reports whether the result is no longer wanted.
func (w *work) ended() bool { return w.ctx.Err() != nil }
