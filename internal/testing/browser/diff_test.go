package browser

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/bpfcfg/bpfcfg/cfg/load"
	"github.com/bpfcfg/bpfcfg/internal/diff"
	"github.com/bpfcfg/bpfcfg/internal/layers"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/bpfcfg/bpfcfg/internal/union"
	"github.com/bpfcfg/bpfcfg/jit"
	"github.com/bpfcfg/bpfcfg/jit/pipeline"
	"github.com/bpfcfg/bpfcfg/jit/rewrite"
	"github.com/bpfcfg/bpfcfg/render"
)

// side analyses an object as one side of a difference.
func side(t *testing.T, path string) diff.Side {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	o, err := load.ELF(filepath.Base(path), data)
	if err != nil {
		t.Fatal(err)
	}
	prof, err := jit.LookupProfile(jit.DefaultProfile)
	if err != nil {
		t.Fatal(err)
	}
	out := diff.Side{Input: filepath.Base(path)}
	for _, p := range o.Programs {
		a, err := pipeline.Run(p, prof, rewrite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		out.Programs = append(out.Programs, diff.Compiled{Key: p.Name, Analysis: a})
	}
	return out
}

// TestDiffPage opens the page of two builds of a program, without and with a jump table:
// every mark is found, and said in words and signs, not by colour alone.
func TestDiffPage(t *testing.T) {
	const name = "01_ipproto_xdp.o"
	r := diff.Compare(side(t, testenv.Path(t, "corpus/out-plain/"+name)), side(t, testenv.Path(t, "corpus/out/"+name)))
	p := &r.Programs[0]
	counts := func(n int) *layers.Visits {
		return &layers.Visits{File: "counts.txt", Data: fmt.Appendf(nil, "0 %d\n1 %d\n", n, n)}
	}
	data, err := union.HTML(r, union.Options{Title: "plain → table", Visits: [2]*layers.Visits{counts(3), counts(7)}})
	if err != nil {
		t.Fatal(err)
	}
	marks := map[string]int{}
	for _, b := range union.Scene(p, "").Blocks {
		marks[b.Mark]++
	}
	if marks[render.MarkAdded] == 0 || marks[render.MarkRemoved] == 0 || marks[render.MarkChanged] == 0 {
		t.Fatal("the two builds lack a kind of change: ", marks)
	}
	b := openFile(t, data)
	for mark, sign := range map[string]string{render.MarkAdded: "+", render.MarkRemoved: "−", render.MarkChanged: "~"} {
		b.search("is:" + mark)
		noun := "blocks"
		if marks[mark] == 1 {
			noun = "block"
		}
		want(b, `document.getElementById("count").textContent`, fmt.Sprintf("%d %s", marks[mark], noun))
		want(b, fmt.Sprintf(`[...document.querySelectorAll("#picture .hit")].filter((e) => e.querySelector(".box.m-%s") &&
			e.textContent.includes(%q) && e.getAttribute("aria-label").includes(%q)).length`, mark, sign+" "+mark, mark), marks[mark])
	}
	want(b, `document.querySelector("#picture .box.m-removed") && getComputedStyle(document.querySelector("#picture .box.m-removed")).strokeDasharray !== "none"`, true)
	// Visits of both versions: in the picture, in the outline, in the details.
	want(b, `document.getElementById("b0").textContent.includes("×7 (×3)")`, true)
	want(b, titles+`.includes("visits changed 1")`, true)
	b.search("is:recounted")
	want(b, `document.getElementById("count").textContent`, "1 block")
	b.hash("#b0")
	want(b, panel+`.querySelector(".state").textContent.includes("7 visits, 3 before")`, true)
	b.shot("diff")
}

// TestMarksFromAfar: in boxes that are seen from afar, a plus and a minus are painted.
func TestMarksFromAfar(t *testing.T) {
	for mark, upright := range map[string]bool{render.MarkAdded: true, render.MarkRemoved: false} {
		pg := page(t, manyMarked(mark))
		b := open(t, pg)
		b.keys("x") // room
		b.keys("o")
		b.keys("f")
		b.keys("0")
		b.shot("far-" + mark)
		boxes, err := json.Marshal(pg.Placement.Blocks)
		if err != nil {
			t.Fatal(err)
		}
		// Of the boxes with room for a sign, the share that is dark in the middle, and above it.
		share := eval[[]float64](b, fmt.Sprintf(`(() => { const boxes = %s, W = %d, H = %d, p = document.getElementById("picture");
			const c = p.querySelector("canvas:not(.labels)"), r = c.width / c.clientWidth, k = Math.min(p.clientWidth / W, p.clientHeight / H);
			const x0 = (W - p.clientWidth / k) / 2, y0 = (H - p.clientHeight / k) / 2, g = c.getContext("2d");
			const dark = (x, y) => { const d = g.getImageData(Math.floor((x - x0) * k * r), Math.floor((y - y0) * k * r), 1, 1).data; return d[0] < 90 && d[1] < 90; };
			let n = 0, middle = 0, above = 0;
			for (const b of boxes) {
				const size = Math.min(b.w, b.h, 14 / k / r) * 0.7;
				if (size * k * r < 5) continue;
				n++;
				middle += dark(b.x + b.w / 2, b.y + b.h / 2);
				above += dark(b.x + b.w / 2, b.y + b.h / 2 - size * 0.4);
			}
			return [n, middle / n, above / n]; })()`, boxes, pg.Placement.W, pg.Placement.H))
		if share[0] < 20 || share[1] < 0.4 || upright != (share[2] > 0.35) {
			t.Errorf("%s: of %.0f boxes %.2f are dark in the middle and %.2f above it", mark, share[0], share[1], share[2])
		}
	}
}
