// The drawing of a box of the folded drawing that is open: what it holds, with closed boxes
// for the loops and parts in it, and frames around what is open in it.

const letter = 7.3, rowStep = 15, headHigh = 18, padFrame = 14, frameHead = 24, mostRows = 16, mostStubs = 8, mostFan = 12;
const wide = (text) => Math.round(text.length * letter);

// styleOf returns the look of an edge, as the drawing has it.
function styleOf(d, i) {
  const e = d.edges, state = e[i + 3], kind = d.kinds[e[i + 2]];
  if (state) return state === 1 ? 5 : 6;
  return { "fall-through": 0, return: 0, taken: 1, compare: 1, goto: 2, indirect: 3, unwind: 7 }[kind] ?? 4;
}

const cut = (text, n) => text.length > n ? text.slice(0, n - 1) + "…" : text;

// rowsOf returns what a leaf says: rows of class, text and number of the slot.
function leafRows(d, lines, leaf) {
  const rows = [], slots = [], { head } = leaf, status = d.status?.[head];
  let source = "", more = 0, last;
  linesOf(lines, head, (l) => {
    slots.push(l.slot);
    const c = (l.line ? l.line + ": " : "") + l.source.trim();
    if (l.source && c !== source && rows.length < mostRows && (leaf.block !== undefined || !rows.length)) rows.push(["src", cut(c, 48)]);
    source = l.source ? c : source;
    if (leaf.block === undefined) return;
    const row = ["", cut(l.text, 44), l.slot, l.mark];
    if (rows.length < mostRows) rows.push(row);
    else { more++; last = row; }
  });
  if (more === 1) rows.push(last);
  else if (more) rows.push(["fold", `… ${more} more`]);
  if (leaf.block === undefined) {
    const dead = leaf.blocks.filter((b) => !(d.flags[b] & REACHABLE)).length, marked = leaf.blocks.filter((b) => remark(d, b)).length;
    if (leaf.kind === "cases") rows.unshift(["case", cut("case " + leaf.blocks.flatMap((b) => casesOf(d, b)).map((c) => c.slice(5)).join(","), 32)]);
    rows.unshift(["fold", sizeText(leaf)]);
    if (dead) rows.push(["state", `${dead} unreachable`]);
    if (marked) rows.push(["state", `! ${plural(marked, "block")} with findings`]);
  } else {
    if (!(d.flags[head] & REACHABLE)) rows.push(["state", cut("× dead" + (d.reasons?.[head] ? ": " + d.reasons[head] : ""), 48)]);
    else if (status && status !== "exact") rows.push(["state", `≈ ${status}`]);
    for (const c of casesOf(d, head)) rows.unshift(["case", c]);
    for (const [words, to] of leaf.refs ?? []) rows.push(["ref", words + nameOf(d, to), undefined, undefined, to]);
  }
  if (leaf.ways) rows.push(["fold", `← ${leaf.ways} ways in`]);
  const range = slots.length && leaf.block !== undefined ? `  ${slots[0]}${slots.length > 1 ? "–" + slots.at(-1) : ""}` : "";
  const notes = [d.counts?.[head] !== undefined ? `×${d.counts[head]}` : "", d.marks?.[head] ? `${{ added: "+", removed: "−", moved: ">", mismatch: "≠" }[d.marks[head]] ?? "~"} ${d.marks[head]}` : ""].filter(Boolean).join("  ");
  return { rows, title: nameOf(d, head), range, notes };
}

// sized gives a leaf its rows, width and height.
function sized(d, lines, leaf) {
  const text = leafRows(d, lines, leaf), digits = Math.max(0, ...text.rows.map((r) => r[2] === undefined ? 0 : String(r[2]).length));
  const signs = 40, width = (r) => wide(r[1]) + (r[2] === undefined ? 0 : wide("  ") + digits * letter);
  leaf.look = { ...text, digits };
  leaf.w = Math.max(110, ...text.rows.map(width), wide(text.title + text.range + "  " + text.notes) + signs) + 20;
  leaf.h = headHigh + rowStep * text.rows.length + 6;
}

