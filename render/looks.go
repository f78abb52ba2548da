package render

import (
	_ "embed" // for the rules of pointers
	"fmt"
	"slices"
	"sync"

	"github.com/bpfcfg/bpfcfg/render/display"
)

// Rules for pointers and addresses, which only browsers follow.
var (
	//go:embed assets/live.css
	liveCSS string
	//go:embed assets/live_dark.css
	liveDarkCSS string
)

// theme is the look of pictures. Colour carries meaning, and position, line or a word repeats that
// meaning: kinds of edge differ in dashes and heads, and unreached blocks are hatched.
var theme = sync.OnceValue(func() *display.Theme {
	return &display.Theme{
		Font: pictureFont, Live: liveCSS, LiveDark: liveDarkCSS,
		Looks: slices.Concat(textLooks, boxLooks, edgeLooks(), codeLooks(), markLooks()),
	}
})

const pictureFont = `ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, "Liberation Mono", monospace`

// ink is a colour in the light and the dark scheme.
type ink = display.Ink

// Colours with a meaning.
var (
	inkText   = ink{"#1b1f24", "#e6edf3"}
	inkGround = ink{"#ffffff", "#0d1117"}
	inkNote   = ink{"#57606a", "#9aa7b4"}
	inkLine   = ink{"#6e7781", "#8b96a3"}
	inkTaken  = ink{"#0b57b0", "#79b8ff"}
	inkJump   = ink{"#a84300", "#ffa657"} // indirect jumps
	inkJumpBg = ink{"#fff1e5", "#3a2410"}
	inkSource = ink{"#14532d", "#8fdc9f"}
	inkGood   = ink{"#116329", "#6fdd8b"} // proven, added
	inkBad    = ink{"#b3161b", "#ff8a80"} // refused, removed
	inkWarn   = ink{"#7a5b00", "#e3b341"}
	inkPale   = ink{"#f6f8fa", "#161b22"}
	inkRule   = ink{"#d0d7de", "#30363d"}
)

var textLooks = []display.Look{
	{Fill: inkText, Size: 12},
	{Class: "title", Size: 20, Bold: true},
	{Class: "sub", Fill: inkNote},
	{Class: "slot", Fill: inkNote},
	{Class: "fold", Fill: inkNote},
	{Class: "note", Fill: inkNote},
	{Class: "off", Fill: inkNote},
	{Class: "src", Fill: inkSource},
	{Class: "name", Bold: true},
	{Class: "small", Size: 10},
	{Class: "badtext", Fill: inkBad, Bold: true},
	{Class: "good", Fill: inkGood, Bold: true},
	{Class: "state", Fill: inkWarn, Bold: true},
	{Class: "loopname", Fill: inkText, Size: 10}, // for deeply nested loops
	{Class: "lab", Fill: inkNote, Size: 11, Halo: true, Stroke: inkPale, Width: 3},
	{Class: "visits", Bold: true},
	{Class: "ref", Fill: inkTaken},
	{Class: "case", Fill: inkJump, Bold: true},
}

var boxLooks = []display.Look{
	{Class: "page", Fill: inkGround},
	{Class: "frame", Fill: inkPale, Stroke: inkRule},
	{Class: "box", Fill: inkGround, Stroke: inkLine},
	{Class: "head", Fill: ink{"#eaeef2", "#21262d"}},
	{Class: "deadbox", Stroke: inkLine, Dash: []float64{3, 3}},
	{Class: "maybebox", Stroke: inkJump, Width: 1.8, Dash: []float64{14, 5}},
	{Class: "hatch", Fill: display.Hatched},
	{Class: "hatchline", Stroke: ink{"#ccd3da", "#484f58"}, Width: 1.5},
	{Class: "chip", Fill: ink{"#f3f8fe", "#0f2036"}, Stroke: inkTaken},
	{Class: "bad", Fill: ink{"#ffebe9", "#490202"}, Stroke: inkBad},
	{Class: "loop", Fill: inkLine, FillOpacity: .045, Stroke: inkLine, StrokeOpacity: .6, Dash: []float64{1, 3}},
	{Class: "mark", Fill: display.None, Stroke: inkText, Width: 1.4}, // also on tints
	{Class: "solidmark", Fill: inkText},
	{Class: "hub", Fill: inkJumpBg, Stroke: inkJump},
	{Class: "line", Fill: display.None},
	{Class: "gotox", Fill: inkJumpBg},
}

