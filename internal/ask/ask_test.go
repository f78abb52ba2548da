package ask

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/u-root/u-root/pkg/cpio"

	"github.com/bpfcfg/bpfcfg/internal/ask/wire"
	"github.com/bpfcfg/bpfcfg/internal/record"
)

func TestParseMachine(t *testing.T) {
	for name, want := range map[string]struct {
		m      Machine
		object string
	}{
		"vm:a/vmlinuz:x.o":  {Machine{VM: "a/vmlinuz"}, "x.o"},
		"uml:linux:d/x:y.o": {Machine{UML: "linux"}, "d/x:y.o"},
		"x.o":               {},
		"live:17":           {},
	} {
		m, object, ok, err := ParseMachine(name)
		if err != nil || m != want.m || object != want.object || ok != (want.object != "") {
			t.Errorf("%s: %v %q %t %v", name, m, object, ok, err)
		}
	}
	for _, bad := range []string{"vm:", "vm:image", "vm::x.o", "uml:linux:"} {
		if _, _, ok, err := ParseMachine(bad); !ok || err == nil {
			t.Errorf("%s: %t %v", bad, ok, err)
		}
	}
}

// TestInitrd reads the initial file system back.
func TestInitrd(t *testing.T) {
	b := &boots{Asker: &Asker{Machine: Machine{VM: "x"}, Types: []byte("types")}, dir: t.TempDir(),
		self: []byte("program"), work: Work{Files: map[string][]byte{"0.o": []byte("object")}}}
	path, err := b.initrd(0)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	records, err := cpio.ReadAllRecords(cpio.Newc.Reader(f))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, r := range records {
		var content bytes.Buffer
		if r.ReaderAt != nil {
			if _, err := content.ReadFrom(cpioReader(r)); err != nil {
				t.Fatal(err)
			}
		}
		got[r.Name] = fmt.Sprintf("%o %s", r.Mode, content.String())
	}
	for name, want := range map[string]string{
		"init": "100755 program", "0.o": "100644 object", "types.btf": "100644 types", "dev": "40755 ", "proc": "40755 ",
	} {
		if got[name] != want {
			t.Errorf("%s: %q, want %q", name, got[name], want)
		}
	}
}

// cpioReader returns the content of a record.
func cpioReader(r cpio.Record) *bytes.Reader {
	b := make([]byte, r.FileSize)
	if _, err := r.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		panic(err)
	}
	return bytes.NewReader(b)
}

