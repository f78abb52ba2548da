// The outline: what there is in the page and in the program shown, as links.

const outline = byId("outline");

// mostItems is the number of items of a group that are in the document.
const mostItems = 150;

// item makes a line of the outline: a link to a block, with a C line or the like.
function item(b, text, note, depth = 0) {
  const a = element("a", "", text);
  a.href = address(shown, b);
  const li = element("li", "", a, ...(note ? [" ", element("small", "", note)] : []));
  li.style.paddingLeft = 6 + 10 * Math.min(depth, 8) + "px";
  li.title = note ? `${text} ${note}` : text;
  return li;
}

// group makes a part that can be closed; nothing without items.
function group(title, items, query) {
  if (!items.length) return [];
  const list = element("ul", "", ...items.slice(0, mostItems).map((f) => f()));
  if (items.length > mostItems) list.append(element("li", "", element("small", "", `${items.length - mostItems} more: search ${query}`)));
  return [section(`${title} ${items.length}`, list)];
}

// beginning returns the number and text of the first C line of a block.
function beginning(lines, b) {
  let out = "";
  if (lines) linesOf(lines, b, (l) => { if (!out && l.source) out = (l.line ? l.line + " " : "") + l.source; });
  return out;
}

// runs joins blocks that follow each other and have the same reason.
function runs(d, blocks) {
  const out = [];
  for (const b of blocks) {
    const last = out.at(-1);
    if (last && last.to === b - 1 && d.func[last.to] === d.func[b] && (!d.reasons?.[b] || d.reasons[b] === d.reasons[last.from])) last.to = b;
    else out.push({ from: b, to: b });
  }
  return out;
}

// isRecounted reports whether a block's visits are others than in the old version; growth
// is the difference.
const isRecounted = (d, b) => d.before?.[b] !== undefined && d.counts?.[b] !== undefined && d.before[b] !== d.counts[b];
const growth = (d, b) => Math.abs(d.counts[b] - d.before[b]);

const plural = (n, one) => `${n} ${one}${n === 1 ? "" : "s"}`;

// parts returns what the outline says of the program shown.
function parts(d, lines) {
  const of = (test) => d.flags.map((_, b) => b).filter(test), line = (b) => beginning(lines, b);
  const words = (b, ...w) => [...w, line(b)].filter(Boolean).join(", ");
  const sizes = d.funcs.map(() => 0);
  for (const f of d.func) sizes[f]++;
  const dead = runs(d, of((b) => !(d.flags[b] & REACHABLE) && d.marks?.[b] !== "removed"));
  const hot = of((b) => d.counts?.[b] > 0).sort((x, y) => d.counts[y] - d.counts[x]).slice(0, 10);
  const recounted = of((b) => isRecounted(d, b)).sort((x, y) => growth(d, y) - growth(d, x));
  const kinds = ["mismatch", "changed", "added", "removed", "moved"];
  const changed = of((b) => d.marks?.[b]).sort((x, y) => kinds.indexOf(d.marks[x]) - kinds.indexOf(d.marks[y]) || x - y);
  const range = (r) => r.from === r.to ? nameOf(d, r.from) : `${nameOf(d, r.from)}–${nameOf(d, r.to)}`;
  return [
    ...group("mismatches", (d.mismatches ?? []).map((t) => () => element("li", "bad", t)), "is:mismatch"),
    ...group("findings", findingItems(d, ["error", "warning"]), "is:finding"),
    ...group("changes", changed.map((b) => () => item(b, `${d.marks[b]} ${nameOf(d, b)}`, d.whys?.[b] ?? line(b))), "is:marked"),
    ...group("functions", d.funcs.length < 2 ? [] : d.funcs.map((name, f) => () => item(d.entries[f], name, plural(sizes[f], "block"))), "is:entry"),
    ...group("indirect", of((b) => d.status?.[b]).map((b) => () => item(b, nameOf(d, b), words(b, d.status[b]))), "is:indirect"),
    ...group("dead", dead.map((r) => () => item(r.from, range(r), words(r.from, d.reasons?.[r.from]))), "is:dead"),
    ...loopGroup(d, of((b) => d.flags[b] & HEADER), line),
    ...group("hottest", hot.map((b) => () => item(b, nameOf(d, b), words(b, plural(d.counts[b], "visit")))), "is:visited"),
    ...group("visits changed", recounted.map((b) => () => item(b, nameOf(d, b), words(b, `${d.before[b]} → ${d.counts[b]}`))), "is:recounted"),
    ...group("notes", findingItems(d, ["note"]), "is:note"),
    ...group("possible", of((b) => d.flags[b] & MAYBE).map((b) => () => item(b, nameOf(d, b), line(b))), "is:possible"),
  ];
}

// loopGroup lists the loops: all, or of a large program the outermost, which open level by
// level, here and in the drawing.
function loopGroup(d, headers, line) {
  if (!d.folds) return group("loops", headers.map((b) => () => item(b, nameOf(d, b), line(b), (d.depth?.[b] ?? 1) - 1)), "is:header");
  const base = baseOf(d), out = group("loops", loopItems(base, d.flags.map((_, b) => b), -1, line, 0), "is:header");
  if (out.length) out[0].querySelector("summary").textContent = `loops ${headers.length}`;
  return out;
}

