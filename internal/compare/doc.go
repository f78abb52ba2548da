// Package compare compares an analysis with a kernel's result for the program.
//
//	a, err := pipeline.Run(p, profile, rewrite.Options{})
//	for _, c := range compare.Predicted(a, &compare.Observed{Xlated: dump, Code: code}) {
//		fmt.Println(c.What, c.Same, c.Detail)
//	}
//
// A kernel's result comes from a record file or from the running kernel; this package reads
// neither. It explains a difference by both sides of its first place, and does not decide which
// side is right.
package compare
