// Pointer and keys.

const pointers = new Map();
let moved = 0;

picture.addEventListener("pointerdown", (e) => {
  if (e.button !== 0) return;
  measure();
  pointers.set(e.pointerId, e);
  moved = 0;
});
picture.addEventListener("pointermove", (e) => {
  const last = pointers.get(e.pointerId);
  if (!last) {
    layer.hover?.(e.target, e);
    pointAt(e.target);
    return;
  }
  const dx = e.clientX - last.clientX, dy = e.clientY - last.clientY;
  moved += Math.abs(dx) + Math.abs(dy);
  if (e.shiftKey) return; // selects text
  if (moved > 4 && !picture.hasPointerCapture(e.pointerId)) picture.setPointerCapture(e.pointerId);
  if (pointers.size === 2) {
    const o = [...pointers.values()].find((p) => p.pointerId !== e.pointerId);
    const before = Math.hypot(last.clientX - o.clientX, last.clientY - o.clientY);
    const after = Math.hypot(e.clientX - o.clientX, e.clientY - o.clientY);
    if (before > 0) zoom(after / before, (e.clientX + o.clientX) / 2, (e.clientY + o.clientY) / 2);
  } else if (moved > 4) {
    picture.classList.add("moving");
    getSelection().removeAllRanges();
    view.x -= dx / view.scale;
    view.y -= dy / view.scale;
    show();
  }
  pointers.set(e.pointerId, e);
});
// pointAt lights up, in the columns too, the block or instruction under the pointer.
let pointed = "";
function pointAt(target) {
  const g = target.closest?.(".b"), slot = g && target.closest("text")?.querySelector(".slot")?.textContent.trim();
  const key = g ? g.id + "/" + slot : "";
  if (!model || key === pointed) return;
  pointed = key;
  if (!g) { rest(); return; }
  if (slot && /^\d+$/.test(slot)) lightSlot(Number(slot));
  else lightBlock(Number(g.id.slice(1)));
}

picture.addEventListener("pointerleave", () => { pointed = ""; if (model) rest(); });

const up = (e) => {
  pointers.delete(e.pointerId);
  picture.classList.remove("moving");
};
picture.addEventListener("pointerup", up);
picture.addEventListener("pointercancel", up);
picture.addEventListener("click", (e) => {
  const a = e.target.closest("a"), frame = e.target.closest(".nesthead");
  if (a || moved > 4) e.preventDefault();
  if (moved > 4) return;
  const b = layer.blockAt(e.target, e);
  if (a) during(go(a.getAttribute("href"), true));
  else if (frame) during(close(layer.frames[frame.dataset.at]));
  else if (b >= 0 && e.target.closest(".opener")) during(openBox(b));
  else if (b >= 0) choose(b, false);
});
picture.addEventListener("dblclick", (e) => {
  const b = data.over ? layer.blockAt(e.target, e) : -1;
  if (b >= 0) during(openBox(b));
  else if (layer.isFar) zoom(0.8 / view.scale, e.clientX, e.clientY);
});
picture.addEventListener("wheel", (e) => {
  e.preventDefault();
  zoom(Math.exp(-e.deltaY * (e.deltaMode ? 0.05 : 0.0015)), e.clientX, e.clientY);
}, { passive: false });

const jump = (e) => {
  if (!(e.buttons & 1)) return;
  const r = mapCanvas.getBoundingClientRect(), k = r.width / data.w;
  view.x = (e.clientX - r.left) / k - win.w / view.scale / 2;
  view.y = (e.clientY - r.top) / k - win.h / view.scale / 2;
  show();
};
minimap.addEventListener("pointerdown", (e) => { minimap.setPointerCapture(e.pointerId); jump(e); });
minimap.addEventListener("pointermove", jump);

search.addEventListener("input", () => find(search.value));
search.addEventListener("keydown", (e) => {
  if (e.key === "Enter") during(step(e.shiftKey ? -1 : 1));
  if (e.key === "Escape") { search.value = ""; find(""); picture.focus(); }
  e.stopPropagation();
});

