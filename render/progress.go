package render

// progressTotal is the total that progressBar reports.
const progressTotal = 1000

// progressBar adds the progress of the functions up to that of the scene. Each
// counts by its number of blocks.
type progressBar struct {
	report func(phase string, done, total int) // nil: no progress is wanted
	blocks int                                 // of the scene
	before int                                 // blocks of the functions begun before
	last   int
}

// part returns the function to which the next function, of n blocks, reports; nil if no progress is
// wanted.
func (b *progressBar) part(n int) func(phase string, done, total int) {
	if b.report == nil {
		return nil
	}
	before := b.before
	b.before = min(b.blocks, before+n)
	return func(phase string, done, total int) {
		at := (int64(before)*int64(total) + int64(n)*int64(done)) * progressTotal / (int64(b.blocks) * int64(total))
		b.last = max(b.last, min(progressTotal-1, int(at)))
		b.report(phase, b.last, progressTotal)
	}
}

// end reports that all is done.
func (b *progressBar) end() {
	if b.report != nil {
		b.report("done", progressTotal, progressTotal)
	}
}
