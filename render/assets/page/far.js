// The picture from afar: boxes and lines as pixels. All of it is rectangles that
// stand upright, so filling them in memory and handing over the result takes a
// browser without a graphics card 10 ms for 10,000 blocks, where paths on a
// canvas take 100 and elements of a document 1000.

let ink = {}; // colours by name, as numbers of the pixels' memory

// inks reads the colours from the picture's style sheet, which knows the
// reader's scheme.
function inks() {
  const probe = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  probe.setAttribute("class", "probe");
  document.body.append(probe);
  const read = (cls, what, tag = "path") => {
    const e = probe.appendChild(document.createElementNS("http://www.w3.org/2000/svg", tag));
    e.setAttribute("class", cls);
    return getComputedStyle(e)[what].match(/[\d.]+/g)?.map(Number) ?? [128, 128, 128];
  };
  ink = { page: read("page", "fill"), frame: read("frame", "fill"), frameline: read("frame", "stroke"), box: read("box", "fill"),
    boxline: read("box", "stroke"), head: read("head", "fill"), hatch: read("hatchline", "stroke"), loop: read("loop", "stroke"),
    hub: read("hub", "fill"), hubline: read("hub", "stroke"), plain: read("plain", "fill"), text: read("name", "fill", "text"),
    hit: [191, 135, 0], chosen: read("pagechosen", "stroke") };
  for (let i = 0; i < 2; i++) ink["c" + i] = read("c" + i, "fill");
  for (let i = 0; i < 8; i++) ink["k" + i] = read("k" + i, "stroke");
  for (let i = 0; i < 6; i++) ink["q" + i] = read("q" + i, "fill");
  for (const m of ["added", "removed", "changed", "moved", "mismatch"]) ink[m] = read("page-" + m, "fill");
  for (const k in ink) ink[k] = (255 << 24 | ink[k][2] << 16 | ink[k][1] << 8 | ink[k][0]) >>> 0;
  probe.remove();
}

// css writes an ink as a style sheet does.
const css = (v) => `rgb(${v & 255} ${v >> 8 & 255} ${v >> 16 & 255})`;

// mix returns a colour on another, with the weight a of 0 to 256.
function mix(over, under, a) {
  const rb = ((over & 0xff00ff) * a + (under & 0xff00ff) * (256 - a)) >>> 8 & 0xff00ff;
  const g = ((over & 0xff00) * a + (under & 0xff00) * (256 - a)) >>> 8 & 0xff00;
  return (0xff000000 | rb | g) >>> 0;
}

// Pixels fills rectangles of picture units in the memory of a canvas.
class Pixels {
  constructor(canvas, w, h, at) {
    this.w = w;
    this.h = h;
    if (canvas.width !== w) canvas.width = w;
    if (canvas.height !== h) canvas.height = h;
    this.ctx = canvas.getContext("2d");
    this.image = this.ctx.createImageData(w, h);
    this.px = new Uint32Array(this.image.data.buffer);
    this.at = at; // x, y of the corner, scale in pixels per unit
  }

  // rect fills at least a pixel; weight below 256 lets what is under it through.
  rect(x, y, w, h, colour, weight = 256) {
    const k = this.at.scale;
    const x0 = Math.max(0, Math.round((x - this.at.x) * k)), y0 = Math.max(0, Math.round((y - this.at.y) * k));
    const x1 = Math.min(this.w, Math.max(x0 + 1, Math.round((x + w - this.at.x) * k)));
    const y1 = Math.min(this.h, Math.max(y0 + 1, Math.round((y + h - this.at.y) * k)));
    for (let r = y0; r < y1; r++) {
      const row = r * this.w;
      if (weight === 256) this.px.fill(colour, row + x0, row + x1);
      else for (let i = row + x0; i < row + x1; i++) this.px[i] = mix(colour, this.px[i], weight);
    }
  }

  // line draws from one point to another, a pixel wide.
  line(x0, y0, x1, y1, colour, weight) {
    if (x0 === x1 || y0 === y1) {
      const k = 1 / this.at.scale;
      this.rect(Math.min(x0, x1), Math.min(y0, y1), Math.abs(x1 - x0) || k, Math.abs(y1 - y0) || k, colour, weight);
      return;
    }
    const k = this.at.scale, n = Math.ceil(Math.max(Math.abs(x1 - x0), Math.abs(y1 - y0)) * k);
    for (let i = 0; i < n && n < 20000; i++) this.rect(x0 + (x1 - x0) * i / n, y0 + (y1 - y0) * i / n, 1 / k, 1 / k, colour, weight);
  }

