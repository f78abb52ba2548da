// Command bpfcfg-dot lays out one graph with Graphviz: DOT on standard input,
// coordinates or an image on standard output.
//
//	echo 'digraph { a -> b }' | bpfcfg-dot -format plain
//
// It is a program of its own because the library it uses compiles 1.5 MB of WebAssembly before main
// runs, keeps the result in a folder named go-graphviz below $TMPDIR without checking whose it is,
// dies at start when that is damaged, cannot be interrupted and leaks. So the caller, package
// render/dotengine, gives it a private TMPDIR and a deadline, and checks the answer. One process
// makes one drawing.
//
// Exit status: 0 with an answer, 2 for wrong flags, 3 when there is none.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"

	"github.com/goccy/go-graphviz"
)

// maxInput bounds what is read.
const maxInput = 256 << 20

// formats are the outputs that the library is known to make; others it leaves
// empty without an error.
var formats = []string{"plain", "json", "svg", "png"}

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	fs := flag.NewFlagSet("bpfcfg-dot", flag.ContinueOnError)
	fs.SetOutput(stderr)
	format := fs.String("format", "plain", "plain, json, svg or png")
	memory := fs.Int64("memory", 0, "limit of the address space in bytes, 0 for none")
	if err := fs.Parse(args); err != nil {
		return 2
	}
	if fs.NArg() > 0 || !slices.Contains(formats, *format) || *memory < 0 {
		fmt.Fprintf(stderr, "bpfcfg-dot: format %q or arguments %q not understood\n", *format, fs.Args())
		return 2
	}
	if err := limitMemory(*memory); err != nil {
		fmt.Fprintf(stderr, "bpfcfg-dot: memory limit: %v\n", err)
		return 3
	}
	out, err := draw(stdin, graphviz.Format(*format))
	if err == nil {
		_, err = stdout.Write(out)
	}
	if err != nil {
		fmt.Fprintf(stderr, "bpfcfg-dot: %v\n", err)
		return 3
	}
	return 0
}

// limitMemory makes the collector work harder near the limit, and allocation
// beyond it fail where the system can do that.
func limitMemory(bytes int64) error {
	if bytes == 0 {
		return nil
	}
	debug.SetMemoryLimit(bytes / 2)
	return limitAddressSpace(uint64(bytes))
}

// draw reads a graph and returns the drawing.
func draw(in io.Reader, format graphviz.Format) ([]byte, error) {
	src, err := io.ReadAll(io.LimitReader(in, maxInput+1))
	if err != nil {
		return nil, err
	}
	if len(src) > maxInput {
		return nil, fmt.Errorf("more than %d bytes of input", maxInput)
	}
	graph, err := graphviz.ParseBytes(src)
	if err != nil {
		return nil, fmt.Errorf("parse: %w", err)
	}
	if graph == nil {
		return nil, errors.New("parse: no graph")
	}
	ctx := context.Background()
	g, err := graphviz.New(ctx)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := g.Render(ctx, graph, format, &out); err != nil {
		return nil, fmt.Errorf("render: %w", err)
	}
	if out.Len() == 0 {
		return nil, errors.New("render: empty answer")
	}
	return out.Bytes(), nil
}
