package ask

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/bpfcfg/bpfcfg/internal/ask/wire"
	"github.com/bpfcfg/bpfcfg/internal/record"
)

// Names of files in the directory of a Run, which the machine writes.
const (
	outName     = "out"    // virtio port, or file of user-mode Linux
	serialName  = "serial" // second serial line
	consoleName = "console"
)

// maxOutput bounds what a guest may write in bytes, for each of its lines.
const maxOutput = 4 << 30

// tick is the interval at which the machine's files are read.
const tick = 20 * time.Millisecond

// boot starts the machine once, and asks about the work from item first on. It
// returns the first item that still has to be asked about.
func (b *boots) boot(ctx context.Context, first int, emit func(*record.Record) error) (next int, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd, lines, err := b.command(ctx, first)
	if err != nil {
		return first, err
	}
	console, err := os.Create(filepath.Join(b.dir, consoleName))
	if err != nil {
		return first, err
	}
	defer console.Close()
	if b.Machine.UML != "" {
		cmd.Stdout = console
	}
	var stderr tail
	cmd.Stderr = &stderr
	b.tell("starting %v", b.Machine)
	if err := cmd.Start(); err != nil {
		return first, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	s := &session{boots: b, emit: emit, next: first, pending: -1, last: time.Now()}
	for _, l := range append(lines, filepath.Join(b.dir, consoleName)) {
		s.lines = append(s.lines, &line{path: l})
	}
	defer s.close()
	err = s.watch(ctx, ended)
	cancel()
	if !s.over {
		<-ended //nolint:errcheck // err is what ended it
	}
	return s.judge(ctx, err, &stderr)
}

// session is one boot as the host sees it.
type session struct {
	*boots
	emit    func(*record.Record) error
	lines   []*line
	next    int  // first item without an answer
	pending int  // item that the guest works on, -1 for none
	env     bool // the guest has described itself
	done    bool // the guest has answered everything
	over    bool // the machine has ended
	stalled bool
	exit    error // how it ended
	last    time.Time
	fatal   string
}

// watch reads the machine's lines until it ends or is silent for too long, or until the context
// ends.
func (s *session) watch(ctx context.Context, ended <-chan error) error {
	t := time.NewTicker(tick)
	defer t.Stop()
	for !s.over {
		select {
		case s.exit = <-ended:
			s.over = true
		case <-t.C:
		}
		if err := s.read(); err != nil {
			return err
		}
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case s.done || s.fatal != "":
			return nil
		case time.Since(s.last) > s.stall():
			s.stalled = true
			return nil
		}
	}
	return nil
}