// markupOf draws a leaf at its place.
function markupOf(d, leaf) {
  const { x, y, w, h, look, head } = leaf, b = head, dead = leaf.block !== undefined && !(d.flags[b] & REACHABLE), mark = d.marks?.[b];
  const text = (x, y, cls, t) => `<text x="${x}" y="${y}"${cls ? ` class="${cls}"` : ""}>${t}</text>`, folded = leaf.block === undefined;
  const tint = mark ? " m-" + ({ added: 1, removed: 1, changed: 1, moved: 1, mismatch: 1 }[mark] ? mark : "other") : d.counts?.[b] !== undefined ? " q" + heatOf(d, d.counts[b]) : "";
  let out = `<rect class="box${mark ? tint : ""}${dead ? " deadbox" : d.flags[b] & MAYBE && !folded ? " maybebox" : ""}" x="${x}" y="${y}" width="${w}" height="${h}" rx="4"/>`;
  if (folded) out += `<path class="boxpile" d="M${x + 4} ${y + h + 3}h${w - 1}v${-h + 1}"/>`;
  out += dead ? `<rect class="hatch" x="${x}" y="${y}" width="${w}" height="${h}" rx="4"/>`
    : `<path class="head${tint}" d="M${x + 1} ${y + headHigh}v-14q0-3 3-3h${w - 8}q3 0 3 3v14z"/>`;
  out += text(x + 10, y + 14, "", `<tspan class="name">${escaped(look.title)}</tspan><tspan${tint ? "" : ` class="slot"`}>${look.range}</tspan><tspan class="visits">  ${escaped(look.notes)}</tspan>`);
  const signs = folded ? ["▸"] : [d.flags[b] & HEADER ? "↻" : "", d.flags[b] & ENTRY ? "▶" : "", d.flags[b] & EXIT ? "■" : ""].filter(Boolean);
  out += `<text class="${folded ? "ref opener" : "slot"}" x="${x + w - 8}" y="${y + 14}" text-anchor="end">${signs.join(" ")}</text>`;
  look.rows.forEach(([cls, t, slot, mark, to], i) => {
    const at = y + headHigh + rowStep * i + 11;
    if (to !== undefined) {
      out += `<a href="#b${to}"><rect class="chip" x="${x + 4}" y="${at - 11}" width="${wide(t) + 12}" height="14" rx="7"/>${text(x + 10, at, cls, escaped(t))}</a>`;
      return;
    }
    if (mark) out += `<rect class="line m-${mark === "removed" ? "removed" : "added"}" x="${x + 6}" y="${at - 12}" width="${w - 7}" height="${rowStep}"/>` + text(x + w - 14, at, "name", mark === "removed" ? "−" : "+");
    out += text(x + 10, at, cls, slot === undefined ? escaped(t) : `<tspan class="slot">${String(slot).padStart(look.digits)}</tspan>  ${escaped(t)}`);
  });
  return `<g class="b${folded ? " closed" : ""}" id="b${b}" role="group" aria-label="${escaped([spoken(d, b), ...(folded ? [sizeText(leaf) + ", closed"] : [])].join(", "))}">${out}</g>`;
}

// branchSign is T for the edge of a branch that is taken, F for the other one.
function branchSign(d, i) {
  if (!d.branching) {
    d.branching = new Set();
    for (let k = 0; k < d.edges.length; k += 4) if (d.kinds[d.edges[k + 2]] === "taken") d.branching.add(d.edges[k]);
  }
  return d.branching.has(d.edges[i]) ? { taken: "T", "fall-through": "F" }[d.kinds[d.edges[i + 2]]] ?? "" : "";
}

// linesBetween returns the lines between leaves, and from and to blocks outside: each once.
function linesBetween(d, root) {
  const leaf = new Map(), seen = new Map(), at = (b) => {
    if (!leaf.has(b)) leaf.set(b, root.kidOf.has(b) ? leafAt(root, b) : { outside: b });
    return leaf.get(b);
  };
  const inside = new Set(root.blocks), { out, into } = localEdges(d), e = d.edges;
  const ids = new Map(), id = (l) => { if (!ids.has(l)) ids.set(l, ids.size); return ids.get(l); };
  const near = new Set(root.blocks);
  for (const b of root.blocks) for (const o of into[b]) near.add(o);
  for (let i = 0; i < e.length; i += 4) {
    if (!near.has(e[i]) || !out[e[i]].includes(e[i + 1]) || !inside.has(e[i]) && !inside.has(e[i + 1])) continue;
    const from = at(e[i]), to = at(e[i + 1]), style = styleOf(d, i);
    if (from === to && from.block === undefined) continue;
    const key = `${id(from)}/${id(to)}/${style}`, label = [branchSign(d, i), d.labels?.[i / 4]].filter(Boolean).join(" ");
    if (seen.has(key)) { if (seen.get(key).label !== label) seen.get(key).label = ""; continue; }
    seen.set(key, { from, to, style, label: from.block === undefined ? "" : label, key: `${id(to)}/${style}`, mark: d.edgemarks?.[i / 4] });
  }
  trunked([...seen.values()]);
  return [...seen.values()];
}

