// Package dotengine lays functions out with Graphviz, by way of the program
// bpfcfg-dot.
//
//	e, err := dotengine.New(dotengine.Options{})
//	if err != nil { … }     // ErrNotFound: the program is not installed
//	defer e.Close()
//	layout, err := render.Place(scene, render.PlaceOptions{Engine: e})
//
// The program is not trusted to end, to stay small or to give a correct answer: it gets a folder of
// its own for its cache, a time and a memory limit, and its answer counts only if it has every box
// and every edge. An engine runs one program at a time.
//
// The package does not know how Graphviz decides; its drawings have no loop
// areas, and lines are curves that may cross boxes. Beyond a few hundred boxes
// it is slow: see Options.MaxNodes.
package dotengine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/bpfcfg/bpfcfg/internal/visible"
	"github.com/bpfcfg/bpfcfg/render"
)

// The errors that callers distinguish.
var (
	ErrNotFound   = errors.New("bpfcfg-dot not found beside the executable or on PATH")
	ErrTimeout    = errors.New("bpfcfg-dot took too long")
	ErrMemory     = errors.New("bpfcfg-dot ran out of memory")
	ErrIncomplete = errors.New("incomplete answer from bpfcfg-dot")
	ErrTooLarge   = errors.New("too many blocks for the engine dot")
)

// Options of an Engine. Zero values mean the defaults.
type Options struct {
	Path     string        // the program; default: beside the executable, then on PATH
	Timeout  time.Duration // for one function, default 60 s
	Memory   int64         // bytes beyond what the program has mapped at start, default 2 GiB
	MaxNodes int           // most blocks of a function, default 2000
}

// Engine is a render.Engine. Its methods may be called concurrently.
type Engine struct {
	opt Options
	mu  sync.Mutex
	tmp string // private folder, removed by Close
}

var _ render.ContextEngine = (*Engine)(nil)

// New finds the program and makes its folder.
func New(opt Options) (*Engine, error) {
	if opt.Timeout <= 0 {
		opt.Timeout = time.Minute
	}
	if opt.Memory <= 0 {
		opt.Memory = 2 << 30
	}
	if opt.MaxNodes <= 0 {
		opt.MaxNodes = 2000
	}
	if opt.Path == "" {
		var err error
		if opt.Path, err = find(); err != nil {
			return nil, err
		}
	} else if _, err := os.Stat(opt.Path); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	tmp, err := os.MkdirTemp("", "bpfcfg-dot-") // mode 0700
	if err != nil {
		return nil, err
	}
	return &Engine{opt: opt, tmp: tmp}, nil
}

// find looks for the program. A PATH entry that is not absolute does not count, because it could
// run a program in the current folder.
func find() (string, error) {
	name := "bpfcfg-dot"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	if self, err := os.Executable(); err == nil {
		p := filepath.Join(filepath.Dir(self), name)
		if st, err := os.Stat(p); err == nil && st.Mode().IsRegular() {
			return p, nil
		}
	}
	p, err := exec.LookPath(name)
	if err != nil || !filepath.IsAbs(p) {
		return "", ErrNotFound
	}
	return p, nil
}

// Close removes the engine's folder.
func (e *Engine) Close() error { return os.RemoveAll(e.tmp) }

// Name returns "dot".
func (e *Engine) Name() string { return "dot" }

// Place lays out one function.
func (e *Engine) Place(g render.Graph) (render.Placed, error) {
	return e.PlaceContext(context.Background(), g, nil)
}

// PlaceContext lays out one function and stops the program when the context
// ends. Graphviz does not report its progress.
func (e *Engine) PlaceContext(
	ctx context.Context, g render.Graph, _ func(phase string, done, total int),
) (render.Placed, error) {
	if len(g.Nodes) > e.opt.MaxNodes {
		return render.Placed{}, fmt.Errorf("%w: %d of at most %d", ErrTooLarge, len(g.Nodes), e.opt.MaxNodes)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	src := writeDOT(g)
	out, err := e.run(ctx, src)
	if err != nil && !errors.Is(err, ErrTimeout) && !errors.Is(err, ErrMemory) && ctx.Err() == nil {
		// A cache that was damaged, by a process that was stopped, kills the program before its
		// first line. Without one it may run.
		if cleared := e.clear(); cleared != nil {
			return render.Placed{}, errors.Join(err, cleared)
		}
		out, err = e.run(ctx, src)
	}
	if err != nil {
		return render.Placed{}, err
	}
	return readPlain(g, out)
}

// clear empties the engine's folder.
func (e *Engine) clear() error {
	if err := os.RemoveAll(e.tmp); err != nil {
		return err
	}
	return os.Mkdir(e.tmp, 0o700)
}

// maxAnswer bounds what is read from the program.
const maxAnswer = 256 << 20

// run starts the program once.
func (e *Engine) run(parent context.Context, src []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(parent, e.opt.Timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, e.opt.Path, "-format", "plain", "-memory", fmt.Sprint(e.opt.Memory))
	cmd.Env = []string{"TMPDIR=" + e.tmp, "TMP=" + e.tmp, "TEMP=" + e.tmp, "PATH=" + os.Getenv("PATH")}
	if runtime.GOOS == "windows" {
		cmd.Env = append(cmd.Env, "SYSTEMROOT="+os.Getenv("SYSTEMROOT"))
	}
	cmd.Dir = e.tmp
	cmd.Stdin = bytes.NewReader(src)
	out, msg := &limited{max: maxAnswer}, &limited{max: 4096}
	cmd.Stdout, cmd.Stderr = out, msg
	cmd.WaitDelay = 2 * time.Second
	err := cmd.Run()
	switch {
	case parent.Err() != nil:
		return nil, parent.Err()
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%w: more than %v", ErrTimeout, e.opt.Timeout)
	case out.over:
		return nil, fmt.Errorf("%w: more than %d bytes", ErrIncomplete, maxAnswer)
	case err != nil && bytes.Contains(msg.Bytes(), []byte("out of memory")): // of Go's runtime
		return nil, fmt.Errorf("%w: more than %d MiB", ErrMemory, e.opt.Memory>>20)
	case err != nil:
		first, _, _ := strings.Cut(strings.TrimSpace(msg.String()), "\n")
		return nil, fmt.Errorf("bpfcfg-dot: %w: %s", err, visible.Text(first))
	}
	return out.Bytes(), nil
}

// limited keeps the first max bytes written to it. The buffer is not embedded: io.Copy would use
// its ReadFrom and bypass the limit.
type limited struct {
	buf  bytes.Buffer
	max  int
	over bool
}

var _ io.Writer = (*limited)(nil)

// Write accepts everything and keeps what fits.
func (l *limited) Write(p []byte) (int, error) {
	keep := min(len(p), l.max-l.buf.Len())
	l.over = l.over || keep < len(p)
	l.buf.Write(p[:keep])
	return len(p), nil
}

func (l *limited) String() string { return l.buf.String() }

// Bytes returns what was kept.
func (l *limited) Bytes() []byte { return l.buf.Bytes() }
