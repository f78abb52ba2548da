package browser

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/bpfcfg/bpfcfg/internal/diff"
	"github.com/bpfcfg/bpfcfg/internal/testing/rendertest"
	"github.com/bpfcfg/bpfcfg/internal/testing/testenv"
	"github.com/bpfcfg/bpfcfg/internal/union"
	"github.com/bpfcfg/bpfcfg/render"
)

// paleTexts lists what in the document has too little contrast to its background, by
// WCAG 2.2: texts below 4.5 (1.4.3), signs below 3 (1.4.11). The ground of a text in the
// drawing is what lies below its middle, and of a line below the middle of its way, each
// shape over those before it; a halo is a ground of its own. The first number is how many texts and signs were measured.
const paleTexts = `(() => {
	const parse = (c) => { const n = c.match(/[\d.]+/g)?.map(Number) ?? [0, 0, 0, 0]; return n.length < 4 ? [...n.slice(0, 3), 1] : n; };
	const over = (top, under, a = 1) => under.map((v, i) => i === 3 ? 1 : top[i] * top[3] * a + v * (1 - top[3] * a));
	const light = (c) => c.slice(0, 3).map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
		.reduce((s, v, i) => s + v * [0.2126, 0.7152, 0.0722][i], 0);
	const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
	const page = parse(getComputedStyle(document.body).backgroundColor);
	const htmlGround = (e) => {
		const all = [];
		for (let p = e; p; p = p.parentElement) all.unshift(parse(getComputedStyle(p).backgroundColor));
		return all.reduce((g, c) => over(c, g), page);
	};
	const svg = document.querySelector("#picture > svg"), shapes = svg && !document.querySelector("#picture.small") ? [...svg.querySelectorAll("rect, path, text")].filter((s) => !s.closest("defs") && s.checkVisibility()) : [];
	const filled = shapes.filter((s) => s.tagName !== "text" && !/^(a\d|open|endbr|solidmark|mark)$/.test(s.getAttribute("class")) && getComputedStyle(s).fill !== "none" && !/url/.test(getComputedStyle(s).fill)).map((s) => ({ s, box: s.getBBox() }));
	const order = new Map(shapes.map((s, i) => [s, i]));
	const svgGround = (e, x, y) => {
		let g = htmlGround(svg.parentElement);
		for (const { s, box } of filled) {
			if (order.get(s) >= order.get(e) || x < box.x || x > box.x + box.width || y < box.y || y > box.y + box.height) continue;
			const p = svg.createSVGPoint();
			p.x = x; p.y = y;
			if (!s.isPointInFill(p)) continue;
			const st = getComputedStyle(s);
			g = over(parse(st.fill), g, Number(st.fillOpacity) * Number(st.opacity));
		}
		return g;
	};
	const bad = [], name = (e) => e.tagName + "." + (e.getAttribute("class") ?? "") + " in " + (e.parentElement.id || e.parentElement.getAttribute("class") || e.parentElement.tagName);
	let n = 0;
	const judge = (e, ink, ground, least, what) => {
		n++;
		const r = ratio(over(ink, ground), ground);
		if (r < least) bad.push(r.toFixed(2) + " " + name(e) + " " + what + ": " + ink.slice(0, 3).map(Math.round) + " on " + ground.slice(0, 3).map(Math.round));
	};
	const hasText = (e) => [...e.childNodes].some((c) => c.nodeType === 3 && c.data.trim());
	for (const e of document.body.querySelectorAll("*")) {
		if (e.closest("svg, script, style, noscript, option") || !e.checkVisibility() || e.closest(".unseen") || !hasText(e) && e.tagName !== "INPUT") continue;
		judge(e, parse(getComputedStyle(e).color), htmlGround(e), 4.5, e.textContent.trim().slice(0, 20));
		if (e.tagName === "INPUT") judge(e, parse(getComputedStyle(e).borderTopColor), htmlGround(e.parentElement), 3, "border");
	}
	for (const t of shapes) {
		const st = getComputedStyle(t), box = t.getBBox(), x = box.x + box.width / 2, y = box.y + box.height / 2;
		if (t.tagName === "text") {
			for (const run of [t, ...t.querySelectorAll("tspan")]) {
				if (!hasText(run)) continue;
				const s = getComputedStyle(run), ground = st.stroke !== "none" && st.paintOrder.startsWith("stroke") ? parse(st.stroke) : svgGround(t, x, y);
				const ink = parse(s.fill);
				judge(run, [...ink.slice(0, 3), ink[3] * Number(st.fillOpacity)], ground, 4.5, run.textContent.trim().slice(0, 20));
			}
		} else if (/^(solidmark|mark|endbr|open|boxpile|chip|a\d|e k\d|box.*)$/.test(t.getAttribute("class") ?? "") && box.width + box.height > 0) {
			const stroke = st.stroke !== "none", ink = parse(stroke ? st.stroke : st.fill);
			const on = stroke && t.getTotalLength ? t.getPointAtLength(t.getTotalLength() / 2) : { x, y };
			judge(t, ink, svgGround(t, on.x, on.y), 3, "sign");
		}
	}
	for (const c of ["page-added", "page-removed", "page-changed", "page-moved", "page-mismatch", "q0", "q1", "q2", "q3", "q4", "q5", "frame", "box"]) {
		const e = document.createElementNS("http://www.w3.org/2000/svg", "path"), t = document.createElementNS("http://www.w3.org/2000/svg", "text");
		e.setAttribute("class", c);
		svg.append(e, t);
		judge(e, parse(getComputedStyle(t).fill), parse(getComputedStyle(e).fill), 4.5, "label from afar");
		e.remove();
		t.remove();
	}
	return [String(n), ...new Set(bad)];
})()`

