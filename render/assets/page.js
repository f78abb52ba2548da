// Moves the picture, searches it, and shows all of a block. Text reaches the
// page as text nodes only, never as markup.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const picture = document.getElementById("picture");
  const svg = picture.querySelector("svg");
  const details = document.getElementById("details");
  const search = document.getElementById("search");
  const count = document.getElementById("count");
  const keys = document.getElementById("keys");
  const full = svg.viewBox.baseVal;
  const size = { w: full.width, h: full.height };
  const view = { x: 0, y: 0, scale: 1 }; // left top corner in picture units, screen pixels per unit
  let hits = [], at = -1, current = -1, pending = false;

  // show writes the view into the viewBox, once for each frame.
  function show() {
    if (pending) return;
    pending = true;
    requestAnimationFrame(() => {
      pending = false;
      const r = picture.getBoundingClientRect();
      svg.setAttribute("viewBox", `${view.x} ${view.y} ${r.width / view.scale} ${r.height / view.scale}`);
      picture.classList.toggle("small", view.scale < 0.22);
    });
  }

  function fit() {
    const r = picture.getBoundingClientRect();
    view.scale = Math.min(r.width / size.w, r.height / size.h, 1);
    view.x = (size.w - r.width / view.scale) / 2;
    view.y = (size.h - r.height / view.scale) / 2;
    show();
  }

  // zoom keeps the point of the picture at (px, py) of the window in place.
  function zoom(factor, px, py) {
    const r = picture.getBoundingClientRect();
    const dx = (px === undefined ? r.width / 2 : px - r.left), dy = (py === undefined ? r.height / 2 : py - r.top);
    const scale = Math.min(8, Math.max(0.002, view.scale * factor));
    view.x += dx / view.scale - dx / scale;
    view.y += dy / view.scale - dy / scale;
    view.scale = scale;
    show();
  }

  function centre(block) {
    const box = data.boxes[block];
    if (!box || !box.w) return;
    const r = picture.getBoundingClientRect();
    view.scale = Math.max(view.scale, 0.7);
    view.x = box.x + box.w / 2 - r.width / view.scale / 2;
    view.y = box.y + box.h / 2 - r.height / view.scale / 2;
    show();
  }

  function element(tag, cls, ...children) {
    const e = document.createElement(tag);
    if (cls) e.className = cls;
    e.append(...children);
    return e;
  }

  function link(block) {
    const a = element("a", "", data.blocks[block].name);
    a.href = "#b" + block;
    return a;
  }

  // choose shows a block's details and names it in the address.
  function choose(block, move) {
    current = block;
    const b = data.blocks[block];
    const close = element("button", "close", "close");
    close.onclick = () => { details.hidden = true; show(); };
    const name = data.funcs[b.func];
    details.replaceChildren(close, element("h2", "", b.name + "  " + name));
    const marks = [];
    if (!b.reachable) marks.push("unreachable");
    if (b.entry) marks.push("entry");
    if (b.exit) marks.push("exit");
    if (b.header) marks.push("loop header");
    if (b.depth) marks.push("loop depth " + b.depth);
    if (b.status) marks.push(b.status);
    if (b.reason) marks.push(b.reason);
    details.append(element("p", "state", marks.join(", ")));
    const code = element("pre", "");
    let source = "";
    for (const l of b.lines) {
      const where = l.file || l.line ? (l.file + ":" + l.line + ": ") : "";
      if (l.source && where + l.source !== source) {
        source = where + l.source;
        code.append(element("span", "src", source + "\n"));
      }
      code.append(element("span", "slot", String(l.slot).padStart(5) + "  "), l.text + (l.note ? "  " + l.note : "") + "\n");
    }
    details.append(element("h3", "", "instructions"), code);
    edges("to", data.edges.filter((e) => e.from === block), (e) => e.to);
    edges("from", data.edges.filter((e) => e.to === block), (e) => e.from);
    if (b.pieces.length) {
      details.append(element("h3", "", "machine code"));
      for (const p of b.pieces) {
        details.append(element("div", "", `+0x${p[0].toString(16)}..+0x${(p[0] + p[1]).toString(16)}, ${p[1]} bytes`));
      }
    }
    details.hidden = false;
    if (location.hash !== "#b" + block) location.hash = "b" + block;
    if (move) centre(block); else show();
  }

  function edges(title, list, other) {
    if (!list.length) return;
    details.append(element("h3", "", title));
    for (const e of list) {
      const line = element("div", "", e.kind + " ");
      const o = other(e);
      line.append(o >= 0 ? link(o) : "outside");
      if (e.label) line.append(" " + e.label);
      if (e.dead) line.append(" (never taken)");
      details.append(line);
    }
  }

  function find(text) {
    for (const e of svg.querySelectorAll(".hit")) e.classList.remove("hit");
    hits = [];
    at = -1;
    const want = text.trim().toLowerCase();
    if (want) {
      data.blocks.forEach((b, i) => {
        b.text ??= [b.name, data.funcs[b.func], ...b.lines.flatMap((l) => [l.slot + " " + l.text, l.source, l.file + ":" + l.line])].join("\n").toLowerCase();
        if (b.text.includes(want)) hits.push(i);
      });
      for (const i of hits) document.getElementById("b" + i)?.classList.add("hit");
    }
    count.textContent = want ? `${hits.length} ${hits.length === 1 ? "block" : "blocks"}` : "";
  }

  function step(d) {
    if (!hits.length) return;
    at = (at + d + hits.length) % hits.length;
    count.textContent = `${at + 1} of ${hits.length} blocks`;
    choose(hits[at], true);
  }

  // blockOf returns the block that an element of the picture belongs to.
  function blockOf(target) {
    const g = target.closest?.(".b");
    return g ? Number(g.id.slice(1)) : -1;
  }

  const pointers = new Map();
  let moved = 0;
  picture.addEventListener("pointerdown", (e) => {
    if (e.button !== 0) return;
    pointers.set(e.pointerId, e);
    moved = 0;
  });
  picture.addEventListener("pointermove", (e) => {
    const last = pointers.get(e.pointerId);
    if (!last) return;
    const dx = e.clientX - last.clientX, dy = e.clientY - last.clientY;
    moved += Math.abs(dx) + Math.abs(dy);
    if (e.shiftKey) return; // selects text
    if (moved > 4 && !picture.hasPointerCapture(e.pointerId)) picture.setPointerCapture(e.pointerId);
    if (pointers.size === 2) {
      const [a, b] = [...pointers.values()];
      const o = a.pointerId === e.pointerId ? b : a;
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
  const up = (e) => {
    pointers.delete(e.pointerId);
    picture.classList.remove("moving");
  };
  picture.addEventListener("pointerup", up);
  picture.addEventListener("pointercancel", up);
  picture.addEventListener("click", (e) => {
    if (moved > 4) {
      e.preventDefault();
      return;
    }
    if (e.target.closest("a")) return;
    const b = blockOf(e.target);
    if (b >= 0) choose(b, false);
  });
  picture.addEventListener("wheel", (e) => {
    e.preventDefault();
    zoom(Math.exp(-e.deltaY * (e.deltaMode ? 0.05 : 0.0015)), e.clientX, e.clientY);
  }, { passive: false });

  search.addEventListener("input", () => find(search.value));
  search.addEventListener("keydown", (e) => {
    if (e.key === "Enter") step(e.shiftKey ? -1 : 1);
    if (e.key === "Escape") { search.value = ""; find(""); picture.focus(); }
    e.stopPropagation();
  });
  addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || keys.open) return;
    const far = 80 / view.scale;
    const acts = {
      "/": () => search.focus(), "+": () => zoom(1.25), "=": () => zoom(1.25), "-": () => zoom(0.8), "0": fit,
      "1": () => zoom(1 / view.scale), "?": () => keys.showModal(), "Escape": () => { details.hidden = true; show(); },
      "n": () => choose(Math.min(current + 1, data.blocks.length - 1), true), "p": () => choose(Math.max(current - 1, 0), true),
      "ArrowLeft": () => { view.x -= far; show(); }, "ArrowRight": () => { view.x += far; show(); },
      "ArrowUp": () => { view.y -= far; show(); }, "ArrowDown": () => { view.y += far; show(); },
    };
    const act = acts[e.key];
    if (act) {
      e.preventDefault();
      act();
    }
  });
  document.getElementById("zoomin").onclick = () => zoom(1.25);
  document.getElementById("zoomout").onclick = () => zoom(0.8);
  document.getElementById("fit").onclick = fit;
  document.getElementById("actual").onclick = () => zoom(1 / view.scale);
  document.getElementById("help").onclick = () => keys.showModal();
  addEventListener("resize", show);

  // The address chooses a block, a function or a table.
  function follow() {
    const m = /^#([bft])(\d+)$/.exec(location.hash);
    if (!m) return;
    const i = Number(m[2]);
    if (m[1] === "b" && i < data.blocks.length && i !== current) choose(i, true);
    if (m[1] === "f" && i < data.entries.length) choose(data.entries[i], true);
    if (m[1] === "t") {
      const e = document.getElementById("t" + i);
      if (!e) return;
      const box = e.getBBox(), r = picture.getBoundingClientRect();
      view.x = box.x + box.width / 2 - r.width / view.scale / 2;
      view.y = box.y - 40 / view.scale;
      show();
    }
  }
  addEventListener("hashchange", follow);
  fit();
  follow();
})();