  // outline draws a border of n pixels, out from the rectangle.
  outline(x, y, w, h, n, colour) {
    const m = n / this.at.scale;
    w = Math.max(w, 1 / this.at.scale);
    h = Math.max(h, 1 / this.at.scale);
    this.rect(x - m, y - m, w + 2 * m, m, colour);
    this.rect(x - m, y + h, w + 2 * m, m, colour);
    this.rect(x - m, y, m, h, colour);
    this.rect(x + w, y, m, h, colour);
  }

  hatch(x, y, w, h, colour) {
    const k = this.at.scale;
    const x0 = Math.max(0, Math.round((x - this.at.x) * k)), x1 = Math.min(this.w, Math.round((x + w - this.at.x) * k));
    const y0 = Math.max(0, Math.round((y - this.at.y) * k)), y1 = Math.min(this.h, Math.round((y + h - this.at.y) * k));
    for (let r = y0; r < y1; r++) for (let c = x0 + (3 - (x0 + r) % 4) % 4; c < x1; c += 4) this.px[r * this.w + c] = colour;
  }

  put() { this.ctx.putImageData(this.image, 0, 0); }
}

// blockInk returns the colour that a box is filled with.
function blockInk(d, b, near) {
  const mark = d.marks?.[b];
  if (mark && ink[mark] !== undefined) return ink[mark];
  const n = d.counts?.[b];
  if (n !== undefined) return ink["q" + heatOf(d, n)];
  if (!(d.flags[b] & REACHABLE)) return ink.box;
  return near ? ink.box : ink.head;
}

// heatOf returns the tint of a count as the drawing has it: by its length in
// bits.
function heatOf(d, n) {
  d.hottest ??= Object.values(d.counts).reduce((a, v) => Math.max(a, v), 0);
  const bits = (v) => Math.floor(Math.log2(v)) + 1;
  if (n === 0) return 0;
  return d.hottest <= 1 ? 1 : 1 + Math.floor(4 * (bits(n) - 1) / (bits(d.hottest) - 1));
}

// paintBoxes draws the boxes that the rectangle at shows, w by h units.
function paintBoxes(px, d, w, h) {
  const { x, y, scale } = px.at, near = scale > 0.06, boxes = d.boxes;
  const line = 1 / scale;
  for (let b = 0, i = 0; i < boxes.length; b++, i += 4) {
    const bx = boxes[i], by = boxes[i + 1], bw = boxes[i + 2], bh = boxes[i + 3];
    if (bx > x + w || by > y + h || bx + bw < x || by + bh < y || !bw || !standsFor(d, b)) continue;
    const dead = !(d.flags[b] & REACHABLE);
    if (!near) {
      px.rect(bx, by, bw, bh, dead ? ink.hatch : d.marks?.[b] || d.counts ? blockInk(d, b, false) : ink.boxline);
      paintMark(px, d.marks?.[b], bx, by, bw, bh);
      continue;
    }
    px.rect(bx, by, bw, bh, ink.boxline);
    px.rect(bx + line, by + line, bw - 2 * line, bh - 2 * line, blockInk(d, b, true));
    if (dead) px.hatch(bx, by, bw, bh, ink.hatch);
    paintMark(px, d.marks?.[b], bx, by, bw, bh);
  }
}

// Strokes of the signs of marks, in quarters of their size: x, y, w, h.
const markSigns = { added: [0, 1.5, 4, 1, 1.5, 0, 1, 4], removed: [0, 1.5, 4, 1], changed: [0, 1, 2, 1, 2, 2, 2, 1], moved: [0, 0, 2, 1, 2, 1.5, 2, 1, 0, 3, 2, 1],
  mismatch: [0, 0.5, 4, 1, 0, 2.5, 4, 1] };

// paintMark draws the sign of a mark, which says without a colour what the colour says, into
// a box that has room for it.
function paintMark(px, mark, x, y, w, h) {
  const signs = mark && markSigns[mark], size = Math.min(w, h, 14 / px.at.scale) * 0.7, q = size / 4;
  if (!signs || size * px.at.scale < 4) return;
  const left = x + (w - size) / 2, top = y + (h - size) / 2;
  for (let i = 0; i < signs.length; i += 4) px.rect(left + q * signs[i], top + q * signs[i + 1], q * signs[i + 2], q * signs[i + 3], ink.text);
}

// paintStrip draws the machine code.
function paintStrip(px, d, h) {
  const [x, , w] = d.strip, { y } = px.at, p = d.pieces;
  if (!w) return;
  px.rect(x, d.strip[1], w, d.strip[3], ink.plain);
  for (let i = 0; i < p.length; i += 5) {
    const py = p[i + 3], ph = p[i + 4];
    if (py > y + h || py + ph < y) continue;
    const n = d.counts?.[p[i]];
    px.rect(x, py, w, ph, n !== undefined ? ink["q" + heatOf(d, n)] : ink["c" + p[i] % 2]);
  }
}