// trunked gives the many lines of a switch one trunk, and makes of the many ways into a block
// words at each that go there.
function trunked(lines) {
  const by = (list, of) => { const m = new Map(); for (const l of list) m.set(of(l), [...m.get(of(l)) ?? [], l]); return m; };
  for (const [from, list] of by(lines, (l) => l.from)) for (const same of by(list, (l) => l.style).values()) {
    const fan = same[0].style === 3 ? same.length > 2 : same.length > mostFan, key = same[0].key + "/from";
    if (fan) for (const l of same) Object.assign(l, { fan, key });
    from.refs = [];
  }
  const blocks = lines.filter((l) => (l.style === 1 || l.style === 2) && l.from.block !== undefined && !l.mark && !l.fan && l.from.head + 1 !== startOf(l.to) && l.from.head < startOf(l.to));
  for (const [to, list] of by(blocks, (l) => l.to)) {
    to.ways = 0;
    if (list.length <= mostFan) continue;
    to.ways = list.length;
    for (const l of list) {
      l.unseen = true;
      l.from.refs.push([`${l.style === 1 ? "taken" : "goto"} → `, startOf(to)]);
    }
  }
}

const startOf = (leaf) => leaf.head ?? leaf.outside;

// levelled gives each open node the lines that it draws: between its kids, and those that
// come in and go out.
function levelled(root, open, lines) {
  for (const n of open) Object.assign(n, { inner: [], incoming: [], outgoing: [] });
  const up = (leaf) => { const out = []; for (let n = leaf; n && n !== root.up; n = n.up) out.push(n); return out; };
  for (const l of lines) {
    if (l.from === l.to) { // a block to itself
      l.from.up.inner.push([l.from, l.from, l]);
      continue;
    }
    const from = l.from.outside === undefined ? up(l.from) : [], to = l.to.outside === undefined ? up(l.to) : [];
    const ends = new Set(to), meet = from.find((n) => ends.has(n));
    for (let i = 1; !l.unseen && i < from.length && from[i] !== meet; i++) from[i].outgoing.push([from[i - 1], l]);
    for (let i = 1; !l.unseen && i < to.length && to[i] !== meet; i++) to[i].incoming.push([to[i - 1], l]);
    if (meet) meet.inner.push([from[from.indexOf(meet) - 1], to[to.indexOf(meet) - 1], l]);
  }
}

// stubsOf returns what stands for the blocks outside of the root: nodes, and which of its lines each has.
function stubsOf(d, lines, side, end) {
  const by = new Map();
  for (const [kid, l] of lines) {
    const key = side === "in" ? l.fan ? l.key : l.to : l.to.outside;
    if (!by.has(key)) by.set(key, { lines: [], blocks: new Set() });
    by.get(key).lines.push([kid, l]);
    by.get(key).blocks.add(l[end].outside);
  }
  const all = [...by.values()], kept = all.slice(0, mostStubs), rest = all.slice(mostStubs);
  if (rest.length) kept.push({ lines: rest.flatMap((s) => s.lines), blocks: new Set(rest.flatMap((s) => [...s.blocks])) });
  return kept.map((s) => {
    const list = [...s.blocks], names = list.slice(0, 3).map((b) => nameOf(d, b)).join(" ") + (list.length > 3 ? ` and ${list.length - 3} more` : "");
    const label = side === "in" ? `from ${names}` : `→ ${names}`;
    return { stub: list[0], label, w: wide(label) + 16, h: 18, lines: s.lines, top: side === "in", bottom: side !== "in" };
  });
}

