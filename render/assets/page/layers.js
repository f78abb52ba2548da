// Layers: what of a program is in the document. A small program is there as a
// whole. Of a large one are there the blocks near the window, and from afar a
// canvas: a browser needs seconds to lay out the text of 10,000 blocks.

let hits = []; // of a search: program and block

const hitsHere = () => hits.filter((h) => h.p === shown).map((h) => h.b);

// dress gives a block's group the looks of being found or chosen.
function dress(e, b, found) {
  e.classList.toggle("hit", found.has(b));
  e.classList.toggle("chosen", b === current);
}

// Whole is a drawing that is in the document with all of its blocks.
class Whole {
  constructor(svg) {
    this.svg = svg;
    this.labels = element("canvas", "labels");
    this.areas = areasOf(data);
    picture.className = "";
    picture.replaceChildren(svg, this.labels);
    for (const f of data.findings ?? []) if (f.block >= 0) signed(this.element(f.block), data.over ? data.first[data.over.into[f.block]] : f.block);
  }

  element(b) { return byId("b" + (data.over ? data.first[data.over.into[b]] : b)); }

  frame() {
    this.svg.style.transform = `translate(${-view.x * view.scale}px, ${-view.y * view.scale}px) scale(${view.scale})`;
    const small = view.scale < smallest;
    picture.classList.toggle("small", small);
    this.labels.hidden = !small;
    if (small) {
      this.svg.style.setProperty("--thin", 2 ** Math.ceil(-Math.log2(view.scale)) + "px"); // a pixel or two of the screen
      this.label();
    }
    return true;
  }

  // label writes what can be read at a small scale.
  label() {
    const ratio = Math.min(devicePixelRatio || 1, 2), w = Math.round(win.w * ratio), h = Math.round(win.h * ratio);
    if (this.labels.width !== w) this.labels.width = w;
    if (this.labels.height !== h) this.labels.height = h;
    const c = this.labels.getContext("2d");
    c.clearRect(0, 0, w, h);
    paintLabels(c, ratio, this.areas);
  }

  // redress shows what is found and chosen now.
  redress() {
    const found = new Set(hitsHere());
    for (const e of this.svg.querySelectorAll(".hit, .chosen")) e.classList.remove("hit", "chosen");
    for (const b of current < 0 ? found : new Set([...found, current])) {
      const e = this.element(b);
      if (e) dress(e, b, found);
    }
  }

  blockAt(target) {
    const g = target.closest(".b");
    return g ? Number(g.id.slice(1)) : -1;
  }

  table(t) {
    const box = byId("t" + t)?.querySelector("rect")?.getBBox();
    return box && { x: box.x, y: box.y, w: box.width, h: Math.min(box.height, 400) };
  }

  recolour() { show(); }
  print() {}
}

// most is the number of blocks above which the window is seen from afar.
const most = 400;

// areasOf returns the areas of the loops, outer ones first.
function areasOf(d) {
  const areas = [];
  for (let i = 0, list = d.loops; i < list.length; i += 2 + 4 * list[i + 1]) {
    const header = list[i], n = list[i + 1], bands = new Int32Array(4 * n);
    let x = 0, y = 0, x0 = Infinity, x1 = -Infinity;
    for (let j = 0; j < 4 * n; j += 4) {
      x += list[i + 2 + j];
      y += list[i + 3 + j];
      bands.set([x, y, list[i + 4 + j], list[i + 5 + j]], j);
      x0 = Math.min(x0, x);
      x1 = Math.max(x1, x + list[i + 4 + j]);
      y += list[i + 5 + j];
    }
    // Shades of many loops in each other would hide what they hold.
    const deep = header >= 0 && d.depth?.[header] > 6;
    areas.push({ header, bands, deep, x0, x1, y0: bands[1], y1: y });
  }
  return areas;
}