// edgeLooks are those of lines: k of edges, h of jumps in the machine code and of
// whole lines, a of heads, each with the number of a style.
func edgeLooks() []display.Look {
	looks := []display.Look{
		{Class: "e", Fill: display.None, Width: 1.4},
		{Class: "arc", Fill: display.None, Width: 1.1},
	}
	for _, k := range []struct {
		style int
		ink   ink
		dash  []float64
		width float64
	}{
		{styleFall, inkLine, nil, 0},
		{styleTaken, inkTaken, []float64{7, 3}, 0},
		{styleGoto, inkLine, []float64{10, 3, 2, 3}, 0},
		{styleIndirect, inkJump, nil, 2.4},
		{styleOther, inkNote, []float64{2, 2}, 0},
		{styleDead, inkLine, []float64{2, 4}, 0},
		{styleUnwind, inkBad, []float64{4, 3, 1, 3}, 1.6},
	} {
		for _, c := range "kh" {
			class := fmt.Sprintf("%c%d", c, k.style)
			looks = append(looks, display.Look{Class: class, Stroke: k.ink, Dash: k.dash, Width: k.width})
		}
		looks = append(looks, display.Look{Class: fmt.Sprintf("a%d", k.style), Fill: k.ink})
	}
	for _, c := range "kh" {
		looks = append(looks, display.Look{Class: fmt.Sprintf("%c%d", c, styleMaybe), Stroke: inkJump, Width: 1.8,
			Dash: []float64{14, 5}})
	}
	return append(looks,
		display.Look{Class: fmt.Sprintf("a%d", styleMaybe), Fill: inkGround, Stroke: inkJump, Width: 1.6},
		display.Look{Class: "open", Fill: display.None, Stroke: inkLine, Width: 1.4},
		display.Look{Class: "glow", Fill: display.None, Width: 6, StrokeOpacity: .45, Stroke: display.None},
		display.Look{Class: "link", Fill: display.None, Stroke: inkLine, Width: .8},
		display.Look{Class: "aim", Fill: display.None, Stroke: inkJump, Width: .8, StrokeOpacity: .6},
		display.Look{Class: "feed", Fill: display.None, Stroke: inkJump, Width: 1.4},
		display.Look{Class: "far", Hidden: true},
		display.Look{Class: "hl", Hidden: true},
	)
}

// codeLooks are those of the machine code, whose pieces are in turn paler and
// darker.
func codeLooks() []display.Look {
	looks := []display.Look{
		{Class: "piece", Stroke: inkGround, Width: 1},
		{Class: "plain", Fill: ink{"#ffffff", "#0d1117"}, Stroke: inkRule},
		{Class: "c0", Fill: ink{"#eef1f5", "#1a212a"}},
		{Class: "c1", Fill: ink{"#e1e6ed", "#252e39"}},
		{Class: "epilogue", Fill: inkText, FillOpacity: .75},
		{Class: "pad", Fill: inkLine},
		{Class: "wrong", Fill: inkBad, FillOpacity: .3, Stroke: inkBad},
		{Class: "ribbon", FillOpacity: .6},
		{Class: "dim", FillOpacity: .85},
		{Class: "funcline", Fill: display.None, Stroke: inkText, Width: 2},
		{Class: "endbr", Fill: inkJump},
	}
	tints := []ink{{"#ffffff", "#0d1117"}, {"#fff1d6", "#33240c"}, {"#ffdfa8", "#52340c"}, {"#ffc46b", "#77430c"},
		{"#fd9f42", "#9c4a10"}, {"#f2762e", "#b34312"}}
	for i, t := range tints {
		looks = append(looks, display.Look{Class: fmt.Sprintf("q%d", i), Fill: t})
	}
	return looks
}

// markLooks are those of a comparison's marks.
func markLooks() []display.Look {
	var looks []display.Look
	for _, m := range []struct {
		mark       string
		head, line ink
		width      float64
		dash       []float64
		row, glow  ink
	}{
		{MarkAdded, ink{"#aceebb", "#1b5e2e"}, inkGood, 4, nil, ink{"#dafbe1", "#12361f"}, ink{"#4ac26b"}},
		{MarkRemoved, ink{"#ffcecb", "#7d1f24"}, inkBad, 2.5, []float64{8, 4}, ink{"#ffebe9", "#4b1113"}, ink{"#ff8182"}},
		{MarkChanged, ink{"#f2dd88", "#6b4f00"}, inkText, 2.5, nil, ink{}, ink{"#d4a72c"}},
		{MarkMoved, ink{"#b6e3ff", "#1b4f8a"}, inkLine, 1, nil, ink{}, ink{}},
		{MarkMismatch, ink{"#ffb8b0", "#8e1519"}, inkBad, 4, nil, ink{}, ink{}},
		{"other", ink{"#d0d7de", "#30363d"}, ink{}, 3, nil, ink{}, ink{}},
	} {
		class := "m-" + m.mark
		looks = append(looks,
			display.Look{Class: "head " + class, Fill: m.head},
			display.Look{Class: "box " + class, Stroke: m.line, Width: m.width, Dash: m.dash},
			display.Look{Class: "piece " + class, Stroke: m.line, Width: m.width, Dash: m.dash},
			display.Look{Class: "line " + class, Fill: m.row},
			display.Look{Class: "glow " + class, Stroke: m.glow})
	}
	return looks
}
