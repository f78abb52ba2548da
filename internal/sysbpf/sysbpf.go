//go:build linux && amd64

// Package sysbpf is a thin wrapper of the bpf(2) system call: descriptors, the kernel's
// descriptions of programs, maps and type objects, and what is needed to load a program for a
// moment.
//
//	fd, err := sysbpf.ProgByID(17)
//	info, err := sysbpf.ReadProg(fd)
//	fmt.Println(info.Name, len(info.Xlated), len(info.Code))
//
// Instructions go in and come out as bytes, so that nothing is lost on the way.
// The package attaches nothing and pins nothing. Structures are laid out as in
// include/uapi/linux/bpf.h, Linux 6.18 and 7.3.
package sysbpf

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Commands of bpf(2).
const (
	cmdMapCreate  = 0
	cmdMapLookup  = 1
	cmdMapUpdate  = 2
	cmdProgLoad   = 5
	cmdObjGet     = 7
	cmdProgNextID = 11
	cmdProgByID   = 13
	cmdMapByID    = 14
	cmdInfo       = 15
	cmdBTFLoad    = 18
	cmdBTFByID    = 19
	cmdMapFreeze  = 22
)

// FD is an open descriptor of a program, map or type object. Programs and maps
// that nothing else refers to are gone when it is closed.
type FD int

// Close closes the descriptor.
func (fd FD) Close() error { return unix.Close(int(fd)) }

// Kind returns the kind of the descriptor's object: "bpf-prog", "bpf-map", "btf" or something else,
// in the kernel's words.
func (fd FD) Kind() string {
	link, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", int(fd)))
	if err != nil {
		return ""
	}
	const anon = "anon_inode:"
	if len(link) > len(anon) && link[:len(anon)] == anon {
		return link[len(anon):]
	}
	return link
}

// maxRetries bounds repeated system calls. The verifier gives up with EAGAIN
// when a signal is pending, which the Go runtime sends to itself.
const maxRetries = 30

// bpf is the system call. attr is the part of union bpf_attr that the command
// uses.
func bpf[T any](cmd uintptr, attr *T) (int, error) {
	for i := 0; ; i++ {
		r, _, errno := unix.Syscall(unix.SYS_BPF, cmd, uintptr(unsafe.Pointer(attr)), unsafe.Sizeof(*attr))
		runtime.KeepAlive(attr)
		switch {
		case errno == 0:
			return int(r), nil
		case (errno == unix.EAGAIN || errno == unix.EINTR) && i < maxRetries:
		default:
			return -1, errno
		}
	}
}

// descriptor turns the result of a command into a descriptor.
func descriptor(r int, err error) (FD, error) {
	if err != nil {
		return -1, err
	}
	return FD(r), nil
}

// pointer returns the address of a buffer, nil for an empty one. Structures
// hold it as a pointer, so that the collector sees it.
func pointer[T any](b []T) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(b)) }

// idAttr is union bpf_attr for the commands that go by number.
type idAttr struct{ id, next, flags uint32 }

// ProgNextID returns the smallest program number above id; ok is false when
// there is none.
func ProgNextID(id uint32) (next uint32, ok bool, err error) {
	attr := idAttr{id: id}
	if _, err = bpf(cmdProgNextID, &attr); errors.Is(err, unix.ENOENT) {
		return 0, false, nil
	}
	return attr.next, err == nil, err
}

// ProgByID opens a program by its number.
func ProgByID(id uint32) (FD, error) { return descriptor(bpf(cmdProgByID, &idAttr{id: id})) }

// MapByID opens a map by its number.
func MapByID(id uint32) (FD, error) { return descriptor(bpf(cmdMapByID, &idAttr{id: id})) }

// BTFByID opens a type object by its number.
func BTFByID(id uint32) (FD, error) { return descriptor(bpf(cmdBTFByID, &idAttr{id: id})) }

// Pinned opens the program or map that a file in a BPF file system stands for.
func Pinned(path string) (FD, error) {
	name, err := unix.ByteSliceFromString(path)
	if err != nil {
		return -1, err
	}
	attr := struct {
		path      unsafe.Pointer
		fd, flags uint32
	}{path: pointer(name)}
	return descriptor(bpf(cmdObjGet, &attr))
}

// infoAttr is union bpf_attr for BPF_OBJ_GET_INFO_BY_FD.
type infoAttr struct {
	fd, len uint32
	info    unsafe.Pointer
}

// readInfo fills info with the kernel's description of a descriptor.
func readInfo[T any](fd FD, info *T) error {
	_, err := bpf(cmdInfo, &infoAttr{uint32(fd), uint32(unsafe.Sizeof(*info)), unsafe.Pointer(info)})
	return err
}

// text returns the bytes before the first zero.
func text(b []byte) string {
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}
