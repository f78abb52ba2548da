//go:build linux && amd64

package sysbpf

import (
	"encoding/hex"
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Prog is the kernel's description of a program (struct bpf_prog_info).
type Prog struct {
	ID, Type uint32
	Tag      string // 16 hexadecimal digits
	Name     string // at most 15 bytes
	Xlated   []byte // the program after the verifier's rewrites, 8 bytes a slot; empty when hidden
	Code     []byte // machine code of all functions, one after the other; empty without JIT or when hidden
	CodeLen  int    // bytes of machine code that exist, shown or not
	Ksyms    []uint64
	FuncLens []uint32
	MapIDs   []uint32

	BTFID      uint32
	Funcs      []FuncInfo
	Lines      []LineInfo
	JitedLines []uint64 // addresses, for each of Lines

	VerifiedInsns uint32
}

// FuncInfo is the type of a function (struct bpf_func_info).
type FuncInfo struct{ Slot, Type uint32 }

// LineInfo is a line record (struct bpf_line_info): offsets into the strings of
// the type object, and line<<10 | column.
type LineInfo struct{ Slot, File, Text, Pos uint32 }

// progInfo is struct bpf_prog_info.
type progInfo struct {
	typ, id            uint32
	tag                [8]byte
	jitedLen           uint32
	xlatedLen          uint32
	jited, xlated      unsafe.Pointer
	loadTime           uint64
	uid, nrMaps        uint32
	maps               unsafe.Pointer
	name               [16]byte
	ifindex, flags     uint32
	netnsDev, netnsIno uint64
	nrKsyms, nrLens    uint32
	ksyms, lens        unsafe.Pointer
	btfID, funcRec     uint32
	funcs              unsafe.Pointer
	nrFuncs, nrLines   uint32
	lines, jitedLines  unsafe.Pointer
	nrJitedLines       uint32
	lineRec            uint32
	jitedLineRec       uint32
	nrTags             uint32
	tags               unsafe.Pointer
	runTime, runCount  uint64
	recursionMisses    uint64
	verified           uint32
	attachObj, attach  uint32
	_                  uint32
}

// Limits on plausible answers of a kernel: far above what it allows.
const (
	maxCode  = 256 << 20
	maxCount = 4 << 20
)

// ReadProg returns the kernel's description of a program.
func ReadProg(fd FD) (*Prog, error) {
	var head progInfo
	if err := readInfo(fd, &head); err != nil {
		return nil, err
	}
	if head.jitedLen > maxCode || head.xlatedLen > maxCode ||
		max(head.nrMaps, head.nrKsyms, head.nrLens, head.nrFuncs, head.nrLines, head.nrJitedLines) > maxCount {
		return nil, fmt.Errorf("the kernel reports implausible sizes: %d bytes of code, %d line records", head.jitedLen,
			head.nrLines)
	}
	p := &Prog{
		Xlated: make([]byte, head.xlatedLen), Code: make([]byte, head.jitedLen),
		Ksyms: make([]uint64, head.nrKsyms), FuncLens: make([]uint32, head.nrLens),
		MapIDs: make([]uint32, head.nrMaps), Funcs: make([]FuncInfo, head.nrFuncs),
		Lines: make([]LineInfo, head.nrLines), JitedLines: make([]uint64, head.nrJitedLines),
	}
	full := progInfo{
		jitedLen: head.jitedLen, xlatedLen: head.xlatedLen, jited: pointer(p.Code), xlated: pointer(p.Xlated),
		nrMaps: head.nrMaps, maps: pointer(p.MapIDs),
		nrKsyms: head.nrKsyms, nrLens: head.nrLens, ksyms: pointer(p.Ksyms), lens: pointer(p.FuncLens),
		funcRec: uint32(unsafe.Sizeof(FuncInfo{})), funcs: pointer(p.Funcs), nrFuncs: head.nrFuncs,
		lineRec: uint32(unsafe.Sizeof(LineInfo{})), lines: pointer(p.Lines), nrLines: head.nrLines,
		jitedLineRec: 8, jitedLines: pointer(p.JitedLines), nrJitedLines: head.nrJitedLines,
	}
	if err := readInfo(fd, &full); err != nil {
		return nil, err
	}
	p.ID, p.Type, p.BTFID, p.VerifiedInsns = full.id, full.typ, full.btfID, full.verified
	p.Tag, p.Name = hex.EncodeToString(full.tag[:]), text(full.name[:])
	p.CodeLen = int(full.jitedLen)
	p.hide(&full)
	return p, nil
}

// hide drops fields that the kernel did not fill in: it zeroes the pointers of data that the caller
// may not see (bpf_prog_get_info_by_fd in kernel/bpf/syscall.c).
func (p *Prog) hide(info *progInfo) {
	if info.jited == nil {
		p.Code = nil
	}
	if info.xlated == nil {
		p.Xlated = nil
	}
	if info.ksyms == nil {
		p.Ksyms = nil
	}
	if info.jitedLines == nil {
		p.JitedLines = nil
	}
}

// Load is a program to load (BPF_PROG_LOAD).
type Load struct {
	Type       uint32
	AttachType uint32
	AttachBTF  uint32 // type ID of what tracing programs attach to
	AttachProg FD     // the program whose types AttachBTF is of; 0 for the kernel's
	Flags      uint32
	Name       string // at most 15 bytes of letters, digits, _ and .
	License    string
	Insns      []byte
	BTF        FD // 0 for none
	Funcs      []FuncInfo
	Lines      []LineInfo
	FDArray    []int32
	Bound      int // of FDArray's first maps that belong to the program in any case
	LogSize    int // bytes for the verifier's log, 0 for none
	// LogLevel asks for the log of a program that is accepted, too: BPF_LOG_LEVEL1
	// and the like. With 0 only a refused one has a log, of level 1.
	LogLevel uint32
}

// loadAttr is union bpf_attr for BPF_PROG_LOAD.
type loadAttr struct {
	typ, insnCnt      uint32
	insns, license    unsafe.Pointer
	logLevel, logSize uint32
	log               unsafe.Pointer
	version, flags    uint32
	name              [16]byte
	ifindex, attach   uint32
	btfFD, funcRec    uint32
	funcs             unsafe.Pointer
	funcCnt, lineRec  uint32
	lines             unsafe.Pointer
	lineCnt, attachID uint32
	attachFD, coreCnt uint32
	fdArray           unsafe.Pointer
	coreRelos         unsafe.Pointer
	coreRec, logTrue  uint32
	token, fdCount    uint32
}

// LoadProg loads a program and returns its descriptor. On failure, or with LogLevel, the log is the
// verifier's. A log that does not fit is requested again with less detail.
func LoadProg(l *Load) (fd FD, log string, err error) {
	attr := loadAttr{
		typ: l.Type, insnCnt: uint32(len(l.Insns) / 8), insns: pointer(l.Insns),
		license: pointer(append([]byte(l.License), 0)), flags: l.Flags, attach: l.AttachType, attachID: l.AttachBTF,
		attachFD: uint32(l.AttachProg),
		btfFD:    uint32(l.BTF), fdArray: pointer(l.FDArray), fdCount: uint32(l.Bound),
	}
	copy(attr.name[:15], l.Name)
	if len(l.Funcs) > 0 {
		attr.funcRec, attr.funcs, attr.funcCnt = uint32(unsafe.Sizeof(FuncInfo{})), pointer(l.Funcs), uint32(len(l.Funcs))
	}
	if len(l.Lines) > 0 {
		attr.lineRec, attr.lines, attr.lineCnt = uint32(unsafe.Sizeof(LineInfo{})), pointer(l.Lines), uint32(len(l.Lines))
	}
	if l.LogLevel != 0 {
		return loadWithLog(&attr, l.LogLevel, l.LogSize)
	}
	fd, err = descriptor(bpf(cmdProgLoad, &attr))
	if err == nil || l.LogSize == 0 {
		return fd, "", err
	}
	// Once more for the reason: a log costs time and is of no use on success.
	again, log, err2 := loadWithLog(&attr, 1, l.LogSize)
	if err2 == nil {
		return again, "", nil
	}
	return -1, log, err
}

// loadWithLog loads a program with a log of a level, or of a lower one if that
// does not fit.
func loadWithLog(attr *loadAttr, level uint32, size int) (fd FD, log string, err error) {
	// Pages that the kernel does not write to cost nothing this way, which in user-mode Linux is
	// most of the time.
	buf, err := unix.Mmap(-1, 0, max(size, 1), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return -1, "", err
	}
	defer unix.Munmap(buf) //nolint:errcheck // it was mapped
	for {
		attr.logLevel, attr.logSize, attr.log = level, uint32(len(buf)), pointer(buf)
		if level == 0 {
			attr.logSize, attr.log = 0, nil
		}
		clear(buf[:min(len(buf), 1)])
		if fd, err = descriptor(bpf(cmdProgLoad, attr)); !errors.Is(err, unix.ENOSPC) || level == 0 {
			return fd, text(buf), err
		}
		level--
	}
}
