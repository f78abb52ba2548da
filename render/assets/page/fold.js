// Folding: a large program opens as a drawing of few boxes, each for many blocks. Its
// data is that of the program with other places: a block is where its box is.

// foldedData returns the data of a program in the places of its folded drawing o.
function foldedData(d, o) {
  const first = []; // block that stands for each box: the way in
  o.into.forEach((box, b) => { first[box] ??= b; });
  o.flags.forEach((_, box) => { const b = Number(/^b(\d+)$/.exec(nameOf(o, box))?.[1] ?? -1); if (o.into[b] === box) first[box] = b; });
  const boxes = new Array(4 * d.flags.length), lead = new Uint8Array(d.flags.length), named = {}, counts = d.counts && { ...d.counts };
  o.into.forEach((box, b) => { for (let k = 0; k < 4; k++) boxes[4 * b + k] = o.boxes[4 * box + k]; });
  first.forEach((b, box) => {
    lead[b] = 1;
    if (o.folded?.[box]) named[b] = o.folded[box];
    if (counts && o.counts?.[box] !== undefined) counts[b] = o.counts[box];
  });
  const loops = [...o.loops];
  for (let i = 0; i < loops.length; i += 2 + 4 * loops[i + 1]) if (loops[i] >= 0) loops[i] = first[loops[i]];
  return Object.assign(Object.create(d), { over: o, first, lead, boxes, loops, folded: named, counts, w: o.w, h: o.h, head: o.head,
    frames: o.frames, strip: o.strip, len: o.len, pieces: o.pieces.map((v, i) => i % 5 ? v : first[v]), ways: undefined, found: undefined });
}

// standsFor reports whether a block is drawn as a box of its own or gives a box its name.
const standsFor = (d, b) => !d.lead || d.lead[b];

const raw = (bytes) => bytes;

// drawingOf returns the data of a drawing of a program, and what makes the drawing.
async function drawingOf(d, p, fold) {
  const made = (d, bytes) => new Whole(fromMarkup(d.head + itemsOf(d, bytes).join("") + "</svg>"));
  if (fold) {
    const [o, bytes] = await Promise.all([load("over", p, 0), load("oversvg", p, 0, raw)]), f = d.foldedData ??= foldedData(d, o);
    return [f, () => made(f, bytes)];
  }
  if (d.windowed) {
    const frame = await load("frame", p, 0, (bytes) => frameOf(d, bytes));
    return [d, () => new Windowed(p, frame)];
  }
  if (p === 0) return [d, () => new Whole(first)];
  const bytes = await load("svg", p, 0, raw);
  return [d, () => made(d, bytes)];
}

// nestDrawing is drawingOf for an open box.
function nestDrawing(d, lines, root) {
  const { svg, frames, leaves } = nestMarkup(d, lines, root), n = nestedData(d, root, leaves);
  return [n, () => {
    const made = new Whole(fromMarkup(svg));
    made.frames = frames;
    made.table = () => undefined;
    return made;
  }];
}

// draw shows a drawing.
function draw([d, make]) {
  data = d;
  layer = make();
  inks();
  drawMap();
  layer.redress();
  picture.dataset.view = d.nest ? "nest" : d.over ? "folded" : "whole";
  const button = byId("fold");
  button.hidden = !d.folds;
  button.textContent = d.over ? "unfold" : "fold";
  button.title = (d.over ? "show all blocks" : "show loops and the like as one box each") + " ( f )";
  showWay();
}

// baseOf is the data of the program in the places of the whole drawing.
const baseOf = (d) => d.over ? Object.getPrototypeOf(d) : d;

// change shows another drawing of the program, with a box of it in sight.
async function change(making, sight) {
  const turn = openings, drawing = await during(making);
  if (turn !== openings) return;
  draw(drawing);
  if (model && current >= 0) lightBlock(current);
  sight();
  if (!details.hidden && current >= 0) choose(current, false);
  grid.replaceChildren();
  showRows();
  showOpen();
}

// fold shows the folded drawing, or the whole one, there with the block in sight.
async function fold(on, block = current) {
  if (!data.folds || (on ? picture.dataset.view === "folded" : !data.over)) return;
  await change(drawingOf(baseOf(data), shown, on), () => { if (block < 0) home(); else centre(boxOf(data, block)); });
}

// showNest shows an open box, with a node in it in sight, or the box of a block.
async function showNest(root, node, block) {
  const d = baseOf(data), p = shown, lines = await load("lines", p, 0, readLines);
  if (p !== shown) return;
  await change(nestDrawing(d, lines, root), () => look(node?.open ? node : boxOf(data, block)));
}

// look shows a frame: all of it where it can be read, else its beginning. What is open is
// named above it.
function look(box) {
  measure();
  const head = box.head === undefined ? box : boxOf(data, box.head), bar = 40; // pixels
  const high = win.h - bar, all = Math.min(win.w / box.w, high / box.h) * 0.97;
  view.scale = Math.max(0.6, Math.min(all, 1));
  view.x = box.w * view.scale < win.w ? box.x + box.w / 2 - win.w / view.scale / 2 : inside(head.x + head.w / 2, win.w / view.scale, data.w);
  view.y = box.y - (bar + Math.max(0, (high - box.h * view.scale) / 2)) / view.scale;
  show();
}

// openBox opens the closed box of a block, by one level.
async function openBox(b) {
  if (!data.over) return;
  const base = baseOf(data), root = data.nest ?? nestOf(base, data.over.into[b]), node = data.nest ? leafAt(root, b) : root;
  if (!node || node.block !== undefined) return;
  kidsOf(base, node);
  node.open = true;
  current = b;
  await showNest(root, node, b);
}

// close folds an open node again; with the outermost one the folded drawing is back.
async function close(node) {
  node.open = false;
  if (current >= 0 && node.blocks.includes(current)) current = node.head;
  if (node === data.nest) await fold(true, node.head);
  else await showNest(data.nest, node.up, node.head);
}

// closeAround folds what is open around the chosen block, or all.
async function closeAround() {
  if (data.over && !data.nest) return;
  if (!data.nest) return void await fold(true);
  const leaf = current >= 0 ? leafAt(data.nest, current) : null;
  await close(leaf?.up ?? data.nest);
}

// reveal shows a block in a folded drawing: all that holds it opens.
async function reveal(b) {
  if (!data.over) return;
  const base = baseOf(data), root = nestOf(base, base.foldedData.over.into[b]);
  if (root.block !== undefined) { if (data.nest) await fold(true, b); return; }
  if (data.nest === root && leafAt(root, b).block !== undefined) return;
  if (openTo(base, root, b)) await showNest(root, null, b); else await fold(false, b);
}

// showWay names what is open around the chosen block, outermost first; a click folds what is in it.
function showWay() {
  const way = byId("way"), nodes = [];
  way.hidden = !data.nest;
  if (!data.nest) return;
  for (let n = current >= 0 ? leafAt(data.nest, current)?.up ?? data.nest : data.nest; n; n = n.up) nodes.unshift(n);
  const button = (text, title, act) => {
    const e = element("button", "", text);
    e.title = title;
    e.onclick = () => during(act());
    return e;
  };
  way.replaceChildren(button("all", "the folded drawing", () => fold(true)), ...nodes.flatMap((n, i) => [" › ", button(`${nameOf(data, n.head)} ${n.kind}`, sizeText(n), async () => {
    if (nodes[i + 1]) await close(nodes[i + 1]); else look(n);
  })]));
}
