// The columns: C, BPF, xlated and x86 side by side, a row for each instruction of
// the machine code. Only rows near the window are in the document. Pointing at a
// row, a line, a block or a byte lights up the same thing everywhere.

const columns = byId("code"), grid = byId("rows"), tables = byId("tables");
const rowHigh = 17, states = ["", "≠", "+", "?"], stateWords = ["", "changed", "added by the verifier", "not predicted"];

let model = null, litRows = new Set(), defRows = new Set(), cursor = -1, modelFor = -1;

// modelOf makes the rows of a program, in the order of its blocks. Each has block b,
// slot s, slot x of the rewritten program and byte o, -1 where there is none, and
// the texts of its cells, empty where the row above says it already.
function modelOf(d, lines, code) {
  const byBlock = new Map(), rows = [], first = new Map(), bySlot = new Map();
  const put = (r) => {
    if (r.s >= 0) {
      if (!bySlot.has(r.s)) bySlot.set(r.s, []);
      bySlot.get(r.s).push(rows.length);
    }
    rows.push(r);
  };
  let waiting = [];
  eachCode(code, ({ block, slot, original, state, text, x86 }) => {
    const c = { b: block, x: slot, s: original, st: state, t: text, j: x86 };
    if (c.b < 0) { waiting.push(c); return; }
    if (!byBlock.has(c.b)) byBlock.set(c.b, []);
    byBlock.get(c.b).push(...waiting, c);
    waiting = [];
  });
  const machine = (b, c, l, key) => {
    const same = c.st === 0 && c.x >= 0, xt = c.x < 0 ? "" : same ? "same" : c.t;
    const from = { b, key, s: l ? l.slot : c.s, x: c.x, st: c.st, c: l?.c ?? "", t: l?.text ?? "", note: l?.note ?? "", mark: l?.mark, xt, full: same ? l?.text ?? "" : c.t };
    put({ ...from, o: c.j[0]?.[0] ?? -1, j: c.j[0]?.[1] ?? "" });
    for (const [o, j] of c.j.slice(1)) put({ ...from, more: true, c: "", t: "", xt: "", note: "", o, j });
  };
  d.flags.forEach((_, b) => {
    first.set(b, rows.length);
    rows.push({ head: true, b, s: -1, x: -1, o: -1 });
    const list = byBlock.get(b) ?? [];
    let i = 0, source = "";
    linesOf(lines, b, (l) => {
      const key = l.line ? l.file + ":" + l.line : "";
      l.c = "";
      if (l.source && key + l.source !== source) { source = key + l.source; l.c = (l.line ? l.line + " " : "") + l.source; }
      if (!code || l.mark === "removed" || d.marks?.[b] === "removed") { put({ b, key, s: l.slot, x: -1, o: -1, st: 0, c: l.c, t: l.text, note: l.note, mark: l.mark, xt: "", j: "", full: l.text }); return; }
      while (i < list.length && list[i].s < 0) machine(b, list[i++], null, key);
      if (i >= list.length || list[i].s !== l.slot) {
        put({ b, key, s: l.slot, x: -1, o: -1, st: 0, gone: true, c: l.c, t: l.text, note: l.note, xt: "deleted", j: "", full: l.text });
        return;
      }
      for (let n = 0; i < list.length && list[i].s === l.slot; n++) machine(b, list[i++], n ? { slot: l.slot, text: "", c: "" } : l, key);
    });
    while (i < list.length) machine(b, list[i++], null, "");
  });
  return { rows, first, bySlot };
}

const byteText = (o) => o < 0 ? "" : "+0x" + o.toString(16);

// spokenRow says what a row holds.
function spokenRow(r) {
  if (r.head) return "block " + spoken(data, r.b);
  return [r.c && "C " + r.c, r.s >= 0 && r.t && `BPF ${r.s} ${r.t}`, r.gone ? "deleted by the verifier" : r.x >= 0 && `xlated ${r.x} ${stateWords[r.st] || "same"} ${r.st ? r.xt : ""}`,
    r.o >= 0 && `x86 ${byteText(r.o)} ${r.j}`].filter(Boolean).join(", ");
}

function cell(cls, ...children) {
  const e = element("span", cls, ...children);
  e.setAttribute("role", "cell");
  return e;
}