// paintFar draws what the view shows of a windowed program.
function paintFar(canvas, far) {
  const ratio = Math.min(devicePixelRatio || 1, 2), d = data, w = win.w / view.scale, h = win.h / view.scale;
  const px = new Pixels(canvas, Math.round(win.w * ratio), Math.round(win.h * ratio), { x: view.x, y: view.y, scale: view.scale * ratio });
  px.px.fill(ink.page);
  const line = 1 / px.at.scale;
  for (let i = 0; i < d.frames.length; i += 4) {
    const [fx, fy, fw, fh] = d.frames.slice(i, i + 4);
    if (!fw) continue;
    px.rect(fx, fy, fw, fh, ink.frameline);
    px.rect(fx + line, fy + line, fw - 2 * line, fh - 2 * line, ink.frame);
  }
  far.loops(px, w, h);
  far.lines(px, w, h);
  for (let i = 0; i < d.far.hubs.length; i += 4) px.rect(...d.far.hubs.slice(i, i + 4), ink.hubline);
  paintBoxes(px, d, w, h);
  paintStrip(px, d, h);
  for (let i = 0; i < d.far.tables.length; i += 4) px.rect(...d.far.tables.slice(i, i + 4), ink.hub);
  for (const f of d.findings ?? []) if (f.block >= 0 && grave(f)) px.outline(...d.boxes.slice(4 * f.block, 4 * f.block + 4), 2 * ratio, ink.mismatch);
  for (const b of hitsHere()) px.outline(...d.boxes.slice(4 * b, 4 * b + 4), 2 * ratio, ink.hit);
  if (current >= 0) px.outline(...d.boxes.slice(4 * current, 4 * current + 4), 2 * ratio, ink.chosen);
  px.put();
  paintLabels(px.ctx, ratio, far.areas);
}

const mapCanvas = minimap.querySelector("canvas"), mapFrame = minimap.querySelector("div");

let mapFor = 0; // size of the page that the map was drawn for

// drawMap draws all blocks small; the frame over them is what the window shows.
function drawMap() {
  const most = Math.min(200, innerWidth / 6, innerHeight / 4), ratio = Math.min(devicePixelRatio || 1, 2);
  const k = Math.min(most / data.w, most / data.h);
  mapFor = innerWidth + innerHeight;
  const w = Math.max(8, Math.round(data.w * k)), h = Math.max(8, Math.round(data.h * k));
  const px = new Pixels(mapCanvas, w * ratio, h * ratio, { x: 0, y: 0, scale: k * ratio });
  mapCanvas.style.width = w + "px";
  mapCanvas.style.height = h + "px";
  px.px.fill(ink.frame);
  paintBoxes(px, data, data.w, data.h);
  paintStrip(px, data, data.h);
  px.put();
}

// mapCovers reports whether the small map would lie on what is drawn.
function mapCovers() {
  const k = 1 / view.scale, w = (parseFloat(mapCanvas.style.width) + 12) * k, h = (parseFloat(mapCanvas.style.height) + 12) * k;
  const x = view.x + win.w * k - w, y = view.y + win.h * k - h, d = data;
  const on = (bx, by, bw, bh) => bw > 0 && bx < x + w && bx + bw > x && by < y + h && by + bh > y;
  for (let i = 0; i < d.boxes.length; i += 4) if (on(d.boxes[i], d.boxes[i + 1], d.boxes[i + 2], d.boxes[i + 3])) return true;
  return on(...d.strip) || (d.tables ?? []).slice(0, 20).some((_, t) => { const r = layer.table(t); return r && on(r.x, r.y, r.w, r.h); });
}

// showFrame moves the frame of the small map. Unless the reader asked for it, the map is there
// only where it covers nothing.
function showFrame() {
  const w = win.w / view.scale, h = win.h / view.scale;
  minimap.classList.toggle("whole", view.x <= 0 && view.y <= 0 && view.x + w >= data.w && view.y + h >= data.h);
  minimap.classList.toggle("covers", !mapChosen && mapCovers());
  byId("map").setAttribute("aria-pressed", String(!minimap.hidden && !minimap.classList.contains("covers")));
  const k = parseFloat(mapCanvas.style.width) / data.w;
  Object.assign(mapFrame.style, { left: view.x * k + "px", top: view.y * k + "px", width: w * k + "px", height: h * k + "px" });
}