// laid arranges what is in an open node, inner ones first, and gives it a size.
function laid(d, lines, node, root) {
  for (const kid of node.kids) if (kid.open) laid(d, lines, kid, root); else sized(d, lines, kid);
  const first = node.kidOf.get(node.head), nodes = [first, ...node.kids.filter((k) => k !== first)], edges = [], seen = new Set();
  const tops = [], bottoms = [];
  const edge = (a, b, l, fx, tx) => {
    const key = [a.id, b.id, l.style, fx, tx].join();
    if (seen.has(key)) return;
    seen.add(key);
    edges.push({ from: a, to: b, style: l.style, label: l.label, fx, tx, unseen: l.unseen, fan: l.fan });
  };
  nodes.forEach((n, i) => { n.id = i; n.top = n.bottom = undefined; });
  const port = (list, l, side) => {
    let p = list.find((o) => o.key === l.key);
    if (!p) list.push(p = { key: l.key, style: l.style, w: 4, h: 0, [side]: true, id: side + list.length });
    return p;
  };
  if (node === root) {
    for (const [list, all, side, end] of [[tops, node.incoming, "in", "from"], [bottoms, node.outgoing, "out", "to"]]) {
      list.push(...stubsOf(d, all, side, end));
      list.forEach((s, i) => { s.id = side + i; for (const [kid, l] of s.lines) if (side === "in") edge(s, kid, l, undefined, kid.ins?.get(l.key)); else edge(kid, s, l, kid.outs?.get(l.key)); });
    }
  } else {
    for (const [kid, l] of node.incoming) edge(port(tops, l, "top"), kid, { ...l, label: "" }, undefined, kid.ins?.get(l.key));
    for (const [kid, l] of node.outgoing) edge(kid, port(bottoms, l, "bottom"), l, kid.outs?.get(l.key));
  }
  for (const [a, b, l] of node.inner) edge(a, b, l, a.outs?.get(l.key), b.ins?.get(l.key));
  const all = [...tops, ...nodes, ...bottoms], index = new Map(all.map((n, i) => [n, i]));
  for (const e of edges) { e.a = index.get(e.from); e.b = index.get(e.to); }
  node.area = arrange(all, edges);
  node.stubs = [...tops, ...bottoms];
  const left = padFrame + Math.max(0, (wide(frameTitle(d, lines, node)) + 20 - node.area.w) / 2);
  node.left = Math.round(left);
  node.w = node.area.w + 2 * node.left;
  node.h = node.area.h + frameHead + padFrame;
  node.ins = new Map(tops.map((p) => [p.key, node.left + p.x + 2]));
  node.outs = new Map(bottoms.map((p) => [p.key, node.left + p.x + 2]));
}

const frameTitle = (d, lines, node) => `▾ ${nameOf(d, node.head)}  ${sizeText(node)}  ${cut(beginning(lines, node.head), 40)}`;

// settled moves an open node and all in it to their places.
function settledAt(node, x, y) {
  Object.assign(node, { x, y });
  const dx = x + node.left, dy = y + frameHead;
  for (const kid of node.kids) if (kid.open) settledAt(kid, kid.x + dx, kid.y + dy); else { kid.x += dx; kid.y += dy; }
  for (const s of node.stubs) { s.x += dx; s.y += dy; }
  for (const w of node.area.wires) {
    const p = w.points ?? w.head;
    for (let i = 0; i < p.length; i += 2) { p[i] += dx; p[i + 1] += dy; }
  }
}

// headOf draws the head of a line, as the drawing has it for its style.
function headOf([x, y], style) {
  const at = `M${x} ${y}`;
  if (style === 0) return `<path class="open" d="M${x - 4} ${y - 8}l4 8l4-8"/>`;
  if (style === 3) return `<path class="a3" d="${at}l-5-9h10zM${x - 6} ${y - 12}h12v2h-12z"/>`;
  if (style === 5) return `<path class="open" d="M${x - 3} ${y - 14}l6 6M${x + 3} ${y - 14}l-6 6"/><path class="a5" d="${at}l-4-8h8z"/>`;
  if (style === 6) return `<path class="a6" d="${at}l-5-10h10z"/>`;
  if (style === 7) return `<path class="a7" d="${at}l-5-7l5-7l5 7z"/>`;
  return `<path class="a${style}" d="${at}l-4-9h8z"/>`;
}