// rowElement makes the element of a row.
function rowElement(i) {
  const r = model.rows[i], e = element("div", "row");
  e.dataset.row = i;
  e.setAttribute("role", "row");
  e.setAttribute("aria-rowindex", i + 2);
  e.style.top = i * rowHigh + "px";
  if (r.head) {
    e.classList.add("head");
    const marks = marksOf(data, r.b), reason = data.reasons?.[r.b];
    e.append(cell("c", element("b", "", nameOf(data, r.b)), " " + [...marks, ...(reason ? [reason] : [])].join(", ")));
    return e;
  }
  if (r.mark) e.classList.add(r.mark === "removed" ? "removed" : "added");
  const dead = !(data.flags[r.b] & REACHABLE);
  e.classList.toggle("dead", dead);
  const found = r.t ? findingsOf(data, data.over ? data.first[data.over.into[r.b]] : r.b).filter((f) => f.slot === r.s && grave(f)) : [];
  e.append(cell("c", r.c), cell("b", ...found.slice(0, 1).map((f) => element("em", "", f.level === "error" ? "⊘ " : "! ")), r.t ? element("i", "", String(r.s)) : "", r.t && r.mark ? { added: "+ ", removed: "− " }[r.mark] ?? "~ " : "", r.t, r.note ? element("em", "", " " + r.note) : ""),
    cell("x", r.more || r.x < 0 ? "" : element("i", "", String(r.x)), r.more ? "" : r.gone ? element("em", "", "× deleted") : r.xt === "same" ? element("i", "", "same") : `${states[r.st]} ${r.xt}`),
    cell("j", r.o < 0 ? element("i", "", r.gone ? "no bytes" : "") : element("i", "", byteText(r.o)), r.j));
  if (found.length) e.title = found.map(findingText).join("\n");
  for (const [k, t] of [[0, r.c], [1, r.t], [2, r.more || r.x < 0 ? "" : `${stateWords[r.st] || "same"}: ${r.full}`], [3, r.j]]) if (t && t.length > 18) e.children[k].title = t;
  return e;
}

// showRows puts the rows near the window of the columns into the document.
function showRows() {
  if (!model || columns.hidden) return;
  const top = columns.scrollTop - grid.offsetTop, lo = Math.max(0, Math.floor(top / rowHigh) - 20), hi = Math.min(model.rows.length, Math.ceil((top + columns.clientHeight) / rowHigh) + 20);
  const have = new Map([...grid.children].map((e) => [Number(e.dataset.row), e]));
  for (const [i, e] of have) if (i < lo || i >= hi) e.remove();
  for (let i = lo; i < hi; i++) if (!have.has(i)) grid.append(rowElement(i));
  for (const e of grid.children) {
    const i = Number(e.dataset.row);
    e.classList.toggle("lit", litRows.has(i));
    e.classList.toggle("def", defRows.has(i));
    e.classList.toggle("cursor", i === cursor);
    if (i === cursor) e.id = "cursor"; else e.removeAttribute("id");
  }
}

function scrollToRow(i) {
  const y = grid.offsetTop + i * rowHigh;
  if (y < columns.scrollTop + 60 || y > columns.scrollTop + columns.clientHeight - 60) columns.scrollTop = Math.max(0, y - columns.clientHeight / 3);
}

// openCode fills the columns for the program shown, unless they are hidden.
async function openCode() {
  if (columns.hidden || modelFor === shown) return;
  const p = shown;
  modelFor = p;
  model = null;
  grid.replaceChildren();
  const [lines, code] = await Promise.all([load("lines", p, 0, readLines), load("code", p, 0, readCode)]);
  if (p !== shown || modelFor !== p) return;
  model = modelOf(data, lines, code);
  cursor = -1;
  grid.style.height = model.rows.length * rowHigh + "px";
  columns.setAttribute("aria-rowcount", model.rows.length + 1);
  fillTables();
  columns.scrollTop = 0;
  light([]);
  if (current >= 0) lightBlock(current, true);
}

const registers = /\b[rw](\d+)\b/g;

