package compare

import (
	"errors"
	"fmt"

	"github.com/bpfcfg/bpfcfg/cfg/bytecode"
	"github.com/bpfcfg/bpfcfg/internal/replay"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
)

// Compiled is pipeline.Run for a program as a running kernel shows it, with the
// result of comparing the kernel's code with ours: there is nothing to predict.
// The analysis has the kernel's program in place of the rewritten one, and an
// image with the kernel's bytes. That image is known if our code is the same,
// or at least as long: otherwise it is not known where its instructions begin.
func Compiled(p *bytecode.Program, res *replay.Result, code []byte) (*pipeline.Analysis, error) {
	a, err := Without(p, res.Machine, nil)
	if err != nil {
		return nil, err
	}
	if res.Program == nil || res.Image == nil {
		a.RewriteErr = errors.New(res.Reason)
		a.ImageErr = a.RewriteErr
		return a, nil
	}
	n := p.Len()
	x := &rewrite.Result{Program: res.Program, Original: make([]bytecode.PC, n), Xlated: make([]bytecode.PC, n)}
	for i := range n {
		x.Original[i], x.Xlated[i] = i, i
	}
	a.Rewrite = x
	if a.Image, a.ImageErr = WithBytes(res, code); a.ImageErr != nil {
		a.ImageErr = fmt.Errorf("%w: %s", a.ImageErr, res.Reason)
	}
	return a, nil
}

// WithBytes returns the image of a comparison with the kernel's bytes, if ours
// are as many.
func WithBytes(res *replay.Result, code []byte) (*jit.Image, error) {
	if res.Match == replay.Same {
		return res.Image, nil
	}
	img := *res.Image
	if len(img.Code) < len(code) || len(res.Code) != len(code) {
		return nil, errors.New("the positions of instructions in the kernel's code are unknown: the predicted code differs")
	}
	img.Code = append(append([]byte(nil), code...), img.Code[len(code):]...)
	return &img, nil
}
