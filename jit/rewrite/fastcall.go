package rewrite

// removeFastcallSpills is not done yet.
func removeFastcallSpills(st *state, im *image) (*image, int, error) { return im, 0, nil }
