//go:build !unix

package main

import "os"

// maxResident returns 0: the system does not tell.
func maxResident(*os.ProcessState) int64 { return 0 }

// processorTime returns 0: see maxResident.
func processorTime() float64 { return 0 }