// wiresIn draws the lines of an open node. Where a line ends at a frame there is no head.
function wiresIn(node) {
  let out = "", labels = "";
  for (const s of node.stubs) if (!s.label) out += `<path class="e k${s.style}" d="M${s.x + 2} ${s.top ? node.y + 1 : s.y}L${s.x + 2} ${s.top ? s.y : node.y + node.h - 1}"/>`;
  for (const w of node.area.wires) {
    if (w.head) { if (!w.to.open && w.to.w >= 10) out += headOf(w.head, w.style); continue; }
    out += `<path class="e k${w.style}" d="${lineOf(w.points)}"/>`;
    const text = w.style === 3 ? "" : w.edge?.label; // cases stand in the blocks that they lead to
    if (text) labels += `<text class="lab" x="${w.points[0] + 5}" y="${w.points[1] + (w.edge.fan ? -4 : 11)}">${escaped(cut(text, 18))}</text>`;
  }
  return out + labels;
}

// nestMarkup draws an open box.
function nestMarkup(d, lines, root) {
  const open = [], leaves = leavesOf(root, open), frames = [];
  levelled(root, open, linesBetween(d, root));
  laid(d, lines, root, root);
  settledAt(root, 0, 0);
  let out = "", titles = "";
  const depth = (n) => { let k = 0; for (; n.up; n = n.up) k++; return k; };
  for (const n of open) {
    const title = frameTitle(d, lines, n);
    out += `<rect class="nestframe ${depth(n) % 2 ? "page" : "frame"}" x="${n.x + 1}" y="${n.y + 1}" width="${n.w - 2}" height="${n.h - 2}" rx="6"/>`;
    titles += `<g class="nesthead" data-nest="${n.head}" data-at="${frames.push(n) - 1}"><title>close it ( Esc )</title><rect class="head" x="${n.x + 5}" y="${n.y + 4}" width="${wide(title) + 10}" height="17" rx="4"/><text class="name" x="${n.x + 10}" y="${n.y + 17}">${escaped(title)}</text></g>`;
    out += wiresIn(n);
    for (const s of n.stubs) if (s.label) {
      out += `<a href="#b${s.stub}"><rect class="chip" x="${s.x}" y="${s.y}" width="${s.w}" height="18" rx="9"/><text class="ref" x="${s.x + 8}" y="${s.y + 13}">${escaped(s.label)}</text></a>`;
    }
  }
  for (const l of leaves) out += markupOf(d, l);
  const { w, h } = root, name = escaped(`${nameOf(d, root.head)}, ${sizeText(root)}`);
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${w}" height="${h}" viewBox="0 0 ${w} ${h}" role="group" aria-label="${name}">${d.head.match(/<title>.*?<\/title>/s)?.[0] ?? ""}${d.head.match(/<defs>.*?<\/defs>/s)?.[0] ?? ""}<rect class="page" x="0" y="0" width="${w}" height="${h}"/>`;
  return { svg: svg + out + titles + "</svg>", frames, leaves };
}

// nestedData returns the data of a program in the places of an open box.
function nestedData(d, root, leaves) {
  const n = d.flags.length, into = new Array(n).fill(-1), first = [], boxes = new Array(4 * n).fill(0), lead = new Uint8Array(n), folded = {}, edges = [], seen = new Set();
  leaves.forEach((l, i) => {
    first.push(l.head);
    lead[l.head] = 1;
    if (l.block === undefined) folded[l.head] = sizeText(l);
    for (const b of l.blocks) { into[b] = i; boxes.splice(4 * b, 4, l.x, l.y, l.w, l.h); }
  });
  for (let i = 0, e = d.edges; i < e.length; i += 4) {
    const a = into[e[i]], b = into[e[i + 1]];
    if (e[i + 1] < 0 || a === b || a < 0 || b === undefined || b < 0 || seen.has(a * n + b)) continue;
    seen.add(a * n + b);
    edges.push(a, b, e[i + 2], e[i + 3]);
  }
  return Object.assign(Object.create(d), { over: { into, edges }, nest: root, first, lead, boxes, loops: [], folded, w: root.w, h: root.h, frames: [], strip: [0, 0, 0, 0], len: 0,
    ways: undefined, found: undefined });
}