// shapeOf turns the lists of numbers of a windowed program into arrays that are
// quick to search, and drops them. Items are blocks, then tables.
function shapeOf(d) {
  const far = d.far, blocks = d.flags.length, starts = [], points = [], wiresOf = new Map();
  for (let i = 0, list = far.wires; i < list.length; i += 3 + 2 * list[i + 2]) {
    let x = 0, y = 0, x0 = Infinity, y0 = Infinity, x1 = -Infinity, y1 = -Infinity, length = 0;
    const n = list[i + 2], at = points.length;
    for (let j = 0; j < n; j++) {
      x += list[i + 3 + 2 * j];
      y += list[i + 4 + 2 * j];
      if (j > 0) length += Math.abs(list[i + 3 + 2 * j]) + Math.abs(list[i + 4 + 2 * j]);
      points.push(x, y);
      x0 = Math.min(x0, x);
      x1 = Math.max(x1, x);
      y0 = Math.min(y0, y);
      y1 = Math.max(y1, y);
    }
    const block = list[i + 1];
    if (!wiresOf.has(block)) wiresOf.set(block, []);
    wiresOf.get(block).push(starts.length);
    const style = list[i] & 7, curved = list[i] & 8;
    starts.push(style, block, at, at + 2 * n, x0, y0, x1, y1, curved ? 0 : length);
  }
  far.wires = null;
  // Of a wire: style, block, points from, to, x0, y0, x1, y1, length.
  return { blocks, items: blocks + far.reach.length / 4, wires: Int32Array.from(starts), points: Int32Array.from(points), areas: areasOf(d), wiresOf };
}

// longest is the length in pixels up to which a line of the drawing is in the
// document. Of longer ones the part near the window is drawn: a browser makes
// all dashes of a line though it shows few, and lines of large programs have
// 100,000.
const longest = 4000;

// Windowed is a drawing with the blocks in and around the window.
class Windowed {
  constructor(p, [under, over]) {
    this.p = p;
    this.d = data;
    Object.assign(this, data.shape ??= shapeOf(data));
    this.near = new Uint8Array(this.items);
    picture.className = "windowed";
    picture.innerHTML = data.head + under + `<g></g><g></g><g></g>` + over + "</svg>"; // our own markup; its texts are escaped
    this.svg = picture.querySelector("svg");
    [this.loopGroup, this.wireGroup, this.blockGroup] = [...this.svg.children].filter((e) => e.tagName === "g" && !e.attributes.length && !e.children.length);
    this.canvas = document.createElement("canvas");
    this.spots = [0, 1].map(() => element("div", "spot"));
    picture.prepend(this.canvas);
    picture.append(...this.spots);
    this.inside = new Map(); // item → its element
    this.hovered = -1;
  }

  // loops and lines paint themselves for paintFar.
  loops(px, w, h) {
    const { x, y, scale } = px.at;
    for (const a of this.areas) {
      if (a.deep || a.x0 > x + w || a.y0 > y + h || a.x1 < x || a.y1 < y || (a.y1 - a.y0) * scale < 2) continue;
      for (let j = 0, b = a.bands; j < b.length; j += 4) px.rect(b[j], b[j + 1], b[j + 2], b[j + 3], ink.loop, 24);
    }
  }

  // drawLoops draws the loops in a rectangle, cut to it.
  drawLoops(x0, y0, x1, y1) {
    let markup = "";
    for (const a of this.areas) {
      if (a.x0 > x1 || a.y0 > y1 || a.x1 < x0 || a.y1 < y0) continue;
      const left = [], right = [];
      for (let j = 0, b = a.bands; j < b.length; j += 4) {
        const top = Math.max(b[j + 1], y0), bottom = Math.min(b[j + 1] + b[j + 3], y1);
        if (top >= bottom) continue;
        const l = Math.round(Math.min(Math.max(b[j], x0), x1)), r = Math.round(Math.max(Math.min(b[j] + b[j + 2], x1), x0));
        right.push(`${r} ${Math.round(top)}L${r} ${Math.round(bottom)}`);
        left.push(`${l} ${Math.round(bottom)}L${l} ${Math.round(top)}`);
      }
      if (!left.length) continue;
      markup += `<path class="loop${a.deep ? " deep" : ""}" d="M${[...right, ...left.reverse()].join("L")}Z"/>`;
      const name = a.header >= 0 && data.flags[a.header] & HEADER ? "loop " + nameOf(data, a.header) : "loop";
      if (a.y0 >= y0) markup += `<text x="${a.bands[0] + 4}" y="${a.bands[1] + 9}" class="loopname">${escaped(name)}</text>`;
    }
    if (markup !== this.loopMarkup) this.loopGroup.innerHTML = this.loopMarkup = markup;
  }

