//go:build linux && amd64

package guest

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
)

// TestObjectWithoutTypes: an object need not have BTF to be loaded.
func TestObjectWithoutTypes(t *testing.T) {
	g := &guest{objects: map[string]*object{}}
	o := g.object(testenv.Path(t, "calls/gcc12.o"))
	if o.err != nil || o.types != nil || o.ext == nil || len(o.Programs) == 0 {
		t.Errorf("the object is %+v", o)
	}
}

// TestSerialLine: what is sent over a serial line arrives as it is.
func TestSerialLine(t *testing.T) {
	host, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer host.Close()
	if err := unix.IoctlSetPointerInt(int(host.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Skip(err)
	}
	n, err := unix.IoctlGetInt(int(host.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Skip(err)
	}
	line, err := serialLine(fmt.Sprintf("/dev/pts/%d", n))
	if err != nil {
		t.Fatal(err)
	}
	defer line.Close()
	sent := []byte("a\nb\x03\x04\x11\xff") // a terminal makes \r\n of \n
	if _, err := line.Write(sent); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(sent))
	if _, err := io.ReadFull(host, got); err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%q arrived, %v", got, err)
	}
	if _, err := serialLine("/dev/null"); err == nil {
		t.Error("a file that is no line counts as one")
	}
}