// along goes over an edge of the chosen block, or of its box: the first, or the last.
function along(from, last) {
  const o = data.over, e = (o ?? data).edges, me = o ? o.into[current] : current, found = [];
  for (let i = 0; i < e.length; i += 4) if (e[i + from] === me && e[i + 1 - from] >= 0 && e[i + 3] !== 1) found.push(e[i + 1 - from]);
  if (found.length) choose(o ? data.first[found.at(last ? -1 : 0)] : found.at(last ? -1 : 0), true);
  else if (data.nest) during(leave(from));
}

// leave goes over an edge out of the open box.
async function leave(from) {
  const { out, into } = localEdges(baseOf(data)), there = (from ? into : out)[current].find((b) => data.over.into[b] < 0);
  if (there === undefined) return;
  await reveal(there);
  choose(there, true);
}

// next goes to the next block, or box.
function next(d) {
  const n = data.flags.length;
  let b = Math.max(-1, current) + d;
  while (b > 0 && b < n && !standsFor(data, b)) b += d;
  choose(Math.max(0, b < n ? b : data.over ? current : n - 1), true);
}

let mapChosen = false; // by the reader; else the map is there where it leaves room for the drawing

function toggleMap() {
  mapChosen = true;
  minimap.hidden = !(minimap.hidden || minimap.classList.contains("covers"));
  show();
}
const turn = (d) => { location.hash = "#" + encodeURIComponent(programs.options[(shown + d + total) % total].value); };
const pan = (dx, dy) => { view.x += dx * 80 / view.scale; view.y += dy * 80 / view.scale; show(); };
const acts = {
  "/": () => search.focus(), "+": () => zoom(1.25), "=": () => zoom(1.25), "-": () => zoom(0.8), "0": fit,
  "1": () => zoom(1 / view.scale), "?": () => keys.showModal(), "Escape": () => { if (details.hidden) during(closeAround()); else shut(); },
  "f": () => during(fold(!data.over)), "F": () => during(closeAround()), "Enter": () => { if (data.over && current >= 0) during(openBox(current)); },
  "m": toggleMap, "o": () => toggleOutline(), "x": () => toggleCode(),
  "n": () => next(1), "p": () => next(-1), "c": () => { if (current >= 0) centre(boxOf(data, current)); },
  "s": () => along(0, false), "S": () => along(0, true), "r": () => along(1, false), "R": () => along(1, true),
  "[": () => turn(-1), "]": () => turn(1),
  "ArrowLeft": () => pan(-1, 0), "ArrowRight": () => pan(1, 0), "ArrowUp": () => pan(0, -1), "ArrowDown": () => pan(0, 1),
};
addEventListener("keydown", (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey || keys.open || e.target === programs || !layer) return;
  if (e.key.startsWith("Arrow") && e.target instanceof Element && e.target.closest("#details, #code, #outline")) return; // scroll them
  if (!Object.hasOwn(acts, e.key) || e.key === "Enter" && e.target !== picture && e.target !== document.body) return;
  e.preventDefault();
  acts[e.key]();
});
byId("zoomin").onclick = acts["+"];
byId("zoomout").onclick = acts["-"];
byId("fit").onclick = fit;
byId("fold").onclick = acts.f;
byId("actual").onclick = acts["1"];
byId("map").onclick = toggleMap;
byId("contents").onclick = () => toggleOutline();
byId("columns").onclick = () => toggleCode();
byId("help").onclick = acts["?"];
programs.onchange = () => { location.hash = "#" + encodeURIComponent(programs.value); };
new ResizeObserver(() => {
  measure();
  if (!mapChosen) minimap.hidden = win.w < narrow;
  if (!layer) return;
  if (lost()) fit();
  else if (midst && ["x", "y", "scale"].every((k) => midst[k] === view[k]) && midst.data === data) centre(midst.box);
  if (mapFor !== innerWidth + innerHeight) drawMap();
  show();
}).observe(picture);
