// Labels: what can be read where the picture is too small for its own text. At
// every scale names stand, as many as there is room for: of functions, of loops,
// of blocks with the C line that begins them, and then further lines.

const labelSize = 11, labelHigh = 14; // pixels of the screen

// Room remembers which parts of the window labels cover, in cells of 4 pixels.
class Room {
  constructor(w, h) {
    this.w = Math.ceil(w / 4);
    this.h = Math.ceil(h / 4);
    this.full = new Uint8Array(this.w * this.h);
  }

  // take reports whether a rectangle was free, and covers it then.
  take(x, y, w, h) {
    const x0 = Math.floor(x / 4), y0 = Math.floor(y / 4), x1 = Math.ceil((x + w) / 4), y1 = Math.ceil((y + h) / 4);
    if (x0 < 0 || y0 < 0 || x1 > this.w || y1 > this.h) return false;
    for (let r = y0; r < y1; r++) for (let i = r * this.w + x0; i < r * this.w + x1; i++) if (this.full[i]) return false;
    for (let r = y0; r < y1; r++) this.full.fill(1, r * this.w + x0, r * this.w + x1);
    return true;
  }
}

// firstLines returns the first n C lines of a block, or its instructions if it has
// none; nothing while they are not unpacked.
function firstLines(b, n) {
  const lines = loaded("lines", shown, 0), out = [];
  if (!lines) {
    const p = shown;
    load("lines", p, 0, readLines).then(() => { if (shown === p) show(); });
    return out;
  }
  const source = [], code = [];
  linesOf(lines, b, (l) => {
    if (source.length < n && l.source && l.source !== source.at(-1)) source.push(l.source);
    if (code.length < n) code.push(l.text);
  });
  return source.length ? source : code;
}

// casesOf names the C cases, or else the entries of a table, that lead to a block.
function casesOf(d, b) {
  if (!d.cases) {
    d.cases = new Map();
    for (const t of d.tables ?? []) {
      for (let i = 0; 5 * i < t.entries.length; i++) {
        const to = t.entries[5 * i];
        if (to < 0 || !(t.entries[5 * i + 4] & 1)) continue;
        if (!d.cases.has(to)) d.cases.set(to, []);
        d.cases.get(to).push(t.bias === undefined ? `[${i}]` : String(i + t.bias));
      }
    }
  }
  const list = d.cases.get(b);
  return list ? [`case ${list.slice(0, 3).join(",")}${list.length > 3 ? ",…" : ""}`] : [];
}

// titleOf is the first line of a block's label.
function titleOf(d, b) {
  const r = remark(d, b);
  return [nameOf(d, b), ...(r ? [r.text] : []), ...casesOf(d, b), ...marksOf(d, b)].join(" ");
}

// rank orders blocks by what a reader looks for first.
function rank(d, b) {
  if (b === current || d.marks?.[b] || remark(d, b)) return 0;
  if (d.status?.[b] || d.flags[b] & ENTRY) return 1;
  if (d.flags[b] & HEADER || d.folded?.[b]) return 2;
  if (!(d.flags[b] & REACHABLE) || d.flags[b] & EXIT) return 3;
  return 4;
}

// fits cuts a text to a number of pixels.
function fits(c, text, width) {
  const n = Math.floor(width / c.letter);
  return text.length <= n ? text : n < 3 ? "" : text.slice(0, n - 1) + "…";
}

// paintLabels writes the names that fit on a canvas of the window. Large boxes have
// theirs and their lines in them; between small ones labels stand where no other is.
function paintLabels(c, ratio, areas) {
  c.save();
  c.scale(ratio, ratio);
  c.textBaseline = "top";
  c.font = `${labelSize}px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace`;
  c.letter = c.measureText("0000000000").width / 10;
  const room = new Room(win.w, win.h);
  labelFunctions(c, room);
  labelBoxes(c, room);
  labelLoops(c, room, areas);
  labelSmall(c, room);
  c.restore();
}

// onScreen returns a rectangle of the picture in pixels of the window.
const onScreen = (x, y, w, h) => ({ x: (x - view.x) * view.scale, y: (y - view.y) * view.scale, w: w * view.scale, h: h * view.scale });

