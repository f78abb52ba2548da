// A drawing as a list of items, and the SVG of them. The page is a writer of the same
// list as the files are: what is drawn, and where, is decided before.

const anchors = ["", ' text-anchor="middle"', ' text-anchor="end"'];

// List reads a list of program d: the length of its strings, the strings, and the
// numbers.
class List extends Numbers {
  constructor(d, bytes) {
    super(bytes);
    this.d = d;
    const length = this.next(), at = this.at + length;
    this.strings = utf8.decode(bytes.subarray(this.at, at)).split("\n");
    this.at = at;
    this.x = this.y = 0;
  }

  // first is the block that a box of a folded drawing stands for.
  first(b) { return this.d.first?.[b] ?? b; }

  string() { return this.strings[this.next()]; }

  place() {
    this.x += this.next();
    this.y += this.next();
  }

  // item returns the SVG of the next item.
  item() {
    const head = this.next(), name = this.strings[head >> 4], title = head & 4 ? `<title>${escaped(this.string())}</title>` : "";
    let about = "";
    if (head & 8) about = this.next() === 4 ? ` data-edge="${this.next()}"` : ` data-piece="${this.next()}"`;
    return [this.box, this.path, this.text, this.group][head & 3].call(this, name ? ` class="${escaped(name)}"` : "", title, about);
  }

  box(cls, title, about) {
    this.place();
    const w = this.next(), h = this.next(), r = this.next();
    return closed("rect", `${cls}${about} x="${this.x}" y="${this.y}" width="${w}" height="${h}"${r > 0 ? ` rx="${r}"` : ""}`, title);
  }

  path(cls, title, about) {
    this.place();
    return closed("path", `${cls}${about} d="M${this.x} ${this.y}${this.string()}"`, title);
  }

  text(cls, title) {
    this.place();
    const n = this.next();
    let runs = "";
    for (let i = 0; i < (n & 255); i++) {
      const look = this.string(), text = escaped(allTexts[this.next()]);
      runs += look ? `<tspan class="${look}">${text}</tspan>` : text;
    }
    const text = `<text x="${this.x}" y="${this.y}"${cls}${anchors[n >> 8]}>${runs}</text>`;
    return title ? `<g>${title}${text}</g>` : text;
  }

  group(cls, title, about) {
    const bits = this.next();
    let tag = "g", more = about;
    if (bits & 1) {
      const b = this.next();
      more += ` id="b${this.first(b)}" role="group" aria-label="${escaped(spoken(this.d.over ?? this.d, b))}"`;
    }
    if (bits & 2) {
      tag = "a";
      more += ` href="${escaped(this.string().replace(/^#b(\d+)$/, (_, b) => "#b" + this.first(b)))}"`;
    }
    if (bits & 4) more += ` id="${escaped(this.string())}"`;
    if (bits & 8) more += ` role="group" aria-label="${escaped(this.string())}"`;
    let inside = "";
    for (let n = this.next(); n > 0; n--) inside += this.item();
    return `<${tag}${cls}${more}>${title}${inside}</${tag}>`;
  }
}

const closed = (tag, attributes, inside) => inside ? `<${tag}${attributes}>${inside}</${tag}>` : `<${tag}${attributes}/>`;

// itemsOf returns the SVG of each item of a list.
function itemsOf(d, bytes) {
  const list = new List(d, bytes), out = [];
  while (list.more()) out.push(list.item());
  return out;
}

// frameOf returns the SVG of what is under all blocks, and of what is over them.
function frameOf(d, bytes) {
  const list = new List(d, bytes), under = list.next(), out = ["", ""];
  for (let i = 0; list.more(); i++) out[i < under ? 0 : 1] += list.item();
  return out;
}

// edgeTitle says what the line of an edge is.
function edgeTitle(d, i) {
  const [from, to, kind, state] = d.edges.slice(4 * i, 4 * i + 4);
  let t = `${nameOf(d, from)} → ${to < 0 ? "unknown" : nameOf(d, to)}, ${d.kinds[kind]}`;
  if (d.labels?.[i]) t += ": " + d.labels[i];
  if (state) t += state === 1 ? ", never taken" : ", merely possible";
  if (d.edgemarks?.[i]) t += ", " + d.edgemarks[i];
  if (d.edgecounts?.[i] !== undefined) t += `, passed ${d.edgecounts[i]} times`;
  return t;
}

// pieceTitle says what the nth piece of a block's code is.
function pieceTitle(d, b, n) {
  for (let i = 0; i < d.pieces.length; i += 5) if (d.pieces[i] === b && n-- === 0) return `${nameOf(d, b)}: ${range(d.pieces[i + 1], d.pieces[i + 2])}`;
  return "";
}

// entitle gives what the pointer is over the title that the list left out.
function entitle(target) {
  const e = target.closest?.("[data-edge], [data-piece]");
  if (!e || e.querySelector(":scope > title")) return;
  const title = document.createElementNS("http://www.w3.org/2000/svg", "title"), { edge } = e.dataset;
  if (edge !== undefined) title.textContent = edgeTitle(data.over ?? data, Number(edge));
  else {
    const g = e.closest(".b");
    title.textContent = pieceTitle(data, Number(g.id.slice(1)), [...g.querySelectorAll("[data-piece]")].indexOf(e));
  }
  e.prepend(title);
}
picture.addEventListener("pointerover", (e) => { if (data) entitle(e.target); });