  // drawWires draws the long lines in a rectangle, cut to it.
  drawWires(x0, y0, x1, y1) {
    const ws = this.wires, out = [];
    for (let i = 0; i < ws.length; i += 9) {
      if (ws[i + 8] <= longest || ws[i + 4] > x1 || ws[i + 5] > y1 || ws[i + 6] < x0 || ws[i + 7] < y0) continue;
      this.cut(this.points.subarray(ws[i + 2], ws[i + 3]), x0, y0, x1, y1, (d, length) =>
        out.push(`<path class="e k${ws[i]}" stroke-dashoffset="${length}" d="${d}"/>`));
    }
    const markup = out.join("");
    if (markup !== this.wireMarkup) this.wireGroup.innerHTML = this.wireMarkup = markup;
  }

  // cut calls f with each part of a line in a rectangle: as a path, and with its
  // distance from the start of the line, by which dashes stay where they are.
  cut(p, x0, y0, x1, y1, f) {
    let run = "", start = 0, length = 0;
    const clampX = (v) => Math.round(Math.max(x0, Math.min(x1, v))), clampY = (v) => Math.round(Math.max(y0, Math.min(y1, v)));
    const end = () => { if (run) f(run, start); run = ""; };
    for (let i = 2; i < p.length; i += 2) {
      const ax = p[i - 2], ay = p[i - 1], bx = p[i], by = p[i + 1], n = Math.abs(bx - ax) + Math.abs(by - ay);
      if (Math.max(ax, bx) < x0 || Math.min(ax, bx) > x1 || Math.max(ay, by) < y0 || Math.min(ay, by) > y1) end();
      else {
        const sx = clampX(ax), sy = clampY(ay), ex = clampX(bx), ey = clampY(by), corner = i + 2 < p.length && ex === bx && ey === by;
        if (!run) {
          run = `M${sx} ${sy}`;
          start = length + Math.abs(sx - ax) + Math.abs(sy - ay);
        }
        const r = corner ? Math.min(6, n / 2, (Math.abs(p[i + 2] - bx) + Math.abs(p[i + 3] - by)) / 2) : 0;
        run += `L${ex - Math.sign(bx - ax) * r} ${ey - Math.sign(by - ay) * r}`;
        if (r) run += `Q${bx} ${by} ${bx + Math.sign(p[i + 2] - bx) * r} ${by + Math.sign(p[i + 3] - by) * r}`;
        if (ex !== bx || ey !== by) end();
      }
      length += n;
    }
    end();
  }

  lines(px, w, h) {
    const ws = this.wires, pts = this.points, { x, y, scale } = px.at;
    const weight = Math.round(Math.min(256, Math.max(90, 256 * scale * 8)));
    for (let i = 0; i < ws.length; i += 9) {
      if (ws[i + 4] > x + w || ws[i + 5] > y + h || ws[i + 6] < x || ws[i + 7] < y) continue;
      if ((ws[i + 6] - ws[i + 4] + ws[i + 7] - ws[i + 5]) * scale < 2) continue;
      const colour = ink["k" + ws[i]];
      for (let j = ws[i + 2] + 2; j < ws[i + 3]; j += 2) px.line(pts[j - 2], pts[j - 1], pts[j], pts[j + 1], colour, weight);
    }
  }

