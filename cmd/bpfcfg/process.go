package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/bpfcfg/bpfcfg/internal/ask"
	"github.com/bpfcfg/bpfcfg/internal/atomicfile"
	"github.com/bpfcfg/bpfcfg/internal/input"
	"github.com/bpfcfg/bpfcfg/internal/record"
)

// process holds what a run must clean up when a signal stops it: from the keyboard,
// from a service manager, or because the terminal closes.
type process struct {
	// Context ends when a signal stops the run. Work that holds more than files
	// (a started program, a directory) must watch it, between hold and release.
	context.Context
	cancel  context.CancelFunc
	console *console

	files  atomicfile.Files
	held   atomic.Int32 // pieces of work between hold and release
	caught atomic.Int32 // the signal, 0 for none
}

// stopGrace is the time that work which watches the context has to clean up. All other
// work is abandoned.
const stopGrace = 3 * time.Second

// newProcess returns a process that cleans up and ends when a signal arrives. Release
// ends the handling of signals.
func newProcess(console *console) (p *process, release func()) {
	ctx, cancel := context.WithCancel(context.Background())
	p = &process{Context: ctx, cancel: cancel, console: console}
	heard := make(chan os.Signal, 1)
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) { // nohup and background jobs of shells rely on it
			signal.Notify(heard, s)
		}
	}
	done := make(chan struct{})
	go func() {
		select {
		case <-done:
			return
		case s := <-heard:
			number := syscall.SIGINT
			if n, ok := s.(syscall.Signal); ok {
				number = n
			}
			p.caught.Store(int32(number))
			p.stop()
			os.Exit(exitSignal + int(number))
		}
	}()
	return p, func() {
		signal.Stop(heard)
		close(done)
		if p.caught.Load() != 0 {
			select {} // the process is ending
		}
		cancel()
	}
}

// stop cleans up before the process ends.
func (p *process) stop() {
	p.cancel()
	p.files.Stop()
	for end := time.Now().Add(stopGrace); p.held.Load() > 0 && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
	p.console.clear()
}

// giveUp ends the process with exitInput after a time; 0 is never. The caller calls done when the
// work is complete. Analyses themselves use no clock: the same input has the same answer, or none.
func (p *process) giveUp(after time.Duration) (done func()) {
	if after == 0 {
		return func() {}
	}
	t := time.AfterFunc(after, func() {
		p.stop()
		fmt.Fprintf(p.console, "bpfcfg: timed out after %v (--timeout): results are incomplete\n", after)
		os.Exit(exitInput)
	})
	return func() { t.Stop() }
}

// hold registers work that watches the context. The caller calls release when the work
// has cleaned up.
func (p *process) hold() (release func()) {
	p.held.Add(1)
	return func() { p.held.Add(-1) }
}

// write replaces a file's content.
func (p *process) write(path string, data []byte) error {
	return inputError(p.files.Write(path, data))
}

// writeFunc replaces a file's content with the output of content.
func (p *process) writeFunc(path string, content func(io.Writer) error) error {
	return inputError(p.files.WriteFunc(path, content))
}

// brokenPipe reports whether a write failed because the reader closed the pipe.
func brokenPipe(err error) bool { return errors.Is(err, syscall.EPIPE) }

// starter returns how inputs start the kernels that they ask for.
func (p *process) starter(std streams) input.Start {
	return func(m ask.Machine, work ask.Work, emit func(*record.Record) error) error {
		a := ask.Asker{Machine: m, Log: 2, Tell: func(text string) { progressText(std.err, text) }}
		defer p.hold()()
		defer progressDone(std.err)
		return a.Run(p, work, emit)
	}
}
