package ask

import (
	"bytes"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/u-root/u-root/pkg/cpio"

	"github.com/bpfcfg/bpfcfg/internal/ask/wire"
)

// boots is the work of one Run: a directory with what every boot needs.
type boots struct {
	*Asker
	work Work
	dir  string
	self []byte // the program that becomes the first process
}

// typesFile holds Asker.Types in the guest.
const typesFile = "types.btf"

// prepare finds everything that is needed, so that missing things are reported before anything is
// started.
func (a *Asker) prepare(work Work) (*boots, error) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return nil, errors.New("this requires Linux on x86-64, because bpfcfg itself is the guest's init process")
	}
	if err := a.check(); err != nil {
		return nil, err
	}
	b := &boots{Asker: a, work: work}
	if a.self == nil {
		a.self = static
	}
	var err error
	if b.self, err = a.self(); err != nil {
		return nil, err
	}
	b.dir, err = os.MkdirTemp("", "bpfcfg-ask-")
	return b, err
}

// remove removes the directory.
func (b *boots) remove() { os.RemoveAll(b.dir) }

// check checks the kernel and the executable that runs it.
func (a *Asker) check() error {
	head, err := headOf(a.Machine.Path())
	if err != nil {
		return err
	}
	if a.Machine.UML != "" {
		if !bytes.HasPrefix(head, []byte(elf.ELFMAG)) {
			return errors.New("not an executable: user-mode Linux is a program (linux.uml, from a package " +
				"such as Debian's user-mode-linux)")
		}
		return nil
	}
	// Documentation/arch/x86/boot.rst: the header's magic number.
	if len(head) < 0x206 || string(head[0x202:0x206]) != "HdrS" {
		return errors.New("not a kernel image for x86: want a bzImage such as /boot/vmlinuz-*")
	}
	if a.QEMU == "" {
		a.QEMU = "qemu-system-x86_64"
	}
	if _, err := exec.LookPath(a.QEMU); err != nil {
		return fmt.Errorf("%s is not installed: on Debian and Ubuntu it is in the package qemu-system-x86; "+
			"user-mode Linux (--uml, uml:) needs no QEMU", a.QEMU)
	}
	return nil
}

// headOf returns the first bytes of a regular file.
func headOf(path string) ([]byte, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, systemError(err)
	}
	if !st.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, systemError(err)
	}
	defer f.Close()
	head := make([]byte, 1024)
	n, err := f.Read(head)
	if err != nil {
		return nil, errors.New("the file is empty")
	}
	return head[:n], nil
}

// systemError returns the system's message, without the name of the file.
func systemError(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// static returns the running program, which must need no libraries: the guest has
// none.
func static() ([]byte, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return data, Static(data)
}

// Static returns why a program cannot be the first process of a guest, nil if it
// needs no libraries.
func Static(program []byte) error {
	f, err := elf.NewFile(bytes.NewReader(program))
	if err != nil {
		return err
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return errors.New("this bpfcfg needs shared libraries, which the guest does not have: " +
				"build it with CGO_ENABLED=0")
		}
	}
	return nil
}

// directories that the guest mounts its file systems on.
func directories() []string { return []string{"dev", "proc", "sys", "tmp"} }

// config returns the guest's configuration.
func (b *boots) config(first int) ([]byte, error) {
	w := wire.Work{First: first, Programs: b.work.Items, LogLevel: b.Log, Label: b.Machine.Label()}
	if b.Machine.UML != "" {
		w.Out = "/" + outName
	}
	if len(b.Types) > 0 {
		w.Types = "/" + typesFile
	}
	return json.Marshal(w)
}

// files calls add for each file of the guest, in a fixed order.
func (b *boots) files(first int, add func(name string, mode uint64, data []byte) error) error {
	conf, err := b.config(first)
	if err != nil {
		return err
	}
	err = errors.Join(add("init", 0o755, b.self), add(wire.Config[1:], 0o644, conf))
	if len(b.Types) > 0 {
		err = errors.Join(err, add(typesFile, 0o644, b.Types))
	}
	for _, name := range slices.Sorted(maps.Keys(b.work.Files)) {
		err = errors.Join(err, add(name, 0o644, b.work.Files[name]))
	}
	return err
}

// initrd writes the initial file system for QEMU, and returns its path.
func (b *boots) initrd(first int) (string, error) {
	path := filepath.Join(b.dir, "initrd")
	f, err := os.Create(path)
	if err != nil {
		return "", err
	}
	w := cpio.Newc.Writer(f)
	for _, d := range directories() {
		err = errors.Join(err, w.WriteRecord(cpio.Directory(d, 0o755)))
	}
	err = errors.Join(err, b.files(first, func(name string, mode uint64, data []byte) error {
		return w.WriteRecord(cpio.StaticFile(name, string(data), mode))
	}))
	return path, errors.Join(err, cpio.WriteTrailer(w), f.Close())
}

// root writes the root file system of user-mode Linux, a directory, and returns
// its path.
func (b *boots) root(first int) (string, error) {
	root := filepath.Join(b.dir, "root")
	if err := os.RemoveAll(root); err != nil {
		return "", err
	}
	for _, d := range directories() {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			return "", err
		}
	}
	err := b.files(first, func(name string, mode uint64, data []byte) error {
		return os.WriteFile(filepath.Join(root, name), data, os.FileMode(mode))
	})
	return root, err
}