// measured lists what has too little contrast in the state that the page is in, in both schemes.
func (b *tab) measured(state string) {
	b.Helper()
	for _, scheme := range []string{"light", "dark"} {
		b.scheme(scheme)
		pale := eval[[]string](b, paleTexts)
		if len(pale) > 1 {
			b.Errorf("%s, %s: of %s\n%s", state, scheme, pale[0], strings.Join(pale[1:min(len(pale), 12)], "\n"))
		}
		if len(pale[0]) < 2 {
			b.Errorf("%s, %s: only %s texts", state, scheme, pale[0])
		}
	}
}

// TestContrastOfStates measures every text and sign in every state of the page.
func TestContrastOfStates(t *testing.T) {
	b := open(t, sample(t))
	b.measured("the sample")
	b.search("case:8")
	b.measured("a case")
	b.hash("#b9")
	b.measured("a chosen block")
	b.over(row + `("33").querySelector(".c")`)
	b.measured("a lit line")
	b.do(chromedp.Focus("#code"))
	b.keys("jjj")
	b.measured("a cursor in the columns")
	b.over(`document.querySelector("#b4 .box")`)
	b.measured("the pointer on a block")
	b.hash("#b10")
	b.measured("a dead block")
	b.focusPicture()
	b.keys("?")
	b.measured("the list of keys")

	s := rendertest.Funcs()
	s.Refused = "R1 !read_ok"
	s.Blocks[2].Maybe = true
	s.Findings = []render.Finding{{Block: 3, Slot: s.Blocks[3].Lines[0].Slot, Level: "error", ID: "kernel-refuses", Message: "R1", Fix: "set it"},
		{Block: 4, Slot: -1, Level: "warning", ID: "dead-branch", Message: "never"}, {Block: 1, Slot: -1, Level: "note", ID: "small", Message: "so"}}
	b = open(t, page(t, s))
	b.measured("findings")
	b.hash("#b3")
	b.measured("a block with findings")

	s = rendertest.Loops()
	for i := range s.Blocks {
		n := uint64(1) << (3 * i % 17)
		s.Blocks[i].Count = &n
	}
	s.Counted = "visits in a test"
	b = open(t, page(t, s))
	b.measured("visits")
	b.search("is:visited")
	b.measured("results of a search")

	b = open(t, page(t, marked()))
	b.measured("marks")

	b = open(t, page(t, rendertest.Nests(3, 4, 5)), page(t, rendertest.Three()))
	b.measured("a folded program")
	b.keys("nn")
	b.keys(kb.Enter)
	b.measured("an open box")
	b.over(`document.querySelector(".nesthead text")`)
	b.measured("the pointer on the head of an open box")
	b.search("zzz")
	b.measured("a search without results")

	const name = "03_threaded_vm.o"
	r := diff.Compare(side(t, testenv.Path(t, "corpus/out-plain/"+name)), side(t, testenv.Path(t, "corpus/out/"+name)))
	data, err := union.HTML(r, union.Options{Title: "plain → table"})
	if err != nil {
		t.Fatal(err)
	}
	b = openFile(t, data)
	b.measured("a difference")
	b.hash("#b1")
	b.measured("a changed block")
}
