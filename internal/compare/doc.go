// Package compare compares an analysis with what a kernel made of the program.
//
//	a, err := pipeline.Run(p, profile, rewrite.Options{})
//	for _, c := range compare.Predicted(a, &compare.Observed{Xlated: dump, Code: code}) {
//		fmt.Println(c.What, c.Same, c.Detail)
//	}
//
// What a kernel made comes from a record file or from the running kernel; this
// package reads neither. It explains a difference by both sides of its first
// place, and does not judge which side is right.
package compare
