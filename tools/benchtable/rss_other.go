//go:build !unix

package main

import (
	"os"
	"time"
)

// maxResident returns 0: the system does not report it.
func maxResident(*os.ProcessState) int64 { return 0 }

// processorTime returns the time of day in seconds: the system does not report processor time.
func processorTime() float64 { return float64(time.Now().UnixNano()) / 1e9 }