  // mark sets near to level for the items of which a part is in the rectangle,
  // and returns their number.
  mark(level, x0, y0, x1, y1) {
    const near = this.near, boxes = data.boxes, p = data.pieces, ws = this.wires, pts = this.points;
    for (let b = 0, i = 0; i < boxes.length; b++, i += 4) {
      if (boxes[i] < x1 && boxes[i + 1] < y1 && boxes[i] + boxes[i + 2] > x0 && boxes[i + 1] + boxes[i + 3] > y0) near[b] = level;
    }
    for (let i = 0; i < ws.length; i += 9) {
      if (ws[i + 4] > x1 || ws[i + 5] > y1 || ws[i + 6] < x0 || ws[i + 7] < y0 || near[ws[i + 1]] === level) continue;
      if (ws[i + 8] > longest) { // of which only the head is in the block's group
        const x = pts[ws[i + 3] - 2], y = pts[ws[i + 3] - 1];
        if (x + 20 > x0 && x - 20 < x1 && y + 20 > y0 && y - 20 < y1) near[ws[i + 1]] = level;
        continue;
      }
      for (let j = ws[i + 2] + 2; j < ws[i + 3]; j += 2) {
        const a = pts[j - 2], b = pts[j - 1], c = pts[j], d = pts[j + 1];
        if (Math.min(a, c) <= x1 && Math.max(a, c) >= x0 && Math.min(b, d) <= y1 && Math.max(b, d) >= y0) {
          near[ws[i + 1]] = level;
          break;
        }
      }
    }
    const [sx, , sw] = data.strip, arcs = data.far.arcs;
    if (sx < x1 && sx + sw > x0) {
      for (let i = 0; i < p.length; i += 5) if (p[i + 3] < y1 && p[i + 3] + p[i + 4] > y0) near[p[i]] = level;
    }
    if (data.far.arcx < x1) {
      for (let i = 0; i < arcs.length; i += 4) {
        if (Math.min(arcs[i + 1], arcs[i + 2]) < y1 && Math.max(arcs[i + 1], arcs[i + 2]) > y0 && data.far.arcx + arcs[i + 3] > x0) near[arcs[i]] = level;
      }
    }
    const e = data.far.reach;
    for (let i = 0; i < e.length; i += 4) {
      if (e[i] < x1 && e[i + 1] < y1 && e[i] + e[i + 2] > x0 && e[i + 1] + e[i + 3] > y0) near[this.blocks + i / 4] = level;
    }
    let n = 0;
    for (let i = 0; i < this.blocks; i++) if (near[i] === level) n++;
    return n;
  }

  // frame draws the view, and reports whether it is complete.
  frame() {
    const w = win.w / view.scale, h = win.h / view.scale;
    this.spot(-1);
    this.seen = [view.x, view.y, w, h];
    this.near.fill(0);
    const n = view.scale < smallest ? Infinity : this.mark(3, view.x, view.y, view.x + w, view.y + h);
    this.isFar = n > most;
    this.svg.style.visibility = this.isFar ? "hidden" : "";
    if (this.isFar) {
      this.canvas.style.display = "";
      paintFar(this.canvas, this);
      return true;
    }
    this.svg.style.transform = `translate(${-view.x * view.scale}px, ${-view.y * view.scale}px) scale(${view.scale})`;
    const seen = new Uint8Array(this.near);
    this.mark(1, view.x - w, view.y - h, view.x + 2 * w, view.y + 2 * h);
    for (const [i, e] of this.inside) {
      if (this.near[i]) continue;
      e.remove();
      this.inside.delete(i);
    }
    this.drawLoops(view.x - w / 2, view.y - h / 2, view.x + 1.5 * w, view.y + 1.5 * h);
    this.drawWires(view.x - w / 2, view.y - h / 2, view.x + 1.5 * w, view.y + 1.5 * h);
    const missing = this.fill(seen);
    if (!missing) this.canvas.style.display = "none";
    return !missing;
  }

  // fill puts the blocks that the window shows into the document, and reports
  // whether the markup of some is still to be unpacked.
  fill(seen) {
    const want = [];
    let missing = false;
    for (let i = 0; i < this.items; i++) if (seen[i] === 3 && !this.inside.has(i)) want.push(i);
    const text = [], into = [];
    for (const i of want) {
      const kind = i < this.blocks ? "draw" : "table", at = i < this.blocks ? i : i - this.blocks, n = Math.floor(at / data.chunk);
      const lines = loaded(kind, this.p, n);
      if (!lines) {
        missing = true;
        load(kind, this.p, n, (bytes) => itemsOf(this.d, bytes)).then(() => { if (layer === this) show(); });
        continue;
      }
      text.push(lines[at % data.chunk]);
      into.push(i);
    }
    if (!text.length) return missing;
    const found = new Set(hitsHere()), group = this.blockGroup, from = group.children.length;
    group.insertAdjacentHTML("beforeend", text.join("")); // our own markup, as above
    let e = group.children[from];
    for (const i of into) {
      this.inside.set(i, e);
      if (i < this.blocks) {
        dress(e, i, found);
        this.hideLong(e, i);
        signed(e, i);
      }
      e = e.nextElementSibling;
    }
    return missing;
  }

