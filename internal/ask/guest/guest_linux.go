//go:build linux && amd64

package guest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"

	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/ask/wire"
	"github.com/bpfcfg/bpfcfg/internal/host"
	"github.com/bpfcfg/bpfcfg/internal/live"
	"github.com/bpfcfg/bpfcfg/internal/record"
	"github.com/bpfcfg/bpfcfg/jit"
)

// Wanted reports whether this process is the first of a kernel that a host has
// started to ask it.
func Wanted() bool { return os.Getpid() == 1 && os.Getenv(wire.Guest) == "1" }

// Main does the work that the host left in the file system, and powers the machine
// off. It does not return.
func Main() {
	if err := run(); err != nil {
		fmt.Println("bpfcfg:", err)
	}
	unix.Sync()
	if err := unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF); err != nil {
		fmt.Println("bpfcfg: power off:", err)
	}
	for {
		time.Sleep(time.Hour) // the kernel panics when its first process ends
	}
}

// run does the work.
func run() error {
	for _, m := range [][2]string{{"devtmpfs", "/dev"}, {"proc", "/proc"}, {"sysfs", "/sys"}} {
		if err := unix.Mount(m[0], m[1], m[0], 0, ""); err != nil && !errors.Is(err, unix.EBUSY) {
			fmt.Printf("bpfcfg: mount %s: %v\n", m[1], err)
		}
	}
	data, err := os.ReadFile(wire.Config)
	if err != nil {
		return err
	}
	g := &guest{kernel: live.NewKernel(), objects: map[string]*object{}}
	if err := json.Unmarshal(data, &g.work); err != nil {
		return err
	}
	g.target = sync.OnceValues(func() (*btf.Spec, error) { return targetTypes(g.work.Types) })
	if g.out, err = openLine(g.work.Out); err != nil {
		return err
	}
	defer g.out.Close()
	g.line = wire.Writer{W: g.out}
	return g.all()
}

// guest is the work of one boot.
type guest struct {
	work    wire.Work
	kernel  *live.Kernel
	objects map[string]*object // by file
	target  func() (*btf.Spec, error)
	out     *os.File
	line    wire.Writer
}

// object is an object file with its types, or the reason why it could not be read.
type object struct {
	*load.Object
	types *btf.Spec
	ext   *btf.ExtInfos
	err   error
}

// send sends a message, and lets the host see it.
func (g *guest) send(m *wire.Message) error {
	if err := g.line.Write(m); err != nil {
		return err
	}
	if g.work.Out == "" {
		return nil
	}
	const writeAndWait = 7 // SYNC_FILE_RANGE_*, all three
	return unix.SyncFileRange(int(g.out.Fd()), 0, 0, writeAndWait)
}

// all answers for all programs.
func (g *guest) all() error {
	if err := hasBPF(); err != nil {
		return g.send(&wire.Message{Kind: wire.Fatal, Text: err.Error()})
	}
	env := g.kernel.Environment(g.work.Label, g.profile())
	if err := g.send(&wire.Message{Kind: wire.Env, Record: &record.Record{Kind: record.KindEnv, Env: env}}); err != nil {
		return err
	}
	for i := g.work.First; i < len(g.work.Programs); i++ {
		if err := g.send(&wire.Message{Kind: wire.Begin, Index: i}); err != nil {
			return err
		}
		rec := &record.Record{Kind: record.KindResult, Index: i}
		rec.Job, rec.Result = g.one(&g.work.Programs[i])
		if err := g.send(&wire.Message{Kind: wire.Result, Index: i, Record: rec}); err != nil {
			return err
		}
	}
	return g.send(&wire.Message{Kind: wire.End})
}

// hasBPF returns why the kernel cannot be asked. BPF_PROG_GET_NEXT_ID after the
// last program ends in ENOENT where there is a bpf(2).
func hasBPF() error {
	_, err := live.IDs()
	return err
}

// profile returns the machine's profile as JSON, nil when there is none.
func (g *guest) profile() json.RawMessage {
	if fileExists("/proc/sys/net/core/bpf_jit_enable") {
		if r, err := host.Derive(g.kernel); err == nil {
			if b, err := json.Marshal(named(r)); err == nil {
				return b
			}
		}
	}
	return nil
}

// named returns a derived profile under the name of the built-in one that it equals, or else under
// a name of its own.
func named(r *host.Result) jit.Profile {
	p, base := r.Profile, r.Profile
	if b, err := jit.LookupProfile(r.Base); err == nil {
		base = b
	}
	base.ThisCPUOff = p.ThisCPUOff // an address, which no built-in profile has
	if p.Name = base.Name; !reflect.DeepEqual(p, base) {
		p.Name = "asked-" + p.Version
	}
	return p
}