// machine is a program that stands for QEMU: a shell script, which gets the files
// of the guest's lines as $out, $line and $console.
func machine(t *testing.T, script string) Asker {
	t.Helper()
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("guests are Linux on x86-64")
	}
	dir := t.TempDir()
	image := make([]byte, 1024)
	copy(image[0x202:], "HdrS")
	head := "#!/bin/sh\nfor a; do case $a in\nfile,id=out,path=*) out=${a#*path=};;\nfile,id=line,path=*) line=${a#*path=};;\n" +
		"file,id=console,path=*) console=${a#*path=};;\nesac; done\n: >$out >$line >$console\n"
	a := Asker{Machine: Machine{VM: filepath.Join(dir, "image")}, QEMU: filepath.Join(dir, "qemu"), Stall: 20 * time.Second,
		self: func() ([]byte, error) { return []byte("program"), nil }}
	for name, data := range map[string][]byte{a.Machine.VM: image, a.QEMU: []byte(head + script)} {
		if err := os.WriteFile(name, data, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

// frames writes messages to a file, as a guest would.
func frames(t *testing.T, messages ...*wire.Message) string {
	t.Helper()
	var b bytes.Buffer
	w := wire.Writer{W: &b}
	for _, m := range messages {
		if err := w.Write(m); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "frames")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

var (
	envMessage = &wire.Message{Kind: wire.Env, Record: &record.Record{Kind: record.KindEnv, Env: &record.Env{Release: "1"}}}
	endMessage = &wire.Message{Kind: wire.End}
)

func begin(i int) *wire.Message { return &wire.Message{Kind: wire.Begin, Index: i} }

func result(i int) *wire.Message {
	return &wire.Message{Kind: wire.Result, Index: i, Record: &record.Record{
		Kind: record.KindResult, Index: i, Job: &record.Job{Name: fmt.Sprint("answer ", i)}, Result: &record.Result{}}}
}

// told runs an asker about two programs and returns what came out, a line for each
// record.
func told(ctx context.Context, a Asker) (string, error) {
	var out []string
	work := Work{Items: []wire.Item{{Name: "first"}, {Name: "second"}}}
	err := a.Run(ctx, work, func(r *record.Record) error {
		if r.Job != nil {
			out = append(out, r.Kind+" "+r.Job.Name)
		}
		return nil
	})
	return strings.Join(out, ", "), err
}

// TestLines demands the same answers by each of the lines, with text around them.
func TestLines(t *testing.T) {
	for _, line := range []string{"out", "line", "console"} {
		good := frames(t, envMessage, begin(0), result(0), begin(1), result(1), endMessage)
		a := machine(t, "echo booting >>$console\ncat "+good+" >>$"+line+"\nexec sleep 60\n")
		got, err := told(t.Context(), a)
		if err != nil || got != "result answer 0, result answer 1" {
			t.Errorf("%s: %q, %v", line, got, err)
		}
	}
}

// TestCrash demands that a program which takes the kernel down is answered, and
// that the next one is loaded in another boot.
func TestCrash(t *testing.T) {
	first := frames(t, envMessage, begin(0))
	second := frames(t, envMessage, begin(1), result(1), endMessage)
	a := machine(t, "if [ -e $0.again ]; then cat "+second+" >$out; exit; fi\n: >$0.again\ncat "+first+
		" >$out\necho 'Kernel panic - not syncing: x' >$console\n")
	got, err := told(t.Context(), a)
	if err != nil || got != "crash first, result answer 1" {
		t.Errorf("%q, %v", got, err)
	}
}

// TestBadGuests demands one clear error of each machine that gives no answers.
func TestBadGuests(t *testing.T) {
	lost := frames(t, envMessage, result(0), endMessage)
	tests := []struct {
		name, script, want string
		stall              time.Duration
	}{
		{"panic", "printf 'a\\r\\nKernel panic - not syncing: VFS\\r\\nb\\r\\n' >$console\n", "Kernel panic - not syncing: VFS", 0},
		{"silence", "echo last words >$console\nexec sleep 60\n", "last words", time.Second},
		{"nothing", "exit 0\n", "it last said: nothing", 0},
		{"refused", "echo 'qemu: no such model' >&2\nexit 1\n", "qemu: no such model", 0},
		{"no bpf", "cat " + frames(t, &wire.Message{Kind: wire.Fatal, Text: "no bpf(2)"}) + " >$out\nexec sleep 60\n",
			"no bpf(2)", 0},
		{"damage", "head -c 100 " + lost + " >$out\ncat " + lost + " >>$out\nexec sleep 60\n", wire.ErrDamaged.Error(), 0},
		{"out of turn", "cat " + lost + " >$out\nexec sleep 60\n", "unexpected message", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := machine(t, tt.script)
			if tt.stall > 0 {
				a.Stall = tt.stall
			}
			got, err := told(t.Context(), a)
			if err == nil || !errors.Is(err, ErrAsk) || !strings.Contains(err.Error(), tt.want) || got != "" {
				t.Errorf("%q, %v, want an error with %q", got, err, tt.want)
			}
		})
	}
}

// TestStop demands that a machine ends with the context, and that nothing is left.
func TestStop(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	a := machine(t, "echo $$ >$0.pid\nexec sleep 60\n")
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	start := time.Now()
	if _, err := told(ctx, a); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 20*time.Second {
		t.Errorf("%v after %v", err, time.Since(start))
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestMissing(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := machine(t, "")
	tests := []struct {
		a    Asker
		want string
	}{
		{Asker{Machine: Machine{VM: filepath.Join(dir, "none")}}, "no such file"},
		{Asker{Machine: Machine{VM: dir}}, "not a regular file"},
		{Asker{Machine: Machine{VM: text}}, "not a kernel image"},
		{Asker{Machine: Machine{UML: text}}, "not an executable"},
		{Asker{Machine: good.Machine, QEMU: filepath.Join(dir, "qemu-none")}, "is not installed"},
	}
	for _, tt := range tests {
		if _, err := told(t.Context(), tt.a); !errors.Is(err, ErrAsk) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v, want %q", err, tt.want)
		}
	}
}

func TestStatic(t *testing.T) {
	if err := Static([]byte("text")); err == nil {
		t.Error("text is a program")
	}
	if sh, err := os.ReadFile("/bin/sh"); err == nil && runtime.GOOS == "linux" {
		if err := Static(sh); err == nil || !strings.Contains(err.Error(), "CGO_ENABLED=0") {
			t.Errorf("/bin/sh: %v", err)
		}
	}
}