// definitions returns the rows where the registers that a row uses were last
// written: in its block, and up ways without a choice.
function definitions(i) {
  const r = model.rows[i], text = r.full ?? "", out = new Set();
  const [, written = "", op = "", rest = text] = /^([rw]\d+) (\S*)= (.*)$/.exec(text) ?? [];
  const want = new Set([...(rest + (op ? " " + written : "")).matchAll(registers)].map((m) => m[1]));
  want.delete("10");
  for (let k = i - 1, steps = 0, b = r.b; want.size && steps < 3000; k--, steps++) {
    const a = model.rows[k];
    if (!a) break;
    if (a.head) {
      const e = data.edges, from = [];
      for (let n = 0; n < e.length; n += 4) if (e[n + 1] === b && e[n + 3] !== 1) from.push(e[n]);
      if (from.length !== 1 || from[0] === b) break;
      b = from[0];
      k = model.first.get(b) + 1;
      while (model.rows[k] && !model.rows[k].head) k++;
      continue;
    }
    const w = a.t && /^[rw](\d+) \S*= /.exec(a.t)?.[1];
    if (a.t && /^call /.test(a.t) && ["0", "1", "2", "3", "4", "5"].some((n) => want.delete(n))) out.add(k);
    if (w !== undefined && want.delete(w)) out.add(k);
  }
  return out;
}

let dressed = [];

// light lights up rows, with their blocks in the graph and their bytes in the strip.
function light(rows, defs = new Set(), whole = false) {
  litRows = new Set(rows);
  defRows = defs;
  showRows();
  for (const e of dressed) e.classList.remove("lit", "litrow");
  dressed = [];
  byId("litbytes")?.remove();
  const blocks = new Set(), slots = new Set(), bytes = [];
  for (const i of litRows) {
    const r = model.rows[i];
    blocks.add(r.b);
    if (r.s >= 0 && !whole) slots.add(String(r.s));
    if (r.o >= 0) bytes.push([r.o, model.rows[i + 1]?.o > r.o ? model.rows[i + 1].o : r.o + 4]);
  }
  for (const b of blocks) {
    const g = layer.element(b);
    if (!g) continue;
    g.classList.add("lit");
    dressed.push(g);
    for (const t of g.querySelectorAll("text > .slot")) {
      if (!slots.has(t.textContent.trim())) continue;
      t.parentNode.classList.add("litrow");
      dressed.push(t.parentNode);
    }
  }
  markBytes(bytes);
  for (const e of tables.querySelectorAll("tr[data-block]")) e.classList.toggle("lit", blocks.has(Number(e.dataset.block)) && litRows.size > 0);
}

// markBytes draws a bar at the strip beside the bytes that are lit.
function markBytes(bytes) {
  const [x, y, , h] = data.strip;
  if (!bytes.length || !data.len) return;
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.id = "litbytes";
  path.setAttribute("d", bytes.map(([a, b]) => `M${x - 6} ${y + a * h / data.len}v${Math.max(2, (b - a) * h / data.len)}`).join(""));
  layer.svg.append(path);
}

// lightRow lights up what a row's column stands for: the C line, or the instruction.
function lightRow(i, column) {
  const r = model.rows[i];
  if (!r) return;
  if (r.head) lightBlock(r.b);
  else if (column === "c" && r.key) light(model.rows.flatMap((o, k) => o.key === r.key && !o.head ? [k] : []));
  else light(r.s >= 0 ? model.bySlot.get(r.s) : [i], definitions(i));
}

// lightLine lights up what is made of the C line of a number, and shows its first row.
function lightLine(number) {
  const rows = model ? model.rows.flatMap((r, k) => !r.head && r.key?.endsWith(":" + number) ? [k] : []) : [];
  if (!rows.length) return;
  light(rows);
  scrollToRow(rows[0]);
  showRows();
}

function lightBlock(b, scroll) {
  if (!model) return;
  const from = model.first.get(b), rows = [from];
  for (let k = from + 1; model.rows[k] && !model.rows[k].head; k++) rows.push(k);
  light(rows, undefined, true); // its frame says it, not each of its rows
  if (scroll) scrollToRow(from);
}

// rest lights up the chosen block, or nothing.
const rest = () => current < 0 ? light([]) : lightBlock(current);

// lightSlot lights up an instruction that the graph shows.
function lightSlot(slot) {
  const rows = model?.bySlot.get(slot);
  if (rows) light(rows, definitions(rows[0]));
}

const rowAt = (target) => {
  const e = target.closest?.(".row");
  return e ? [Number(e.dataset.row), target.closest("[role=cell]")?.className ?? "b"] : null;
};
grid.addEventListener("pointermove", (e) => { const at = rowAt(e.target); if (at) lightRow(...at); });
grid.addEventListener("click", (e) => {
  const at = rowAt(e.target);
  if (!at || String(getSelection())) return;
  cursor = at[0];
  const b = model.rows[cursor].b;
  if (b !== current) choose(b, true);
  lightRow(...at);
});
columns.addEventListener("scroll", () => requestAnimationFrame(showRows), { passive: true });

