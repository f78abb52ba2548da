//go:build unix

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
)

// program returns the command, which TestMain has put on PATH, as a process of its
// own.
func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	path, err := exec.LookPath("bpfcfg")
	if err != nil {
		t.Fatal(err)
	}
	return exec.Command(path, args...)
}

// temporaries returns the names of temporary files in a directory.
func temporaries(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, ".*"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// straight writes a program without jumps whose page takes a while to write.
func straight(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	for range 60_000 {
		b.WriteString("b700000000000000\n") // r0 = 0
	}
	b.WriteString("9500000000000000\n") // exit
	file := filepath.Join(dir, "straight.hex")
	if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	return "raw:" + file
}

// TestSignalWhileWriting stops the command as soon as its temporary file is there,
// in the middle of writing it, and sends a signal. However the race between the
// signal and the last byte ends: the file is the old or the new one as a whole, and
// nothing else is left.
func TestSignalWhileWriting(t *testing.T) {
	in := straight(t, t.TempDir())
	old := []byte("what was there\n")
	kept := 0
	for round, sig := range []syscall.Signal{
		syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM, syscall.SIGINT,
	} {
		dir := t.TempDir()
		file := filepath.Join(dir, "out.html")
		if err := os.WriteFile(file, old, 0o644); err != nil {
			t.Fatal(err)
		}
		cmd := program(t, "render", in, "-o", file)
		var text bytes.Buffer
		cmd.Stdout, cmd.Stderr = io.Discard, &text
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		for len(temporaries(t, dir)) == 0 && len(ended) == 0 {
			time.Sleep(50 * time.Microsecond)
		}
		signals := []syscall.Signal{syscall.SIGSTOP, sig, syscall.SIGCONT}
		for _, s := range signals {
			if err := cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
				t.Fatal(err)
			}
			if s == syscall.SIGSTOP {
				time.Sleep(5 * time.Millisecond)
			}
		}
		<-ended
		if left := temporaries(t, dir); len(left) > 0 {
			t.Errorf("round %d: %v is left", round, left)
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		switch code := cmd.ProcessState.ExitCode(); {
		case bytes.Equal(got, old):
			kept++
			if code != 128+int(sig) || text.Len() > 0 {
				t.Errorf("round %d: %v ended with status %d, want %d; printed %q", round, sig, code, 128+int(sig), text.String())
			}
		case !bytes.HasSuffix(bytes.TrimSpace(got), []byte("</html>")):
			t.Errorf("round %d: %d bytes, neither the old file nor the whole new one", round, len(got))
		case code != 0 && code != 128+int(sig):
			t.Errorf("round %d: status %d", round, code)
		}
	}
	t.Logf("the old file was kept %d times", kept)
	if kept == 0 {
		t.Error("no signal came while the file was written")
	}
}

// TestSignalWhileReading sends a signal to commands that wait for their input.
func TestSignalWhileReading(t *testing.T) {
	for _, verb := range [][]string{{"list", "-"}, {"render", "-", "-o", "x.svg"}, {"check", "-", "--format", "json=x.json"}} {
		cmd := program(t, verb...)
		cmd.Dir = t.TempDir()
		in, err := cmd.StdinPipe() // stays open
		if err != nil {
			t.Fatal(err)
		}
		var text bytes.Buffer
		cmd.Stderr = &text
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// More than a pipe holds: when all is written, the process has begun to read.
		if _, err := in.Write(append([]byte("\x7fELF"), make([]byte, 1<<17)...)); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != 130 || text.Len() > 0 {
			t.Errorf("%v: status %d, %q; want 130 and silence", verb, code, text.String())
		}
	}
}

// TestIgnoredSignal starts the command with the signal ignored, as nohup does.
func TestIgnoredSignal(t *testing.T) {
	cmd := program(t)
	cmd = exec.Command("sh", "-c", `trap "" HUP; exec "$0" list -`, cmd.Path)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond)
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond)
	data, err := os.ReadFile(testenv.Path(t, "corpus/out/17_range_checked.o"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := in.Write(data); err != nil {
		t.Fatal(err)
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Errorf("a signal that was ignored ended the command: %v", err)
	}
}

// TestFullDisk writes where there is no room: a limit on the size of files, which
// is what every system has.
func TestFullDisk(t *testing.T) {
	object := testenv.Path(t, "corpus/out/17_range_checked.o")
	for _, args := range []string{
		"render " + object + " --prog below -o out", "render " + object + " --prog below --format png -o out",
		"check " + object + " --format sarif=out --fail-on never",
	} {
		dir := t.TempDir()
		file := filepath.Join(dir, "out")
		if err := os.WriteFile(file, []byte("old"), 0o644); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("sh", "-c", fmt.Sprintf("ulimit -f 1; exec %s %s", program(t).Path, args))
		cmd.Dir = dir
		var text bytes.Buffer
		cmd.Stderr = &text
		_ = cmd.Run()
		if code := cmd.ProcessState.ExitCode(); code != exitInput || strings.Count(text.String(), "\n") != 1 ||
			!strings.HasPrefix(text.String(), "bpfcfg: write out: file too large") {
			t.Errorf("%s: status %d, %q", args, code, text.String())
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != "old" || len(temporaries(t, dir)) > 0 {
			t.Errorf("%s: the file is %q now, %v; left: %v", args, got, err, temporaries(t, dir))
		}
	}
}

// TestFullStandardOutput prints to a device that is always full.
func TestFullStandardOutput(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("no /dev/full here")
	}
	defer full.Close()
	object := testenv.Path(t, "corpus/out/17_range_checked.o")
	for _, args := range [][]string{
		{"list", object}, {"check", object}, {"verify", object}, {"version"}, {"--help"}, {"render", object, "--prog", "below", "-o", "-"},
		{"show", object, "--stage", "cfg"}, {"show", object, "--stage", "succ", "--format", "json"},
		{"explain", object}, {"profile", "linux-7.3"}, {"diff", object, object},
	} {
		cmd := program(t, args...)
		var text bytes.Buffer
		cmd.Stdout, cmd.Stderr = full, &text
		_ = cmd.Run()
		if code := cmd.ProcessState.ExitCode(); code != exitInput ||
			text.String() != "bpfcfg: standard output: no space left on device\n" {
			t.Errorf("%v: status %d, %q", args, code, text.String())
		}
	}
}

// TestClosedPipe prints to a pipe without a reader.
func TestClosedPipe(t *testing.T) {
	object := testenv.Path(t, "corpus/out/15_thousand_cases.o")
	for _, ignored := range []bool{false, true} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		r.Close()
		cmd := program(t, "show", object, "--stage", "insns")
		if ignored {
			cmd = exec.Command("sh", "-c", `trap "" PIPE; exec "$0" show "$1" --stage insns`, cmd.Path, object)
		}
		var text bytes.Buffer
		cmd.Stdout, cmd.Stderr = w, &text
		_ = cmd.Run()
		w.Close()
		ws, _ := cmd.ProcessState.Sys().(syscall.WaitStatus)
		byPipe := ws.Signaled() && ws.Signal() == syscall.SIGPIPE || ws.Exited() && ws.ExitStatus() == 141
		if !byPipe || text.Len() > 0 {
			t.Errorf("SIGPIPE ignored %v: %v, %q; want a quiet end as other tools have", ignored, cmd.ProcessState, text.String())
		}
	}
}

// TestSignalWhileGraphvizRuns stops the command while it waits for the engine dot,
// for which a program stands that never answers: the program ends and its directory
// goes, too.
func TestSignalWhileGraphvizRuns(t *testing.T) {
	bin, tmp := t.TempDir(), t.TempDir()
	helper := "#!/bin/sh\necho $$ > " + filepath.Join(bin, "pid") + "\nexec sleep 60\n"
	if err := os.WriteFile(filepath.Join(bin, "bpfcfg-dot"), []byte(helper), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := program(t, "render", testenv.Path(t, "corpus/out/17_range_checked.o"), "--prog", "below", "--engine", "dot", "-o", "x.svg")
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "TMPDIR="+tmp)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	for range 2000 {
		data, _ := os.ReadFile(filepath.Join(bin, "pid"))
		if _, err := fmt.Sscan(string(data), &pid); err == nil {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	if pid == 0 {
		_ = cmd.Process.Kill()
		t.Fatal("the program was not started")
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 {
		t.Errorf("status %d, want 130", code)
	}
	if left, _ := os.ReadDir(tmp); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
	for range 100 { // the system may take a moment
		if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("the program that was started still runs as %d", pid)
}
