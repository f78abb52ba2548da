// Package soundness has only tests: it executes programs and checks that the results of packages
// abstract and succ are true of every step.
//
//	go test ./internal/testing/soundness -soundness.steps=5000000
//
// Programs come from the corpus and from records of real kernels, which accepted
// them, with the recorded inputs and with made-up ones, and from package progen.
// For each instruction that is executed, both sets of facts must reach it; each
// edge that is taken must be in the graph and feasible; each indirect jump must
// go to one of its exact targets; and registers and stack slots at the start of a
// block must be within the facts there. docs/testing.md says more.
package soundness
