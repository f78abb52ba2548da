// Moves the picture, searches it, and shows all of a block. Text reaches the
// page as text nodes only, never as markup.
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const picture = byId("picture"), details = byId("details"), search = byId("search"), count = byId("count");
  const keys = byId("keys"), programs = byId("programs"), minimap = byId("minimap");
  const canvas = minimap.querySelector("canvas"), frame = minimap.querySelector("div");
  const view = { x: 0, y: 0, scale: 1 }; // left top corner in picture units, screen pixels per unit
  const parsed = [];
  const total = programs.options.length;
  const first = picture.querySelector("svg");
  let shown = -1, data, svg, size = { w: 1, h: 1 }, large = false;
  let texts = new Set(); // blocks of a large picture with text
  let hits = [], at = -1, current = -1, pending = false;

  // program returns what the page knows of program p.
  function program(p) {
    return parsed[p] ??= JSON.parse(byId("data" + p).textContent);
  }

  // open shows another program.
  function open(p) {
    if (p === shown) return;
    shown = p;
    programs.selectedIndex = p;
    data = program(p);
    large = data.blocks.length > 1000;
    texts = new Set();
    picture.className = large ? "large" : "";
    svg = p === 0 ? first : byId("svg" + p).content.firstElementChild.cloneNode(true);
    picture.replaceChildren(svg);
    size = { w: Number(svg.getAttribute("width")), h: Number(svg.getAttribute("height")) };
    current = -1;
    details.hidden = true;
    drawMap();
    mark();
    home();
  }

  // show moves the picture to the view, once for each frame. A transform costs
  // less than another viewBox, after which all of the picture is laid out anew.
  function show() {
    if (pending) return;
    pending = true;
    requestAnimationFrame(() => {
      pending = false;
      const r = picture.getBoundingClientRect();
      const w = r.width / view.scale, h = r.height / view.scale;
      svg.style.transform = `translate(${-view.x * view.scale}px, ${-view.y * view.scale}px) scale(${view.scale})`;
      picture.scrollTo(0, 0);
      if (large) nearby(w, h);
      else picture.classList.toggle("small", view.scale < smallest);
      const k = canvas.width / size.w;
      Object.assign(frame.style, { left: view.x * k + "px", top: view.y * k + "px", width: w * k + "px", height: h * k + "px" });
      minimap.classList.toggle("whole", view.x <= 0 && view.y <= 0 && view.x + w >= size.w && view.y + h >= size.h);
    });
  }

  const smallest = 0.3; // scale below which text is not drawn

  // nearby shows the text of the blocks in and around the window, of w by h:
  // laying out that of all takes a browser seconds when there are thousands.
  function nearby(w, h) {
    const near = new Set();
    const y0 = view.y - h / 2, y1 = view.y + 1.5 * h, x0 = view.x - w / 2, x1 = view.x + 1.5 * w;
    const strip = data.strip, k = strip.h / (data.len || 1);
    const inStrip = strip.x < x1 && strip.x + strip.w > x0;
    if (view.scale >= smallest) {
      data.boxes.forEach((b, i) => {
        const box = b.x < x1 && b.x + b.w > x0 && b.y < y1 && b.y + b.h > y0;
        const piece = inStrip && data.blocks[i].pieces?.some((p) => strip.y + p[0] * k < y1 && strip.y + (p[0] + p[1]) * k > y0);
        if (box || piece) near.add(i);
      });
    }
    for (const i of texts) if (!near.has(i)) byId("b" + i)?.classList.remove("near");
    for (const i of near) if (!texts.has(i)) byId("b" + i)?.classList.add("near");
    texts = near;
  }

  const whole = () => { const r = picture.getBoundingClientRect(); return Math.min(r.width / size.w, r.height / size.h); };

  function fit() {
    const r = picture.getBoundingClientRect();
    view.scale = Math.min(whole(), 1.5);
    view.x = (size.w - r.width / view.scale) / 2;
    view.y = (size.h - r.height / view.scale) / 2;
    show();
  }

  // home is the first look: everything, or where that could not be read the
  // beginning.
  function home() {
    fit();
    const entry = data.boxes[data.entries[0]];
    if (view.scale >= 0.5 || !entry) return;
    const r = picture.getBoundingClientRect();
    view.scale = 0.8;
    view.x = Math.max(0, entry.x + entry.w / 2 - r.width / view.scale / 2);
    view.y = Math.max(0, entry.y - 120);
    show();
  }

  // zoom keeps the point of the picture at (px, py) of the window in place.
  function zoom(factor, px, py) {
    const r = picture.getBoundingClientRect();
    const dx = (px === undefined ? r.width / 2 : px - r.left), dy = (py === undefined ? r.height / 2 : py - r.top);
    const scale = Math.min(8, Math.max(Math.min(0.002, whole()), view.scale * factor));
    view.x += dx / view.scale - dx / scale;
    view.y += dy / view.scale - dy / scale;
    view.scale = scale;
    show();
  }

  function centre(box) {
    if (!box || !box.w) return;
    const r = picture.getBoundingClientRect();
    view.scale = Math.max(view.scale, 0.7);
    view.x = box.x + box.w / 2 - r.width / view.scale / 2;
    view.y = box.y + box.h / 2 - r.height / view.scale / 2;
    show();
  }

  // drawMap draws all blocks small; the frame over them is what the window shows.
  function drawMap() {
    const k = Math.min(220 / size.w, 220 / size.h);
    canvas.width = Math.max(8, Math.round(size.w * k));
    canvas.height = Math.max(8, Math.round(size.h * k));
    const c = canvas.getContext("2d");
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    c.fillStyle = dark ? "#161b22" : "#f6f8fa";
    c.fillRect(0, 0, canvas.width, canvas.height);
    data.boxes.forEach((b, i) => {
      c.fillStyle = !data.blocks[i].reachable ? "#b1bac4" : dark ? "#6e7681" : "#57606a";
      c.fillRect(b.x * k, b.y * k, Math.max(1, b.w * k), Math.max(1, b.h * k));
    });
    c.fillStyle = dark ? "#f0883e" : "#bc4c00";
    c.fillRect(data.strip.x * k, data.strip.y * k, data.strip.w * k, data.strip.h * k);
  }

  function element(tag, cls, ...children) {
    const e = document.createElement(tag);
    if (cls) e.className = cls;
    e.append(...children);
    return e;
  }

  const address = (p, block) => "#" + encodeURIComponent(program(p).key) + "/b" + block;

  function link(block) {
    const a = element("a", "", data.blocks[block].name);
    a.href = address(shown, block);
    return a;
  }

  // section appends a part of the details that can be folded.
  function section(title, ...children) {
    const d = element("details", "", element("summary", "", title), ...children);
    d.open = true;
    details.append(d);
  }

  // choose shows a block's details and names it in the address.
  function choose(block, move) {
    svg.querySelector(".chosen")?.classList.remove("chosen");
    current = block;
    byId("b" + block)?.classList.add("chosen");
    const b = data.blocks[block];
    const close = element("button", "close", "close");
    close.onclick = shut;
    details.replaceChildren(close, element("h2", "", b.name + "  " + data.funcs[b.func]));
    const marks = [];
    if (!b.reachable) marks.push("unreachable");
    if (b.entry) marks.push("entry");
    if (b.exit) marks.push("exit");
    if (b.header) marks.push("loop header");
    if (b.depth) marks.push("loop depth " + b.depth);
    if (b.count !== undefined) marks.push(`${b.count} ${b.count === 1 ? "visit" : "visits"}`);
    if (b.status) marks.push(b.status);
    if (b.reason) marks.push(b.reason);
    details.append(element("p", "state", marks.join(", ")));
    edges("to", data.edges.filter((e) => e.from === block), (e) => e.to);
    edges("from", data.edges.filter((e) => e.to === block), (e) => e.from);
    section("instructions", code(b));
    for (const s of b.details ?? []) section(s.title, element("pre", "", s.lines.join("\n")));
    if (b.pieces) {
      section("bytes", ...b.pieces.map((p) =>
        element("div", "", `+0x${p[0].toString(16)}..+0x${(p[0] + p[1]).toString(16)}, ${p[1]} bytes`)));
    }
    details.hidden = false;
    details.scrollTop = 0;
    if (location.hash !== address(shown, block)) location.hash = address(shown, block);
    if (move) centre(data.boxes[block]); else show();
  }

  // code returns a block's instructions below their C lines.
  function code(b) {
    const pre = element("pre", "");
    let source = "";
    for (const l of b.lines) {
      const where = l.line ? data.files[l.file ?? 0] + ":" + l.line + ": " : "";
      if (l.source && where + l.source !== source) {
        source = where + l.source;
        pre.append(element("span", "src", source + "\n"));
      }
      pre.append(element("span", "slot", String(l.slot).padStart(5) + "  "), l.text + (l.note ? "  " + l.note : "") + "\n");
    }
    return pre;
  }

  function edges(title, list, other) {
    if (!list.length) return;
    section(title, ...list.map((e) => {
      const o = other(e);
      return element("div", "", e.kind + " ", o >= 0 ? link(o) : "outside", e.label ? " " + e.label : "", e.dead ? " (never taken)" : "");
    }));
  }

  function shut() {
    details.hidden = true;
    picture.focus();
    show();
  }

  // find looks in all programs, the one shown first.
  function find(text) {
    hits = [];
    at = -1;
    const want = text.trim().toLowerCase();
    for (let i = 0; want && i < total; i++) {
      const p = (shown + i) % total, d = program(p);
      d.blocks.forEach((b, i) => {
        b.find ??= [b.name, d.funcs[b.func], ...b.lines.map((l) =>
          `${l.slot} ${l.text}\n${l.source ?? ""}\n${d.files[l.file ?? 0] ?? ""}:${l.line ?? ""}`)].join("\n").toLowerCase();
        if (b.find.includes(want)) hits.push({ p, b: i });
      });
    }
    mark();
    const n = hits.length === 1 ? "1 block" : `${hits.length} blocks`;
    const here = hits.filter((h) => h.p === shown).length;
    count.textContent = !want ? "" : here < hits.length ? `${n}, ${here} here` : n;
  }

  // mark lights up the results in the program shown.
  function mark() {
    for (const e of svg.querySelectorAll(".hit")) e.classList.remove("hit");
    for (const h of hits) if (h.p === shown) byId("b" + h.b)?.classList.add("hit");
  }

  function step(d) {
    if (!hits.length) return;
    at = (at < 0 && d < 0 ? hits.length - 1 : at + d + hits.length) % hits.length;
    count.textContent = `${at + 1} of ${hits.length} blocks`;
    open(hits[at].p);
    choose(hits[at].b, true);
  }

  // along goes over the first edge of the chosen block.
  function along(from, to) {
    const e = data.edges.find((e) => e[from] === current && e[to] >= 0 && !e.dead);
    if (e) choose(e[to], true);
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
    const a = e.target.closest("a");
    if (a || moved > 4) e.preventDefault();
    if (moved > 4) return;
    const g = e.target.closest(".b");
    if (a) go(a.getAttribute("href"));
    else if (g) choose(Number(g.id.slice(1)), false);
  });
  picture.addEventListener("wheel", (e) => {
    e.preventDefault();
    zoom(Math.exp(-e.deltaY * (e.deltaMode ? 0.05 : 0.0015)), e.clientX, e.clientY);
  }, { passive: false });

  const jump = (e) => {
    if (!(e.buttons & 1)) return;
    const r = canvas.getBoundingClientRect(), p = picture.getBoundingClientRect(), k = canvas.width / size.w;
    view.x = (e.clientX - r.left) / k - p.width / view.scale / 2;
    view.y = (e.clientY - r.top) / k - p.height / view.scale / 2;
    show();
  };
  minimap.addEventListener("pointerdown", (e) => { minimap.setPointerCapture(e.pointerId); jump(e); });
  minimap.addEventListener("pointermove", jump);

  search.addEventListener("input", () => find(search.value));
  search.addEventListener("keydown", (e) => {
    if (e.key === "Enter") step(e.shiftKey ? -1 : 1);
    if (e.key === "Escape") { search.value = ""; find(""); picture.focus(); }
    e.stopPropagation();
  });
  const toggleMap = () => byId("map").setAttribute("aria-pressed", String(!minimap.toggleAttribute("hidden")));
  const turn = (d) => { open((shown + d + total) % total); };
  addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || keys.open || e.target === programs) return;
    const far = 80 / view.scale;
    const acts = {
      "/": () => search.focus(), "+": () => zoom(1.25), "=": () => zoom(1.25), "-": () => zoom(0.8), "0": fit,
      "1": () => zoom(1 / view.scale), "?": () => keys.showModal(), "Escape": shut, "m": toggleMap,
      "n": () => choose(Math.min(current + 1, data.blocks.length - 1), true), "p": () => choose(Math.max(current - 1, 0), true),
      "s": () => along("from", "to"), "r": () => along("to", "from"), "[": () => turn(-1), "]": () => turn(1),
      "ArrowLeft": () => { view.x -= far; show(); }, "ArrowRight": () => { view.x += far; show(); },
      "ArrowUp": () => { view.y -= far; show(); }, "ArrowDown": () => { view.y += far; show(); },
    };
    const act = acts[e.key];
    if (act) {
      e.preventDefault();
      act();
    }
  });
  byId("zoomin").onclick = () => zoom(1.25);
  byId("zoomout").onclick = () => zoom(0.8);
  byId("fit").onclick = fit;
  byId("actual").onclick = () => zoom(1 / view.scale);
  byId("map").onclick = toggleMap;
  byId("help").onclick = () => keys.showModal();
  programs.onchange = () => open(programs.selectedIndex);
  addEventListener("resize", show);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawMap);

  // go follows an address: of a block, a function or a table, "#b7", or of
  // those in a program, "#name/b7".
  function go(hash) {
    const m = /^#(?:(.*)\/)?([bft])(\d+)$/.exec(hash);
    if (!m) return;
    if (m[1] !== undefined) {
      let key = m[1];
      try { key = decodeURIComponent(key); } catch { /* not ours */ }
      const p = [...programs.options].findIndex((o) => o.value === key);
      if (p < 0) return;
      open(p);
    }
    const i = Number(m[3]);
    if (m[2] === "b" && i < data.blocks.length && i !== current) choose(i, true);
    if (m[2] === "f" && i < data.entries.length) choose(data.entries[i], true);
    if (m[2] === "t") {
      const box = byId("t" + i)?.getBBox();
      if (box) centre({ x: box.x, y: box.y, w: box.width, h: Math.min(box.height, 400) });
    }
  }
  addEventListener("hashchange", () => go(location.hash));
  open(0);
  go(location.hash);
})();
