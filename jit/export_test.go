package jit

// ProfileOptions returns the names of options for LookupProfile, each with a
// word of explanation, as "name: explanation".
func ProfileOptions() []string {
	var list []string
	for _, o := range options() {
		list = append(list, o.name+": "+o.doc)
	}
	return list
}