const outside = (r) => r.x > win.w || r.y > win.h || r.x + r.w < 0 || r.y + r.h < 0;

// put writes a text on a ground of its own, and reports whether there was room.
function put(c, room, text, x, y, weight = "") {
  const w = text.length * c.letter;
  if (!text || !room.take(x - 2, y - 1, w + 4, labelHigh)) return false;
  c.globalAlpha = 0.85;
  c.fillStyle = css(ink.frame);
  c.fillRect(x - 2, y - 1, w + 4, labelHigh);
  c.globalAlpha = 1;
  c.fillStyle = css(ink.text);
  const font = c.font;
  if (weight) c.font = weight + " " + font;
  c.fillText(text, x, y);
  c.font = font;
  return true;
}

function labelFunctions(c, room) {
  for (let f = 0; 4 * f < data.frames.length; f++) {
    const r = onScreen(...data.frames.slice(4 * f, 4 * f + 4));
    if (r.w < 30 || outside(r)) continue;
    const x = Math.max(0, r.x) + 6;
    put(c, room, fits(c, data.funcs[f], r.x + r.w - x), x, Math.max(0, r.y) + 3, "bold");
  }
}

// labelBoxes writes into the boxes that have room for a name.
function labelBoxes(c, room) {
  const d = data;
  for (let b = 0, i = 0; i < d.boxes.length; b++, i += 4) {
    const r = onScreen(d.boxes[i], d.boxes[i + 1], d.boxes[i + 2], d.boxes[i + 3]), n = Math.floor((r.h - 2) / labelHigh);
    if (n < 1 || r.w < 24 || !standsFor(d, b) || outside(r)) continue;
    const wide = r.w - 6, one = n === 1 ? firstLines(b, 1) : [];
    const lines = n === 1 ? [[titleOf(d, b), ...one].join(" ")] : [titleOf(d, b), ...firstLines(b, n - 1)];
    room.take(Math.max(0, r.x), Math.max(0, r.y), Math.min(r.w, win.w - Math.max(0, r.x)), Math.min(lines.length * labelHigh, win.h - Math.max(0, r.y)));
    c.fillStyle = css(ink.text);
    lines.forEach((t, k) => c.fillText(fits(c, t, wide), r.x + 4, r.y + 2 + k * labelHigh));
  }
}

// labelLoops names the loops that are more than a line high, by the C line of the header.
function labelLoops(c, room, areas) {
  for (const a of areas) {
    const r = onScreen(a.bands[0], a.y0, a.x1 - a.x0, a.y1 - a.y0);
    if (r.h < 2 * labelHigh || r.w < 40 || outside(r)) continue;
    const name = a.header < 0 ? "loop" : `loop ${nameOf(data, a.header)} ${firstLines(a.header, 1)[0] ?? ""}`;
    put(c, room, fits(c, name, Math.max(60, r.w)), Math.max(0, r.x) + 3, Math.max(0, r.y) + 2);
  }
}

// labelSmall names small boxes where no label is yet, the ones looked for first.
function labelSmall(c, room) {
  const d = data, order = [[], [], [], [], []];
  for (let b = 0, i = 0; i < d.boxes.length; b++, i += 4) {
    const r = onScreen(d.boxes[i], d.boxes[i + 1], d.boxes[i + 2], d.boxes[i + 3]);
    if (!d.boxes[i + 2] || !standsFor(d, b) || outside(r) || r.h >= labelHigh + 2 && r.w >= 24) continue;
    order[rank(d, b)].push([b, r]);
  }
  let left = 300;
  for (const [b, r] of order.flat()) {
    const found = remark(d, b), mark = d.marks?.[b], text = [nameOf(d, b), ...(mark ? [mark] : []), ...(found ? [found.text] : []), ...(d.folded?.[b] ? [d.folded[b]] : casesOf(d, b)), ...(d.status?.[b] ? ["⇉"] : [])].join(" ");
    if (put(c, room, r.w < 80 ? text : fits(c, text, r.w - 4), r.x + 2, r.y + r.h / 2 - labelHigh / 2) && --left === 0) return;
  }
}
