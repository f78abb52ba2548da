// Package wire is the protocol between a host and the kernel that it starts: the configuration that
// the guest reads, and the messages that it sends over a line that may lose or mix bytes.
//
//	err := wire.Write(port, &wire.Message{Kind: wire.End})
//
//	var s wire.Scanner
//	messages, err := s.Add(bytes)      // as they arrive, in pieces of any size
//
// A message travels as JSON, compressed, in a frame:
//
//	+-------+--------+--------+-------+---------+
//	| magic | number | length | CRC32 | payload |      4 bytes each, little-endian
//	+-------+--------+--------+-------+---------+
//
// Bytes between frames, such as the messages of a kernel that shares the line, are skipped. A frame
// that is damaged or missing is an error: nothing is sent twice.
package wire

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/bpfcfg/bpfcfg/internal/record"
)

// Names that host and guest agree on.
const (
	Port   = "bpfcfg"       // of the virtio-serial port
	Config = "/config.json" // in the guest's file system
	Guest  = "BPFCFG_GUEST" // kernel parameter, so an environment variable of process 1
)

// Kinds of Message.
const (
	Env    = "env"    // the machine, in Record
	Begin  = "begin"  // work on program Index begins
	Result = "result" // program Index is done, its job and result in Record
	End    = "end"    // all programs are done
	Fatal  = "fatal"  // nothing can be asked of this kernel, for the reason in Text
)

// Message is one message of the guest.
type Message struct {
	Kind   string         `json:"kind"`
	Index  int            `json:"index,omitempty"`
	Record *record.Record `json:"record,omitempty"`
	Text   string         `json:"text,omitempty"`
}

// Work is the configuration of the guest.
type Work struct {
	First    int    `json:"first"` // index of the first program to load
	Programs []Item `json:"programs"`
	Types    string `json:"types,omitempty"` // file with the types to use instead of the kernel's own
	Out      string `json:"out,omitempty"`   // file to write to, instead of a port or line
	LogLevel uint32 `json:"log_level"`
	Label    string `json:"label"`
}

// Item is one program to load: of an object file, or a job of a record.
type Item struct {
	Name    string         `json:"name"` // of the job
	File    string         `json:"file"` // in the guest's file system
	Program string         `json:"program,omitempty"`
	Object  *record.Object `json:"object,omitempty"`
	Job     *record.Job    `json:"job,omitempty"` // instead of File
}

// magic begins a frame. Its bytes are no text.
const magic = 0xf7e1bfcf

// headerSize is the size of a frame without its payload in bytes.
const headerSize = 16

// Limits of a frame in bytes: compressed, and unpacked.
const (
	maxFrame   = 64 << 20
	maxMessage = 512 << 20
)

// Writer sends messages.
type Writer struct {
	W io.Writer
	n uint32
}

// Write sends a message.
func (w *Writer) Write(m *Message) error {
	var b bytes.Buffer
	b.Write(make([]byte, headerSize))
	z, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		return err
	}
	enc := json.NewEncoder(z)
	enc.SetEscapeHTML(false)
	if err := errors.Join(enc.Encode(m), z.Close()); err != nil {
		return err
	}
	frame := b.Bytes()
	payload := frame[headerSize:]
	if len(payload) > maxFrame {
		return fmt.Errorf("a message of %d bytes, more than %d", len(payload), maxFrame)
	}
	for i, v := range []uint32{magic, w.n, uint32(len(payload)), crc32.ChecksumIEEE(payload)} {
		binary.LittleEndian.PutUint32(frame[4*i:], v)
	}
	w.n++
	_, err = w.W.Write(frame)
	return err
}

// ErrDamaged is wrapped by the errors of a Scanner.
var ErrDamaged = errors.New("the connection to the guest lost or changed bytes")

// Scanner finds messages in a stream of bytes. The zero value is ready.
type Scanner struct {
	buf  []byte
	next uint32
}

// Add appends bytes of the stream, and returns the messages that are complete.
func (s *Scanner) Add(b []byte) ([]*Message, error) {
	s.buf = append(s.buf, b...)
	var out []*Message
	for {
		m, err := s.message()
		if m == nil || err != nil {
			return out, err
		}
		out = append(out, m)
	}
}

// message takes the next message from the buffer, nil when it is not complete.
func (s *Scanner) message() (*Message, error) {
	var first [4]byte
	binary.LittleEndian.PutUint32(first[:], magic)
	at := bytes.Index(s.buf, first[:])
	if at < 0 { // keep what may be the beginning of one
		s.buf = append(s.buf[:0], s.buf[max(0, len(s.buf)-len(first)+1):]...)
		return nil, nil
	}
	s.buf = s.buf[at:]
	if len(s.buf) < headerSize {
		return nil, nil
	}
	le := binary.LittleEndian
	n, size, sum := le.Uint32(s.buf[4:]), le.Uint32(s.buf[8:]), le.Uint32(s.buf[12:])
	if n != s.next || size > maxFrame {
		return nil, fmt.Errorf("%w: message %d of %d bytes, want message %d", ErrDamaged, n, size, s.next)
	}
	if len(s.buf) < headerSize+int(size) {
		return nil, nil
	}
	payload := s.buf[headerSize : headerSize+int(size)]
	if crc32.ChecksumIEEE(payload) != sum {
		return nil, fmt.Errorf("%w: message %d has another checksum", ErrDamaged, n)
	}
	m, err := decode(payload)
	if err != nil {
		return nil, fmt.Errorf("message %d: %w", n, err)
	}
	s.next++
	s.buf = append([]byte(nil), s.buf[headerSize+int(size):]...)
	return m, nil
}

// decode returns the message of a payload.
func decode(payload []byte) (*Message, error) {
	z, err := gzip.NewReader(bytes.NewReader(payload))
	if err != nil {
		return nil, err
	}
	in := &io.LimitedReader{R: z, N: maxMessage + 1}
	m := new(Message)
	err = json.NewDecoder(in).Decode(m)
	if in.N <= 0 {
		return nil, fmt.Errorf("longer than %d bytes", maxMessage)
	}
	if err != nil {
		return nil, err
	}
	return m, nil
}