// step moves the cursor of the columns.
function stepRow(d) {
  if (!model) return;
  cursor = Math.max(0, Math.min(model.rows.length - 1, cursor < 0 ? 0 : cursor + d));
  scrollToRow(cursor);
  lightRow(cursor, "b");
  columns.setAttribute("aria-activedescendant", "cursor");
  said.textContent = spokenRow(model.rows[cursor]);
}
columns.addEventListener("keydown", (e) => {
  const d = { ArrowDown: 1, ArrowUp: -1, j: 1, k: -1, PageDown: 20, PageUp: -20 }[e.key];
  if (e.ctrlKey || e.metaKey || e.altKey || e.target !== columns) return;
  if (d) stepRow(d);
  else if (e.key === "Enter" && cursor >= 0) choose(model.rows[cursor].b, true);
  else if (e.key === "l" && cursor >= 0) lightRow(cursor, "c");
  else return;
  e.preventDefault();
  e.stopPropagation();
});

// fillTables lists the jump tables; their rows are made when they are opened.
function fillTables() {
  const aside = (data.aside ?? []).map((s, i) => {
    const d = section(s.title, element("pre", "", s.lines.join("\n")));
    d.open = i === 0;
    return d;
  });
  let entries = 0; // of the tables so far: the code below shall be in sight, too
  const list = (data.tables ?? []).map((t) => {
    const d = element("details", "table", element("summary", "", element("b", "", t.name), " " + t.head));
    d.addEventListener("toggle", () => { if (d.open) unfold(d, t); });
    entries += t.entries.length / 5;
    d.open = entries <= 20;
    return d;
  });
  if (list.length <= 8) {
    tables.replaceChildren(...aside, ...list);
    return;
  }
  const all = element("details", "", element("summary", "", element("b", "", `${list.length} jump tables`)), ...list);
  tables.replaceChildren(...aside, all);
}

// unfold puts the rows of a table into the document.
function unfold(d, t) {
  d.open = true;
  if (d.children.length < 2) d.append(tableRows(t));
}

const tableMost = 2000;

function tableRows(t) {
  const body = element("tbody", ""), head = element("tr", "");
  for (const h of [...(t.bias === undefined ? [] : ["case"]), "entry", "original", "→ xlated", "→ x86", "block", "state"]) head.append(element("th", "", h));
  for (let i = 0; i < Math.min(t.entries.length / 5, tableMost); i++) {
    const [b, slot, x, o, state] = t.entries.slice(5 * i, 5 * i + 5), e = element("tr", state & 1 ? "" : "off");
    const words = [state & 2 ? "× deleted" : state & 1 ? "✓ selected" : "never", t.notes?.[i]].filter(Boolean).join(", ");
    if (b >= 0) e.dataset.block = b;
    if (t.bias !== undefined) e.dataset.case = i + t.bias;
    for (const c of [...(t.bias === undefined ? [] : [i + t.bias]), i, slot, state & 2 ? "→ ×" : x < 0 ? "→ ?" : `→ ${x}`, o < 0 ? "→ none" : "→ " + byteText(o)]) e.append(element("td", "", String(c)));
    e.append(element("td", "", b >= 0 ? link(b) : "outside"), element("td", "", words));
    body.append(e);
  }
  const table = element("table", "", element("thead", "", head), body);
  if (t.entries.length / 5 > tableMost) return element("div", "", table, `… ${t.entries.length / 5 - tableMost} more`);
  return table;
}
tables.addEventListener("pointermove", (e) => {
  const row = e.target.closest("tr[data-block]");
  if (row) lightBlock(Number(row.dataset.block));
});

// markCase points at the rows of a case in the tables.
function markCase(value) {
  const parts = tables.querySelectorAll(".table");
  if (value !== undefined && parts.length) (data.tables ?? []).forEach((t, i) => {
    const at = value - t.bias;
    if (at >= 0 && at < t.entries.length / 5) unfold(parts[i], t);
  });
  for (const e of tables.querySelectorAll("tr")) e.classList.toggle("want", value !== undefined && e.dataset.case === String(value));
  const wanted = tables.querySelector(".want")?.closest(".table");
  if (wanted?.parentElement.matches("details")) wanted.parentElement.open = true;
  tables.querySelector(".want")?.scrollIntoView({ block: "nearest" });
}

function toggleCode(on = columns.hidden) {
  columns.hidden = !on;
  byId("columns").setAttribute("aria-pressed", String(on));
  if (on && layer) during(openCode());
  measure();
  if (layer) show();
}