  // hideLong hides the lines in a block's group that drawWires draws. They are
  // in the order of the data.
  hideLong(e, b) {
    const mine = this.wiresOf.get(b) ?? [];
    if (!mine.some((i) => this.wires[i + 8] > longest)) return;
    e.querySelectorAll(":scope > .e:not(.hl)").forEach((path, k) => {
      if (this.wires[mine[k] + 8] > longest) path.classList.add("long");
    });
  }

  element(b) { return this.inside.get(b); }

  redress() {
    const found = new Set(hitsHere());
    for (const [i, e] of this.inside) if (i < this.blocks) dress(e, i, found);
    show();
  }

  // blockAt returns the block under the pointer.
  blockAt(target, e) {
    const g = target.closest(".b");
    if (g) return Number(g.id.slice(1));
    if (!this.isFar) return -1;
    const x = view.x + (e.clientX - win.x) / view.scale, y = view.y + (e.clientY - win.y) / view.scale, { boxes, pieces } = data;
    let near = 4 / view.scale, found = -1; // boxes are small from afar: the nearest within 4 pixels will do
    for (let b = 0, i = 0; i < boxes.length; b++, i += 4) {
      const away = Math.max(boxes[i] - x, x - boxes[i] - boxes[i + 2], boxes[i + 1] - y, y - boxes[i + 1] - boxes[i + 3], 0);
      if (away < near && boxes[i + 2]) {
        near = away;
        found = b;
      }
    }
    const [sx, , sw] = data.strip;
    if (found >= 0 || x < sx || x >= sx + sw) return found;
    for (let i = 0; i < pieces.length; i += 5) if (y >= pieces[i + 3] && y < pieces[i + 3] + Math.max(1, pieces[i + 4])) return pieces[i];
    return -1;
  }

  // hover lights up both halves of a block seen from afar.
  hover(target, e) {
    if (this.isFar) this.spot(this.blockAt(target, e));
  }

  spot(b) {
    if (b === this.hovered) return;
    this.hovered = b;
    picture.title = b < 0 ? "" : spoken(data, b);
    const at = data.pieces.findIndex((v, i) => i % 5 === 0 && v === b);
    const box = b < 0 ? null : boxOf(data, b), [sx, , sw] = data.strip;
    const piece = b < 0 || at < 0 ? null : { x: sx, y: data.pieces[at + 3], w: sw, h: data.pieces[at + 4] };
    [box, piece].forEach((r, i) => {
      const s = this.spots[i].style;
      s.display = r ? "block" : "none";
      if (!r) return;
      const w = Math.max(6, r.w * view.scale), h = Math.max(6, r.h * view.scale);
      Object.assign(s, { left: (r.x + r.w / 2 - view.x) * view.scale - w / 2 + "px", top: (r.y + r.h / 2 - view.y) * view.scale - h / 2 + "px",
        width: w + "px", height: h + "px" });
    });
  }

  table(t) {
    const [x, y, w, h] = data.far.tables.slice(4 * t, 4 * t + 4);
    return { x, y, w, h: Math.min(h, 400) };
  }

  recolour() { show(); }

  // print makes what the window showed last the whole drawing. The window itself
  // is another one on paper.
  print(on) {
    const box = on ? this.seen : [0, 0, data.w, data.h];
    this.svg.setAttribute("viewBox", box.map(Math.round).join(" "));
    this.svg.setAttribute("width", Math.round(box[2])); // they give the proportions on paper
    this.svg.setAttribute("height", Math.round(box[3]));
  }
}