// read handles the messages that have arrived.
func (s *session) read() error {
	for _, l := range s.lines {
		messages, err := l.read()
		for _, m := range messages {
			s.last = time.Now()
			if err := s.message(m); err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// message handles one message.
func (s *session) message(m *wire.Message) error {
	switch {
	case m.Kind == wire.Fatal:
		s.fatal = m.Text
	case m.Kind == wire.End:
		s.done = true
	case m.Kind == wire.Begin && m.Index >= s.next && m.Index < len(s.work.Items):
		s.pending = m.Index
		s.tell("%s: program %d of %d", s.Machine.Label(), m.Index+1, len(s.work.Items))
	case m.Kind == wire.Env && m.Record != nil && m.Record.Env != nil:
		if first := s.next == 0 && !s.env; first {
			s.env = true
			return s.pass(m.Record)
		}
		s.env = true
	case m.Kind == wire.Result && m.Record != nil && m.Record.Job != nil && m.Index == s.pending:
		s.next, s.pending = m.Index+1, -1
		return s.pass(m.Record)
	default:
		return fmt.Errorf("the guest sent an unexpected message %q", m.Kind)
	}
	return nil
}

// pass passes a record on.
func (s *session) pass(r *record.Record) error {
	if err := s.emit(r); err != nil {
		return fmt.Errorf("%w%w", errEmit, err)
	}
	return nil
}

// judge returns how a boot ended, and the answer for a program that crashed the kernel.
func (s *session) judge(ctx context.Context, err error, stderr *tail) (int, error) {
	console, _ := os.ReadFile(filepath.Join(s.dir, consoleName))
	switch {
	case err != nil:
		return s.next, err
	case s.done:
		return len(s.work.Items), nil
	case s.fatal != "":
		return s.next, fmt.Errorf("%s", s.fatal)
	case s.pending >= 0:
		return s.crash(console)
	case s.stalled && !s.env:
		return s.next, fmt.Errorf("no message for %v: does the kernel support an initial RAM disk and a serial console? "+
			"It last said: %s", s.stall(), lastLine(console))
	case !s.env && s.over && s.exit != nil && stderr.text() != "":
		return s.next, fmt.Errorf("%s: %s", filepath.Base(s.program()), stderr.text())
	case s.next > 0 && s.env:
		return s.next, fmt.Errorf("the kernel stopped between two programs; it last said: %s", lastLine(console))
	}
	return s.next, fmt.Errorf("%w; it last said: %s", errEarly, lastLine(console))
}

// program returns the executable that runs the machine.
func (s *session) program() string {
	if s.Machine.UML != "" {
		return s.Machine.UML
	}
	return s.QEMU
}

// crash makes the answer for the program that the guest was working on.
func (s *session) crash(console []byte) (int, error) {
	item := s.work.Items[s.pending]
	job := &record.Job{Name: item.Name}
	if item.Job != nil {
		job = item.Job
	}
	why := lastLines(console)
	if s.stalled {
		why = fmt.Sprintf("no answer for %v\n%s", s.stall(), why)
	}
	return s.pending + 1, s.pass(&record.Record{Kind: record.KindCrash, Index: s.pending, Job: job, Crash: why})
}

// close closes the files.
func (s *session) close() {
	for _, l := range s.lines {
		if l.file != nil {
			l.file.Close()
		}
	}
}

// line is a file that the machine writes messages to.
type line struct {
	path string
	file *os.File
	size int64
	scan wire.Scanner
}

// read returns the messages that have arrived since the last call.
func (l *line) read() ([]*wire.Message, error) {
	if l.file == nil {
		f, err := os.Open(l.path)
		if errors.Is(err, os.ErrNotExist) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		l.file = f
	}
	b, err := io.ReadAll(io.LimitReader(l.file, maxOutput-l.size+1))
	l.size += int64(len(b))
	if err == nil && l.size > maxOutput {
		err = fmt.Errorf("the guest has written more than %d bytes", int64(maxOutput))
	}
	if err != nil {
		return nil, err
	}
	return l.scan.Add(b)
}

// tail keeps the end of what a program writes.
type tail struct{ b []byte }

// Write implements io.Writer.
func (t *tail) Write(b []byte) (int, error) {
	const most = 4096
	t.b = append(t.b, b...)
	t.b = t.b[max(0, len(t.b)-most):]
	return len(b), nil
}

// text returns the last line.
func (t *tail) text() string {
	if len(bytes.TrimSpace(t.b)) == 0 {
		return ""
	}
	return lastLine(t.b)
}

// lastLine returns the line of a console with the reason for its end: that of a panic, or the last
// one.
func lastLine(console []byte) string {
	last := "nothing"
	for l := range strings.Lines(string(console)) {
		if l = strings.TrimSpace(l); l != "" {
			last = l
		}
		if strings.Contains(l, "Kernel panic") {
			break
		}
	}
	return last
}

// lastLines returns the end of a console.
func lastLines(console []byte) string {
	const most = 80
	l := strings.Split(strings.TrimRight(string(console), "\r\n"), "\n")
	return strings.ReplaceAll(strings.Join(l[max(0, len(l)-most):], "\n"), "\r", "")
}

// command returns the command that starts the machine, and the files to which it sends messages.
func (b *boots) command(ctx context.Context, first int) (*exec.Cmd, []string, error) {
	for _, name := range []string{outName, serialName} {
		if err := os.RemoveAll(filepath.Join(b.dir, name)); err != nil {
			return nil, nil, err
		}
	}
	if b.Machine.UML != "" {
		return b.uml(ctx, first)
	}
	return b.qemu(ctx, first)
}
