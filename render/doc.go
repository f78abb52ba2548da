// Package render draws a program: its control flow graph on the left, the
// machine code made from it on the right as a strip to scale, each block
// linked to its bytes.
//
//	scene := &render.Scene{Title: "dispatch", Funcs: …, Blocks: …, Edges: …}
//	placement, err := render.Place(scene, render.PlaceOptions{})
//	svg := render.SVG(scene, placement)
//
// A Scene is what to draw; a Placement is where everything goes: rectangles and
// routes in integer pixels, no text and no colour. SVG, HTML, DOT, Mermaid and
// JSON are written from the two. The same Scene gives the same bytes on every
// run and machine.
//
// The package analyses nothing: the Scene says what is reachable, which edges are dead and where
// the machine code lies. It starts no program and opens no file; package dotengine does that for
// Graphviz.
package render
