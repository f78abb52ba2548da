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

// draw shows a drawing.
function draw([d, make]) {
  data = d;
  layer = make();
  inks();
  drawMap();
  layer.redress();
  const button = byId("fold");
  button.hidden = !d.folds;
  button.textContent = d.over ? "unfold" : "fold";
  button.title = (d.over ? "show all blocks" : "show loops and the like as one box each") + " ( f )";
}

// fold shows the folded drawing, or the whole one, there with the block in sight.
async function fold(on, block = current) {
  if (!data.folds || Boolean(data.over) === on) return;
  const turn = openings, d = on ? data : Object.getPrototypeOf(data), drawing = await during(drawingOf(d, shown, on));
  if (turn !== openings) return;
  draw(drawing);
  if (model && current >= 0) lightBlock(current);
  if (block < 0) home();
  else centre(boxOf(data, block));
}