// loopItems makes the items of the loops among blocks that are in no other of them.
function loopItems(d, blocks, head, line, depth) {
  return loopsIn(d, blocks, head).filter((n) => n.kind === "loop" || n.loop?.[0] === n.block).map((n) => () => {
    const small = n.kind !== "loop", li = item(n.head, nameOf(d, n.head), [plural((n.loop ?? n.blocks).length, "block"), line(n.head)].filter(Boolean).join(", "), depth);
    if (small) { li.prepend(element("span", "twist", "· ")); return li; }
    const twist = element("button", "twist", "▸");
    twist.dataset.loop = n.head;
    twist.setAttribute("aria-label", `open loop ${nameOf(d, n.head)}`);
    twist.setAttribute("aria-expanded", "false");
    twist.onclick = () => during(twistLoop(n.head));
    li.prepend(twist);
    li.inner = () => loopItems(d, n.blocks, n.head, line, depth + 1);
    return li;
  });
}

// loopNode returns the node of a loop, if all around it is open; null else.
function loopNode(d, head) {
  let node = nestOf(d, d.foldedData.over.into[head]);
  while (node && !(node.head === head && holdsLoop(d, node))) node = node.open ? node.kidOf.get(head) : null;
  return node;
}

// holdsLoop reports whether a node is a loop around its head, not a part that begins with one.
const holdsLoop = (d, node) => node.block === undefined && (node.kind === "loop" || !kidsOf(d, node).some((k) => k.kind === "loop" && k.head === node.head));

// twistLoop opens a loop of the outline in the drawing, or closes it.
async function twistLoop(head) {
  if (!data.over) await fold(true);
  const base = baseOf(data), node = loopNode(base, head);
  if (data.nest && node?.open && data.nest.blocks.includes(head)) await close(node);
  else await reveal(head);
  choose(head, false);
}

// showOpen says in the outline which loops are open, and lists what is in them.
function showOpen() {
  if (!data.folds || !outline.querySelector("[data-loop]")) return;
  const base = baseOf(data);
  if (!base.foldedData) return;
  for (const twist of outline.querySelectorAll("[data-loop]")) {
    const node = loopNode(base, Number(twist.dataset.loop)), open = Boolean(data.nest && node?.open && data.nest.blocks.includes(node.head)), li = twist.parentElement;
    if (open === (twist.getAttribute("aria-expanded") === "true")) continue;
    twist.setAttribute("aria-expanded", String(open));
    twist.textContent = open ? "▾" : "▸";
    li.nextElementSibling?.matches("[data-inner]") && li.nextElementSibling.remove();
    if (!open) continue;
    const inner = li.inner().slice(0, mostItems).map((f) => f());
    if (!inner.length) continue;
    const more = element("li", "", element("ul", "", ...inner));
    more.dataset.inner = twist.dataset.loop;
    more.style.padding = 0;
    li.after(more);
  }
}

// programList makes the list of the page's programs, which narrows as one types.
function programList() {
  const filter = element("input", ""), list = element("ul", ""), names = [...programs.options].map((o) => o.value);
  filter.type = "search";
  filter.placeholder = "program";
  filter.setAttribute("aria-label", "program");
  const fill = () => {
    const found = names.map((name, p) => ({ name, p })).filter((o) => o.name.toLowerCase().includes(filter.value.trim().toLowerCase()));
    list.replaceChildren(...found.slice(0, mostItems).map(({ name, p }) => {
      const a = element("a", "", name);
      a.href = "#" + encodeURIComponent(name);
      if (p === shown) a.setAttribute("aria-current", "page");
      a.title = name;
      return element("li", "", a);
    }));
    if (found.length > mostItems) list.append(element("li", "", element("small", "", `${found.length - mostItems} more: type a part of the name`)));
    if (!found.length) list.append(element("li", "", element("small", "", "none")));
  };
  filter.oninput = fill;
  filter.onkeydown = (e) => {
    if (e.key === "Enter") list.querySelector("a")?.click();
    if (e.key === "Escape") picture.focus();
    e.stopPropagation();
  };
  fill();
  const s = section(`programs ${total}`, filter, list);
  s.id = "programlist";
  return s;
}

// openOutline fills the outline for the program shown, unless it is hidden.
async function openOutline() {
  if (outline.hidden) return;
  const p = shown, lines = await load("lines", p, 0, readLines);
  if (p !== shown) return;
  outline.replaceChildren(...parts(data, lines));
  if (total > 1) outline.append(programList());
  showOpen();
  if (!outline.children.length) outline.append(element("p", "", "one function, no loops, nothing dead"));
}

function toggleOutline(on = outline.hidden) {
  outline.hidden = !on;
  byId("contents").setAttribute("aria-pressed", String(on));
  if (shown < 0) return;
  during(openOutline());
  measure();
  show();
}
