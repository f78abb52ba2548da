// Labels: what can be read where the picture is too small for its own text. At
// every scale names stand, as many as there is room for: of functions, of loops,
// of blocks with the C line that begins them, and then further lines.

const labelSize = 11, labelHigh = 14; // pixels of the screen

// Room remembers which parts of the window labels cover, in cells of 2 pixels.
class Room {
  constructor(w, h) {
    this.w = Math.ceil(w / 2);
    this.h = Math.ceil(h / 2);
    this.full = new Uint8Array(this.w * this.h);
  }

  // take reports whether a rectangle was free, and covers it then.
  take(x, y, w, h) {
    const x0 = Math.floor(x / 2), y0 = Math.floor(y / 2), x1 = Math.ceil((x + w) / 2), y1 = Math.ceil((y + h) / 2);
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

// caseList returns the C cases, or else the entries of a table, that lead to a block. Of several
// tables each is named.
function caseList(d, b) {
  if (!d.cases) {
    d.cases = new Map();
    for (const t of d.tables ?? []) {
      const name = d.tables.length > 1 ? t.name.replace(/^BPF\./, "") : "";
      for (let i = 0; 5 * i < t.entries.length; i++) {
        const to = t.entries[5 * i];
        if (to < 0 || !(t.entries[5 * i + 4] & 1)) continue;
        if (!d.cases.has(to)) d.cases.set(to, []);
        d.cases.get(to).push(t.bias === undefined ? `${name}[${i}]` : String(i + t.bias));
      }
    }
  }
  return d.cases.get(b) ?? [];
}

// casesOf names the cases that lead to a block, the first of them where there are many.
function casesOf(d, b, most = 3) {
  const list = caseList(d, b);
  return list.length ? [`case ${list.slice(0, most).join(",")}${list.length > most ? ",…" : ""}`] : [];
}

// titlesOf returns the first line of a block's label, and what of it is most wanted where
// there is less room.
function titlesOf(d, b) {
  const name = nameOf(d, b), r = remark(d, b), notes = [...(r ? [r.text] : []), ...(d.marks?.[b] ? [d.marks[b]] : [])], folded = d.folded?.[b];
  if (folded) return [[name, ...notes, ...marksOf(d, b)], [name, ...notes, /\d+ blocks$/.exec(folded)?.[0] ?? ""], [name, ...notes]].map((t) => t.join(" ").trim());
  const [first, ...more] = caseList(d, b), short = first === undefined ? [] : [`${first}${more.length ? ",…" : ""}:`];
  return [[name, ...(r ? [r.text] : []), ...casesOf(d, b), ...marksOf(d, b)], [name, ...notes, ...casesOf(d, b, 1)], [name, ...notes, ...short], [name, ...notes]].map((t) => t.join(" "));
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
  labelSmall(c, room);
  labelLoops(c, room, areas);
  labelCode(c, room);
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

// labelFunctions names the functions in their frames, or above where a box has the place.
function labelFunctions(c, room) {
  const d = data;
  for (let f = 0; 4 * f < d.frames.length; f++) {
    const r = onScreen(...d.frames.slice(4 * f, 4 * f + 4));
    if (r.w < 30 || outside(r)) continue;
    const x = Math.max(0, r.x) + 6, y = Math.max(0, r.y) + 3, text = fits(c, d.funcs[f], r.x + r.w - x), right = x + text.length * c.letter;
    const taken = d.flags.some((_, b) => {
      const o = d.func[b] === f && standsFor(d, b) && d.boxes[4 * b + 2] && onScreen(...d.boxes.slice(4 * b, 4 * b + 4));
      return o && o.x < right && o.x + o.w > x && o.y < y + labelHigh && o.y + o.h > y;
    });
    put(c, room, text, x, taken && r.y > labelHigh ? r.y - labelHigh : y, "bold");
  }
}

// roomy reports whether a box of the window has room for the name of its block.
const roomy = (c, b, r) => r.h >= labelHigh + 2 && r.w - 6 >= nameOf(data, b).length * c.letter;

const leastWords = 9; // letters of a line below which it says nothing

// sizedFont is a font of another size.
const sizedFont = (font, size) => font.replace(/^[\d.]+px/, size + "px");

// signsWide returns the pixels that the signs at the right of a block's first line take.
const signsWide = (b) => 13 * view.scale * ([ENTRY, EXIT, HEADER].filter((f) => data.flags[b] & f).length + (data.depth?.[b] ? 1 : 0));

// wordsIn returns the lines that a box has room for, and the size of their letters: large ones
// if the title and the first line are whole then.
function wordsIn(c, b, r) {
  const titles = titlesOf(data, b), letters = (size, w = r.w - 6) => Math.floor(w * labelSize / size / c.letter);
  const rows = (size) => Math.max(1, Math.floor((r.h - 2) / (size + 3))), code = firstLines(b, Math.max(1, rows(9) - 1));
  const whole = (size) => Math.max(titles[0].length, rows(size) > 1 ? code[0]?.length ?? 0 : 0) <= letters(size);
  const size = [labelSize, 10, 9].find(whole) ?? 9, room = letters(size), first = letters(size, r.w - 6 - signsWide(b));
  const title = titles.find((t) => t.length <= first) ?? nameOf(data, b);
  if (rows(size) > 1) return { size, lines: [title, ...(room < leastWords ? [] : code.slice(0, rows(size) - 1))] };
  const beside = first - title.length - 1, more = code[0] !== undefined && (code[0].length <= beside || leastWords <= beside);
  return { size: title.length <= letters(labelSize) && !more ? labelSize : size, lines: [more ? title + " " + code[0] : title] };
}

// labelBoxes writes into the boxes that have room for a name.
function labelBoxes(c, room) {
  const d = data, font = c.font;
  for (let b = 0, i = 0; i < d.boxes.length; b++, i += 4) {
    const r = onScreen(d.boxes[i], d.boxes[i + 1], d.boxes[i + 2], d.boxes[i + 3]);
    if (!standsFor(d, b) || outside(r) || !roomy(c, b, r)) continue;
    const { size, lines } = wordsIn(c, b, r), high = size + 3;
    room.take(Math.max(0, r.x), Math.max(0, r.y), Math.min(r.w, win.w - Math.max(0, r.x)), Math.min(lines.length * high, win.h - Math.max(0, r.y)));
    c.fillStyle = css(ink.text);
    c.font = sizedFont(font, size);
    lines.forEach((t, k) => {
      const whole = k > 0 || t === nameOf(d, b) ? r.w - 6 : r.w - 6 - signsWide(b);
      c.fillText(fits(c, t, whole * labelSize / size), r.x + 4, r.y + 2 + k * high);
    });
  }
  c.font = font;
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

// letterSize is the size of letters in a box of a height.
const letterSize = (h) => Math.max(8, Math.min(labelSize, Math.floor(h - 2)));

// within writes a text in a box, in letters of its height, and reports whether there was
// room: the first text that the box has room for, or else the name.
function within(c, room, [name, ...texts], r) {
  const most = letterSize(r.h), font = c.font, letter = c.letter, high = (t) => [most, 9, 8].find((s) => s <= most && t.length * letter * s / labelSize <= r.w - 3);
  const text = texts.find(high) ?? name, size = high(text) ?? 8, w = text.length * letter * size / labelSize;
  c.font = sizedFont(font, size);
  const x = w > r.w - 4 ? r.x + (r.w - w) / 2 : r.x + 2, y = r.y + (r.h - size - 2) / 2, ground = w > r.w || size + 2 > r.h;
  const free = text !== "" && room.take(x, y + 1, w, size);
  if (free && ground) {
    c.globalAlpha = 0.85;
    c.fillStyle = css(ink.box);
    c.fillRect(x - 1, y, w + 2, size + 2);
    c.globalAlpha = 1;
  }
  if (free) {
    c.fillStyle = css(ink.text);
    c.fillText(text, x, y + 1);
  }
  c.font = font;
  return free;
}

// labelSmall names small boxes, the ones looked for first.
function labelSmall(c, room) {
  const d = data, order = [[], [], [], [], []];
  for (let b = 0, i = 0; i < d.boxes.length; b++, i += 4) {
    const r = onScreen(d.boxes[i], d.boxes[i + 1], d.boxes[i + 2], d.boxes[i + 3]);
    if (!d.boxes[i + 2] || !standsFor(d, b) || outside(r) || roomy(c, b, r)) continue;
    order[rank(d, b)].push([b, r]);
  }
  let left = 400;
  for (const [b, r] of order.flat()) {
    const titles = titlesOf(d, b), sign = d.status?.[b] ? " ⇉" : "";
    if (within(c, room, [nameOf(d, b), ...titles.map((t) => t + sign), ...titles.slice(1)], r) && --left === 0) return;
  }
}

// labelCode names the pieces of the machine code and the tables.
function labelCode(c, room) {
  const d = data, [x, y, w, h] = d.strip, p = d.pieces, strip = onScreen(x, y, w, h);
  if (strip.w >= 24 && !outside(strip)) {
    put(c, room, fits(c, "x86", strip.w), strip.x, strip.y - labelHigh - 2);
    for (let i = 0; i < p.length; i += 5) {
      const r = onScreen(x, p[i + 3], w, p[i + 4]);
      if (r.h >= 10 && !outside(r)) within(c, room, [p[i] < 0 ? "" : nameOf(d, p[i])], { ...r, h: Math.min(r.h, labelHigh) });
    }
  }
  for (let t = 0; t < (d.tables?.length ?? 0); t++) {
    const at = layer.table(t), r = at?.w ? onScreen(at.x, at.y, at.w, at.h) : { w: 0 };
    if (r.w < 24 || r.h < 10 || outside(r)) continue;
    within(c, room, ["", d.tables[t].name, "table", `t${t}`], { ...r, h: Math.min(r.h, labelHigh) });
  }
}
