package main

import (
	_ "embed"
	"fmt"

	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/layers"
	"github.com/bpfcfg/bpfcfg/internal/stage"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
	"github.com/bpfcfg/bpfcfg/render/picture"
)

// sampleObject is sample/sample.c, compiled; the build command is in it.
//
//go:embed sample/sample.o
var sampleObject []byte

// demoCmd runs the whole pipeline on the embedded sample.
type demoCmd struct {
	Output string `short:"o" default:"demo" help:"Name of the files to write, without ending (default: ${default}, for demo.svg and demo.html)." placeholder:"NAME"`
}

// Help returns the examples of --help.
func (demoCmd) Help() string {
	return `Examples:
  bpfcfg demo
  bpfcfg demo -o /tmp/sample       writes /tmp/sample.svg and /tmp/sample.html

The sample is an XDP program with a switch; its source is cmd/bpfcfg/sample/sample.c.`
}

// Run implements the verb.
func (c *demoCmd) Run(std streams, proc *process) error {
	o, err := load.ELF("sample.o", sampleObject)
	if err != nil {
		return err
	}
	prof, err := jit.LookupProfile(jit.DefaultProfile)
	if err != nil {
		return err
	}
	a, err := pipeline.Run(o.Programs[0], prof, rewrite.Options{})
	if err != nil {
		return err
	}
	v := &stage.View{Program: a.Program, Analysis: a}
	if err := stage.All()["succ"].Text(std.out, v); err != nil {
		return err
	}
	fmt.Fprintln(std.out)
	if err := stage.All()["layout"].Text(std.out, v); err != nil {
		return err
	}
	fmt.Fprintln(std.out)
	scene := picture.Scene(a, "sample.o")
	picture.AddDetails(scene, a)
	scene.Findings = layers.Findings(a)
	if a.Image != nil {
		picture.AddVerified(scene, a, a.Verify())
	}
	files := written{std: std}
	defer files.hint()
	for _, d := range []drawing{{format: "svg", style: "figure"}, {format: "html"}} {
		format := d.format
		d.view, d.engine, d.proc = "both", "layered", proc
		data, err := d.draw(scene)
		if err != nil {
			return err
		}
		path := c.Output + "." + format
		if err := proc.write(path, data); err != nil {
			return err
		}
		if err := files.add(path, format, len(data)); err != nil {
			return err
		}
	}
	return nil
}
