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

// process is what a run has that must be put in order when it is told to stop:
// by the keyboard, by a service manager, by a terminal that closes.
type process struct {
	// Context ends when the run is told to stop. Work that holds more than files
	// (a program that was started, a directory) heeds it, between hold and
	// release.
	context.Context
	cancel  context.CancelFunc
	console *console

	files  atomicfile.Files
	held   atomic.Int32 // pieces of work between hold and release
	caught atomic.Int32 // the signal, 0 for none
}

// stopGrace is how long work that heeds the context may take to put its things
// away. All other work is simply left where it is.
const stopGrace = 3 * time.Second

// newProcess returns a process that ends, with everything in order, when a signal
// asks for it. Release makes it deaf again.
func newProcess(console *console) (p *process, release func()) {
	ctx, cancel := context.WithCancel(context.Background())
	p = &process{Context: ctx, cancel: cancel, console: console}
	heard := make(chan os.Signal, 1)
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) { // nohup, and shells for work in the background, mean it
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

// stop puts things in order before the process ends.
func (p *process) stop() {
	p.cancel()
	p.files.Stop()
	for end := time.Now().Add(stopGrace); p.held.Load() > 0 && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
	p.console.clear()
}

// giveUp ends the process with exitInput after a time; 0 is never. It returns what
// to call when the work is done. Analyses do not look at a clock, so that the same
// input always has the same answer: it is this, or none.
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

// hold says that work goes on which heeds the context. It returns what to call
// when the work has put its things away.
func (p *process) hold() (release func()) {
	p.held.Add(1)
	return func() { p.held.Add(-1) }
}

// write replaces a file's content.
func (p *process) write(path string, data []byte) error {
	return inputError(p.files.Write(path, data))
}

// writeFunc replaces a file's content with what content writes.
func (p *process) writeFunc(path string, content func(io.Writer) error) error {
	return inputError(p.files.WriteFunc(path, content))
}

// brokenPipe reports whether a write failed because the reader has gone away.
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
