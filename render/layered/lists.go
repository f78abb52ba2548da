package layered

// lists is a list of numbers for each of n owners, all in one array: a slice
// for each cost most of the time of large layouts.
type lists struct {
	start []int32
	items []int
}

// makeLists collects what add calls each in turn with: an owner and an item.
// each is called twice and must call the same way.
func makeLists(n int, each func(add func(owner, item int))) lists {
	l := lists{start: make([]int32, n+1)}
	each(func(owner, _ int) { l.start[owner+1]++ })
	for i := range n {
		l.start[i+1] += l.start[i]
	}
	l.items = make([]int, l.start[n])
	at := make([]int32, n)
	copy(at, l.start)
	each(func(owner, item int) {
		l.items[at[owner]] = item
		at[owner]++
	})
	return l
}

// of returns the list of an owner.
func (l *lists) of(i int) []int { return l.items[l.start[i]:l.start[i+1]] }