// fileExists reports whether there is such a file.
func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// one answers for one program. A panic, which is a fault of bpfcfg, is an answer,
// too.
func (g *guest) one(item *wire.Item) (job *record.Job, res *record.Result) {
	start := time.Now()
	fail := func(err error) (*record.Job, *record.Result) {
		job := &record.Job{Name: item.Name, Object: item.Object}
		if item.Job != nil {
			job = item.Job
		}
		return job, &record.Result{Setup: []string{err.Error()}}
	}
	defer func() {
		if r := recover(); r != nil {
			job, res = fail(fmt.Errorf("internal error, please report it with the file: %v", r))
		}
		res.Micros = time.Since(start).Microseconds()
	}()
	src, err := g.source(item)
	if err != nil {
		return fail(err)
	}
	src.LogLevel = g.work.LogLevel
	job, res = live.Ask(src, g.kernel)
	if item.Job != nil {
		job = item.Job
	}
	return job, res
}

// source returns the program of an item.
func (g *guest) source(item *wire.Item) (*live.Source, error) {
	if item.Job != nil {
		p, err := item.Job.Program()
		if err != nil {
			return nil, err
		}
		src := &live.Source{Name: item.Name, Program: p, License: item.Job.License}
		if item.Job.BTF != nil {
			if src.Types, err = btf.LoadSpecFromReader(bytes.NewReader(item.Job.BTF.Data)); err != nil {
				return nil, fmt.Errorf("types: %w", err)
			}
		}
		return src, nil
	}
	o := g.object(item.File)
	if o.err != nil {
		return nil, o.err
	}
	for _, p := range o.Programs {
		if p.Name == item.Program {
			a := &adapter{kernel: g.kernel, target: g.target, types: o.types, ext: o.ext, p: p}
			q, err := a.adapt()
			if err != nil {
				return nil, err
			}
			return &live.Source{Name: item.Name, Program: q, License: o.License, Types: o.types, Object: item.Object}, nil
		}
	}
	for _, f := range o.Failed {
		if f.Name == item.Program {
			return nil, f.Err
		}
	}
	return nil, fmt.Errorf("no program %q in the object", item.Program)
}

// object returns an object of the file system, read once. The last one is kept:
// programs come in the order of objects.
func (g *guest) object(file string) *object {
	if o := g.objects[file]; o != nil {
		return o
	}
	clear(g.objects)
	o := &object{}
	g.objects[file] = o
	data, err := os.ReadFile(file)
	if err != nil {
		o.err = err
		return o
	}
	if o.Object, o.err = load.ELF(filepath.Base(file), data); o.err != nil {
		return o
	}
	o.types, o.ext, err = btf.LoadSpecAndExtInfosFromReader(bytes.NewReader(data))
	if err != nil && !errors.Is(err, btf.ErrNotFound) {
		o.err = fmt.Errorf("types: %w", err)
	}
	if o.ext == nil {
		o.ext = &btf.ExtInfos{}
	}
	return o
}

// openLine opens the connection to the host: a file of user-mode Linux, the virtio
// port, or, in a kernel without a driver for it, a serial line.
func openLine(file string) (*os.File, error) {
	if file != "" {
		return os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	}
	if f := virtioPort(); f != nil {
		return f, nil
	}
	for _, name := range []string{"/dev/ttyS1", "/dev/ttyS0"} {
		if f, err := serialLine(name); err == nil {
			return f, nil
		}
	}
	return nil, errors.New("there is no virtio or serial port to the host")
}

// virtioPort opens the port of the host, nil when there is none. A driver that is
// there finds it soon.
func virtioPort() *os.File {
	if !fileExists("/sys/bus/virtio/drivers/virtio_console") {
		return nil
	}
	const tries = 500
	for range tries {
		names, _ := filepath.Glob("/sys/class/virtio-ports/*/name")
		for _, n := range names {
			if b, _ := os.ReadFile(n); strings.TrimSpace(string(b)) == wire.Port {
				f, err := os.OpenFile("/dev/"+filepath.Base(filepath.Dir(n)), os.O_WRONLY, 0)
				if err == nil {
					return f
				}
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	return nil
}

// serialLine opens a serial line for bytes of any value.
func serialLine(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	t, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err == nil {
		t.Oflag, t.Iflag, t.Lflag = 0, 0, 0
		t.Cflag = t.Cflag&^(unix.CSIZE|unix.PARENB|unix.CBAUD|unix.CRTSCTS) | unix.CS8 | unix.CLOCAL | unix.B115200
		err = unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, t)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
