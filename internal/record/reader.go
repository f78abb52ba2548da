package record

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
)

// FileKind says what a file of records holds.
type FileKind uint8

// The kinds of file, distinguished by the keys of their first object.
const (
	FileInvalid  FileKind = iota
	FileRecords           // lines of Record; key "kind"
	FileVectors           // one Vectors; key "kernels", "vectors" or "cbpf"
	FilePrograms          // one Programs; key "programs"
)

// String returns "records", "vectors" or "programs".
func (k FileKind) String() string {
	switch k {
	case FileRecords:
		return "records"
	case FileVectors:
		return "vectors"
	case FilePrograms:
		return "programs"
	}
	return "invalid"
}

// Default limits of a Reader, in bytes after decompression. A verifier log of
// 15 MB has been seen; the kernel's own limit for one is 1 GB.
const (
	DefaultMaxLine = 128 << 20 // one line of records
	DefaultMaxFile = 256 << 20 // a file of vectors or programs, which is read whole
)

// sniffSize is the number of bytes that are read to find the kind of a file.
const sniffSize = 64 << 10

// Options of a Reader. The zero value reads everything.
type Options struct {
	// SkipLogs leaves Load.Log empty, which is several times faster with long
	// logs: they are passed over without being decoded.
	SkipLogs bool
	// MaxLine and MaxFile replace the default limits when positive.
	MaxLine, MaxFile int
}

// A Reader reads one file. Its methods are not safe for concurrent use.
type Reader struct {
	opts Options
	kind FileKind
	buf  *bufio.Reader
	line int
	long []byte // a line that does not fit the buffer
	file io.Closer
}

// NewReader returns a Reader of r, which may be compressed, and finds out the
// kind of the file. An error says that the file is none of the three.
func NewReader(r io.Reader, opts Options) (*Reader, error) {
	packed := &counter{in: r}
	buf := bufio.NewReaderSize(packed, sniffSize)
	if magic, _ := buf.Peek(2); len(magic) == 2 && magic[0] == 0x1f && magic[1] == 0x8b {
		z, err := gzip.NewReader(buf)
		if err != nil {
			return nil, fmt.Errorf("gzip: %w", err)
		}
		buf = bufio.NewReaderSize(&unpacked{in: z, packed: packed}, sniffSize)
	}
	head, err := buf.Peek(sniffSize)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
		return nil, fmt.Errorf("record file: %w", err)
	}
	kind, err := sniff(head)
	if err != nil {
		return nil, err
	}
	if opts.MaxLine <= 0 {
		opts.MaxLine = DefaultMaxLine
	}
	if opts.MaxFile <= 0 {
		opts.MaxFile = DefaultMaxFile
	}
	return &Reader{opts: opts, kind: kind, buf: buf}, nil
}

// Open returns a Reader of the file at path. Close it after use. Errors begin
// with the path. Devices and pipes are refused: they may have no end.
func Open(path string, opts Options) (*Reader, error) {
	f, err := openRegular(path)
	if err != nil {
		var p *fs.PathError
		if errors.As(err, &p) {
			err = p.Err
		}
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	r, err := NewReader(f, opts)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	r.file = f
	return r, nil
}

// openRegular opens a regular file, and does not wait for the other end of a pipe.
func openRegular(path string) (*os.File, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, errors.New("not a regular file: copy it to one")
	}
	return os.Open(path)
}

// Close closes the file that Open opened.
func (r *Reader) Close() error {
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}

// Kind returns what the file holds.
func (r *Reader) Kind() FileKind { return r.kind }

// sniff determines the kind of a file from the keys of its first object, as far as
// head shows them.
func sniff(head []byte) (FileKind, error) {
	dec := json.NewDecoder(bytes.NewReader(head))
	tok, err := dec.Token()
	if err != nil || tok != json.Delim('{') {
		return FileInvalid, errors.New("not a record file: it does not begin with a JSON object")
	}
	for {
		key, err := dec.Token()
		if err != nil || key == json.Delim('}') {
			return FileInvalid, errors.New("not a record file: no known key in its first object")
		}
		switch key {
		case "kind":
			return FileRecords, nil
		case "kernels", "vectors", "cbpf":
			return FileVectors, nil
		case "programs":
			return FilePrograms, nil
		}
		var skip json.RawMessage
		if err := dec.Decode(&skip); err != nil {
			return FileInvalid, errors.New("not a record file: no known key in its first object")
		}
	}
}

// Next returns the next record of a file of records, io.EOF after the last.
// Other errors name the line.
func (r *Reader) Next() (*Record, error) {
	if r.kind != FileRecords {
		return nil, fmt.Errorf("this is a file of %s, not of records", r.kind)
	}
	for {
		line, err := r.readLine()
		if err != nil {
			return nil, err
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		rec, err := r.decode(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", r.line, err)
		}
		return rec, nil
	}
}

// decode returns the record in a line.
func (r *Reader) decode(line []byte) (*Record, error) {
	if r.opts.SkipLogs {
		line = cutLogs(line)
	}
	rec := &Record{Line: r.line}
	if err := json.Unmarshal(line, rec); err != nil {
		return nil, err
	}
	switch {
	case rec.Kind == KindEnv && rec.Env == nil:
		return nil, errors.New("env record without its machine")
	case rec.Kind == KindEnv:
	case rec.Kind != KindResult && rec.Kind != KindCrash:
		return nil, fmt.Errorf("unknown kind of record %q", rec.Kind)
	case rec.Job == nil:
		return nil, errors.New("record without its job")
	}
	return rec, nil
}

// readLine returns the next line without its end. The bytes are valid until
// the next call.
func (r *Reader) readLine() ([]byte, error) {
	r.line++
	r.long = r.long[:0]
	for {
		part, err := r.buf.ReadSlice('\n')
		switch {
		case err == nil && len(r.long) == 0:
			return part[:len(part)-1], nil
		case err != nil && !errors.Is(err, bufio.ErrBufferFull) && !errors.Is(err, io.EOF):
			return nil, fmt.Errorf("line %d: %w", r.line, err)
		}
		if len(r.long)+len(part) > r.opts.MaxLine {
			return nil, fmt.Errorf("line %d: longer than %d bytes", r.line, r.opts.MaxLine)
		}
		r.long = append(r.long, part...)
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if errors.Is(err, io.EOF) && len(r.long) == 0 {
			return nil, io.EOF
		}
		return r.long, nil
	}
}

// Records returns the records that are left, env records included. After an
// error it ends.
func (r *Reader) Records() iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		for {
			rec, err := r.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			if !yield(rec, err) || err != nil {
				return
			}
		}
	}
}

// Vectors returns the content of a file of vectors.
func (r *Reader) Vectors() (*Vectors, error) {
	v := new(Vectors)
	return v, r.whole(FileVectors, v)
}

// Programs returns the content of a file of programs.
func (r *Reader) Programs() (*Programs, error) {
	p := new(Programs)
	return p, r.whole(FilePrograms, p)
}

// whole decodes a file that is one document.
func (r *Reader) whole(kind FileKind, to any) error {
	if r.kind != kind {
		return fmt.Errorf("this is a file of %[2]s, not of %[1]s", kind, r.kind)
	}
	in := &io.LimitedReader{R: r.buf, N: int64(r.opts.MaxFile) + 1}
	if err := json.NewDecoder(in).Decode(to); err != nil {
		if in.N <= 0 {
			return fmt.Errorf("longer than %d bytes", r.opts.MaxFile)
		}
		return fmt.Errorf("%s: %w", kind, err)
	}
	return nil
}
