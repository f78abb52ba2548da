package picture

import (
	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/x86/disasm"
	"github.com/bpfcfg/bpfcfg/render"
)

// codeMarks returns the epilogues of an image's functions, and the nops between
// their prologues and ends: padding of jumps,
// and places for the kernel to patch.
func codeMarks(a *pipeline.Analysis) []render.ByteMark {
	var out []render.ByteMark
	for f, fi := range a.Image.Funcs {
		fn := a.Rewrite.Program.Funcs[f]
		if fn.Hidden {
			continue
		}
		end := fi.Offset + fi.Len
		for off := fi.Offset + fi.Prologue; off < end; {
			in, err := disasm.Scan(a.Image.Code[:end], off)
			if err != nil {
				break // constants, or code that verify reports
			}
			if in.IsNop() {
				if n := len(out); n > 0 && out[n-1].Kind == render.BytesPadding && out[n-1].Offset+out[n-1].Len == off {
					out[n-1].Len += in.Len
				} else {
					out = append(out, render.ByteMark{Kind: render.BytesPadding, Offset: off, Len: in.Len})
				}
			}
			off += in.Len
		}
		if fi.Epilogue >= 0 {
			n := exitLen(a, f)
			out = append(out, render.ByteMark{Kind: render.BytesEpilogue, Offset: fi.Offset + fi.Epilogue, Len: n,
				Text: "where all exits of the function go"})
		}
	}
	img := &render.Image{Marks: out}
	sortMarks(img)
	return img.Marks
}

// exitLen returns the length of the code of function f's first exit.
func exitLen(a *pipeline.Analysis, f int) int {
	fi, fn := a.Image.Funcs[f], a.Rewrite.Program.Funcs[f]
	for x := fn.Start; x < fn.End; x += a.Rewrite.Program.Insns[x].Slots() {
		if int(a.Image.Offsets[x]) != fi.Epilogue || a.Rewrite.Program.Insns[x].Code != bytecode.CodeExit {
			continue
		}
		if x+1 < fn.End {
			return int(a.Image.Offsets[x+1]) - fi.Epilogue
		}
		return fi.Len - fi.Epilogue
	}
	return 0
}
