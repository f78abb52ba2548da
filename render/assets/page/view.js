// The view: which part of the picture the window shows.

const picture = byId("picture"), details = byId("details"), search = byId("search"), count = byId("count");
const keys = byId("keys"), programs = byId("programs"), minimap = byId("minimap"), said = byId("said");
const total = programs.options.length;
const view = { x: 0, y: 0, scale: 1 }; // left top corner in picture units, screen pixels per unit
const win = { x: 0, y: 0, w: 1, h: 1 }; // the window, in screen pixels
const smallest = 0.65; // scale below which the drawing's text could not be read, and labels take its place

let shown = -1, data, layer, current = -1, pending = false;

// measure reads the place of the window, which details and the header change.
function measure() {
  const r = picture.getBoundingClientRect();
  Object.assign(win, { x: r.x, y: r.y, w: Math.max(1, r.width), h: Math.max(1, r.height) });
}

let work = 0, drawn = false; // searches and the like that run; whether the last frame was complete

// busy tells those who wait, readers and tests, whether more is to come.
function busy(more) {
  work += more;
  picture.setAttribute("aria-busy", String(work > 0 || !drawn));
}

// during counts as work until the promise ends.
async function during(promise) {
  busy(1);
  try { return await promise; } finally { busy(-1); }
}

// show draws the view, once for each frame. The picture is moved by a transform:
// another viewBox costs a layout of all of it.
function show() {
  drawn = false;
  busy(0);
  if (pending) return;
  pending = true;
  requestAnimationFrame(() => {
    pending = false;
    picture.scrollTo(0, 0);
    drawn = layer.frame();
    showFrame();
    busy(0);
  });
}

const whole = () => Math.min(win.w / data.w, win.h / data.h);

const narrow = 500; // a window of a telephone, in pixels

// graphArea is where the graph is, if there is much more: tables may be many times as high, and
// a narrow window has no room for what is beside the graph.
function graphArea() {
  let w = 0, h = 0;
  for (let i = 0; i < data.frames.length; i += 4) {
    w = Math.max(w, data.frames[i] + data.frames[i + 2]);
    h = Math.max(h, data.frames[i + 1] + data.frames[i + 3]);
  }
  if (h > 0 && win.w < narrow) return { w: w + data.frames[0], h: data.h > 1.5 * h ? h : data.h };
  return h > 0 && data.h > 1.5 * h ? { w: Math.max(w, data.strip[0] + data.strip[2]), h } : data;
}

// fit shows the graph, and if that shows already, everything.
function fit() {
  const to = (area) => {
    const scale = Math.min(win.w / area.w, win.h / area.h, 1.5);
    return { scale, x: (area.w - win.w / scale) / 2, y: (area.h - win.h / scale) / 2 };
  };
  measure();
  const graph = to(graphArea()), there = Object.keys(graph).every((k) => Math.abs(graph[k] - view[k]) < 1e-6);
  Object.assign(view, there ? to(data) : graph);
  show();
}

// home is the first look: everything, or where that could not be read the graph, or else
// the beginning.
function home() {
  view.scale = 0; // nothing shows yet
  fit();
  const b = data.entries[0], graph = (i) => Math.max(0, ...data.frames.filter((_, j) => j % 4 === i).map((v, k) => v + data.frames[4 * k + i + 2]));
  if (view.scale >= smallest || b === undefined) return;
  const entry = boxOf(data, b), w = graph(0), all = Math.min(win.w / (w + 10), win.h / (graph(1) + 10), 0.8);
  view.scale = w && all >= smallest ? all : 0.8;
  view.x = w * view.scale <= win.w ? 0 : Math.max(0, entry.x + entry.w / 2 - win.w / view.scale / 2);
  view.y = Math.max(0, entry.y - 120);
  show();
}

// lost reports whether the window shows nothing of the picture.
function lost() {
  const edge = 40 / view.scale;
  return view.x > data.w - edge || view.y > data.h - edge || view.x + win.w / view.scale < edge || view.y + win.h / view.scale < edge;
}

// zoom keeps the point of the picture at (px, py) of the screen in place.
function zoom(factor, px, py) {
  const dx = px === undefined ? win.w / 2 : px - win.x, dy = py === undefined ? win.h / 2 : py - win.y;
  const scale = Math.min(8, Math.max(Math.min(0.002, whole()), view.scale * factor));
  view.x += dx / view.scale - dx / scale;
  view.y += dy / view.scale - dy / scale;
  view.scale = scale;
  show();
}

let midst; // what centre showed last, and the view then

// centre shows a box in the middle, or where it is larger than the window its beginning, and
// keeps it there while the window changes and the reader does not move.
function centre(box) {
  if (!box || !box.w) return;
  measure();
  view.scale = Math.max(view.scale, 0.7);
  const w = win.w / view.scale, h = win.h / view.scale, bar = data.nest ? 40 / view.scale : 8;
  view.x = inside(box.x + Math.min(box.w, w - 16) / 2, w, data.w);
  view.y = box.h > h - bar ? box.y - bar : inside(box.y + box.h / 2, h, data.h);
  midst = { box, data, ...view };
  show();
}

// inside returns the start of a window of a length around a middle, moved so
// that it shows less of what is beyond a picture of the size.
const inside = (middle, length, size) => length > size ? (size - length) / 2 : Math.max(0, Math.min(middle - length / 2, size - length));
