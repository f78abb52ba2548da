// Arrangement of a few boxes and the lines between them: in rows, lines down in the gaps
// between rows, each with a track of its own (K. Sugiyama and others, "Methods for visual
// understanding of hierarchical system structures", 1981). It is for what is opened in
// the page; whole drawings come placed.

const rowGap = 14, trackGap = 9, boxGap = 22, lineGap = 12, mostWide = 2000;

// ranked gives each node a row, and tells which edges lead back. Nodes with top are above,
// those with bottom below all others.
function ranked(nodes, edges) {
  const out = nodes.map(() => []), state = new Uint8Array(nodes.length), order = [], into = new Int32Array(nodes.length);
  edges.forEach((e, i) => out[e.a].push(i));
  for (const start of nodes.keys()) {
    const stack = state[start] ? [] : [[start, 0]];
    state[start] ||= 1;
    while (stack.length) {
      const v = stack.at(-1), e = edges[out[v[0]][v[1]++]];
      if (!e) {
        state[v[0]] = 2;
        order.push(v[0]);
        stack.pop();
      } else {
        e.back = state[e.b] === 1;
        if (!state[e.b]) { state[e.b] = 1; stack.push([e.b, 0]); }
      }
    }
  }
  const top = nodes.some((n) => n.top);
  for (const n of nodes) n.row = top && !n.top ? 1 : 0;
  for (const v of order.reverse()) for (const i of out[v]) if (!edges[i].back) {
    const b = edges[i].b;
    into[b]++;
    nodes[b].row = Math.max(nodes[b].row, nodes[v].row + 1);
  }
  nodes.forEach((n, v) => { // what nothing leads to stands near what it leads to
    const below = out[v].filter((i) => !edges[i].back).map((i) => nodes[edges[i].b].row);
    if (v && !into[v] && !n.top && below.length) n.row = Math.max(n.row, Math.min(...below) - 1);
  });
  const last = Math.max(0, ...nodes.filter((n) => !n.bottom).map((n) => n.row));
  for (const n of nodes) if (n.bottom) n.row = last + 1;
  broken(nodes);
}

// broken breaks rows that are too wide.
function broken(nodes) {
  const rows = [];
  for (const n of nodes) (rows[n.row] ??= []).push(n);
  let added = 0;
  for (const row of rows) {
    let wide = 0;
    for (const n of row ?? []) {
      if (wide && wide + n.w > mostWide) { added++; wide = 0; }
      wide += n.w + boxGap;
      n.row += added;
    }
  }
}

// threaded puts a thread through the rows that a line passes: one for all lines of a style to
// one end, or from one where they are a fan. It returns the rows, and the hops: for each gap
// and thread the ends of its lines, and where they go to or come from.
function threaded(nodes, edges) {
  const count = Math.max(...nodes.map((n) => n.row)) + 1, rows = Array.from({ length: count }, () => []), threads = new Map(), hops = new Map();
  for (const n of nodes) rows[n.row].push(n);
  for (const e of edges) {
    if (e.unseen) continue;
    const fan = e.fan && !e.back, a = nodes[e.a].row, b = nodes[e.b].row;
    const key = fan ? `fan/${e.a}/${e.fx ?? ""}/${e.style}` : `${e.b}/${e.tx ?? ""}/${e.style}/${e.back ? "back" : ""}`;
    if (!threads.has(key)) threads.set(key, { fan, source: nodes[e.a], fx: e.fx, to: nodes[e.b], tx: e.tx, style: e.style, back: e.back, from: Infinity, till: -1, edges: [], at: new Map() });
    const t = threads.get(key);
    t.edges.push(e);
    t.from = Math.min(t.from, e.back ? b : a + 1);
    t.till = Math.max(t.till, e.back ? a : b - 1);
  }
  const hop = (gap, t) => {
    const key = gap + "/" + t.number;
    if (!hops.has(key)) hops.set(key, { gap, t, ends: [] });
    return hops.get(key);
  };
  let number = 0;
  for (const t of threads.values()) {
    t.number = number++;
    for (let r = t.from; r <= t.till; r++) {
      const n = { w: 2, h: 0, row: r, thread: true, back: t.back, fan: t.fan };
      t.at.set(r, n);
      rows[r].push(n);
    }
    if (t.fan) {
      for (let r = t.from - 1; r <= t.till; r++) {
        const h = hop(r, t);
        h.goal = r < t.from ? { node: t.source, x: t.fx, side: "top" } : { node: t.at.get(r), side: "top" };
        if (r < t.till) h.ends.push({ node: t.at.get(r + 1), side: "bottom" });
      }
      for (const e of t.edges) hop(nodes[e.b].row - 1, t).ends.push({ node: nodes[e.b], x: e.tx, side: "bottom", edge: e, head: true });
      continue;
    }
    const goal = { node: t.to, x: t.tx, side: "bottom", head: true };
    for (let r = t.from; r <= t.till; r++) {
      const n = t.at.get(r);
      if (t.back) {
        hop(r - 1, t).ends.push({ node: n, side: "bottom" });
        hop(r, t).goal = { node: n, side: "top" };
      } else {
        hop(r - 1, t).goal = { node: n, side: "bottom" };
        hop(r, t).ends.push({ node: n, side: "top" });
      }
    }
    hop(t.to.row - 1, t).goal = goal;
    for (const e of t.edges) hop(nodes[e.a].row, t).ends.push({ node: nodes[e.a], x: e.fx, side: "top", edge: e });
  }
  return { rows, hops: [...hops.values()] };
}

// ordered sorts the nodes of rows so that few lines cross: by the middle of their neighbours,
// down and up, and the best of all tries.
function ordered(rows, hops) {
  const near = new Map(rows.flat().map((n) => [n, [[], []]])); // neighbours above, below
  const links = rows.map(() => []);
  for (const { t, ends, goal } of hops) for (const end of ends) {
    const [hi, lo] = end.node.row < goal.node.row ? [end.node, goal.node] : [goal.node, end.node];
    if (hi.row === lo.row) { // a line back turns beside its box
      if (goal.node.thread) near.get(goal.node).forEach((list) => list.push(end.node));
      continue;
    }
    if (end.head && t.at.size) lo.hung = true; // cases do not pull at the trunk
    else near.get(hi)[1].push(lo);
    near.get(lo)[0].push(hi);
    links[hi.row].push([hi, lo]);
  }
  for (const { ends, goal } of hops) for (const { node } of ends) if (node.thread && node.back && goal.head && node.row === goal.node.row) near.get(node)[0].push(goal.node);
  const number = () => { for (const row of rows) row.forEach((n, i) => { n.i = i; }); };
  const crossings = () => links.reduce((sum, list) => {
    const l = [...list].sort((p, q) => p[0].i - q[0].i || p[1].i - q[1].i);
    for (let i = 0; i < l.length; i++) for (let j = i + 1; j < l.length; j++) if (l[i][1].i > l[j][1].i && l[i][0] !== l[j][0]) sum++;
    return sum;
  }, 0);
  number();
  const small = links.every((l) => l.length < 400);
  let best = rows.map((r) => [...r]), least = crossings();
  for (let pass = 0; pass < 16 && least > 0; pass++) {
    const down = pass % 2 === 0;
    for (const row of down ? rows : [...rows].reverse()) {
      for (const n of row) {
        const list = near.get(n)[down ? 0 : 1];
        n.mid = list.length ? list.reduce((s, o) => s + o.i / rows[o.row].length, 0) / list.length : (n.i + 0.5) / row.length;
      }
      row.sort((p, q) => p.mid - q.mid || p.i - q.i);
      row.forEach((n, i) => { n.i = i; });
    }
    const now = small ? crossings() : 0;
    if (now < least || !small) { least = now; best = rows.map((r) => [...r]); }
  }
  best.forEach((r, i) => rows.splice(i, 1, r));
  number();
  centred(rows, hops);
  number();
  return near;
}

// centred puts the trunk of a fan into the middle of its boxes, in each row that has some.
function centred(rows, hops) {
  for (const { t, ends } of hops) {
    const trunk = t.fan && ends.find((e) => !e.head), boxes = t.fan ? ends.filter((e) => e.head).map((e) => e.node) : [];
    if (!trunk || boxes.length < 2) continue;
    const row = rows[trunk.node.row], at = new Set(boxes), sorted = row.filter((n) => at.has(n));
    row.splice(row.indexOf(trunk.node), 1);
    row.splice(row.indexOf(sorted[Math.floor(sorted.length / 2)]), 0, trunk.node);
  }
}

// spread gives nodes their x: each as near to the middle of its neighbours as those beside it
// allow, by least squares (pool adjacent violators).
function spread(rows, near, hops) {
  const gap = (p, q) => p.thread || q.thread ? lineGap : boxGap;
  for (const row of rows) row.forEach((n, i) => { n.x = i ? row[i - 1].x + row[i - 1].w + gap(row[i - 1], n) : 0; });
  const mid = (n) => n.x + n.w / 2;
  for (let pass = 0; pass < 24; pass++) {
    const down = pass % 2 === 0;
    for (const row of down ? rows : [...rows].reverse()) {
      const offsets = [], items = row.map((n, i) => {
        offsets.push(i ? offsets[i - 1] + row[i - 1].w / 2 + gap(row[i - 1], n) + n.w / 2 : 0);
        const [above, below] = near.get(n), list = pass >= 20 ? [...above, ...below] : down ? above : below;
        const hangs = n.hung && above.length === 1 && !below.length;
        if (!list.length) return [mid(n), hangs ? 1e-4 : 0.01];
        return [list.reduce((s, o) => s + mid(o), 0) / list.length, hangs ? 1e-4 : (n.thread ? 4 : 1) * list.length];
      });
      pooled(items, offsets).forEach((x, i) => { row[i].x = x - row[i].w / 2; });
    }
  }
  for (const n of rows.flat()) n.x = Math.round(n.x);
  straightened(rows, hops);
  const left = Math.min(...rows.flat().map((n) => n.x));
  for (const n of rows.flat()) n.x -= left;
}

// straightened gives the pieces of a thread that follow each other one x, as far as the
// nodes beside them allow.
function straightened(rows, hops) {
  const gap = (p, q) => p.thread || q.thread ? lineGap : boxGap, threads = new Set(hops.map((h) => h.t));
  const room = (n) => {
    const row = rows[n.row], before = row[n.i - 1], after = row[n.i + 1];
    return [before ? before.x + before.w + gap(before, n) : -Infinity, after ? after.x - n.w - gap(n, after) : Infinity];
  };
  const longest = [...threads].sort((p, q) => q.at.size - p.at.size || p.number - q.number);
  for (let pass = 0; pass < 3; pass++) for (const t of longest) {
    let run = [], low = -Infinity, high = Infinity;
    const end = () => {
      const xs = run.map((n) => n.x).sort((a, b) => a - b), x = Math.round(Math.max(low, Math.min(high, xs[xs.length >> 1] ?? 0)));
      for (const n of run) n.x = x;
    };
    for (let r = t.from; r <= t.till; r++) {
      const n = t.at.get(r), [lo, hi] = room(n);
      if (Math.max(low, lo) > Math.min(high, hi)) {
        end();
        run = [];
        [low, high] = [-Infinity, Infinity];
      }
      run.push(n);
      [low, high] = [Math.max(low, Math.min(lo, n.x)), Math.min(high, Math.max(hi, n.x))];
    }
    end();
  }
}

// pooled returns places in order, at least gap apart and as near to those wanted as that allows
// (least squares, by pool adjacent violators). Items are [wanted, weight].
function pooled(items, offsets) {
  const pools = [];
  items.forEach(([want, weight], i) => {
    pools.push({ sum: (want - offsets[i]) * weight, weight, n: 1 });
    while (pools.length > 1 && pools.at(-2).sum / pools.at(-2).weight > pools.at(-1).sum / pools.at(-1).weight) {
      const p = pools.pop(), q = pools.at(-1);
      q.sum += p.sum;
      q.weight += p.weight;
      q.n += p.n;
    }
  });
  return pools.flatMap((p) => new Array(p.n).fill(p.sum / p.weight)).map((x, i) => x + offsets[i]);
}

const portGap = 14, portEdge = 12;

// ported gives the ends of lines their x: at a box side by side, in the order of where they go
// and right above or below that where it can be.
function ported(hops) {
  const mid = (n) => n.x + n.w / 2, fixed = (end) => {
    if (end.x !== undefined && !end.set) end.x += end.node.x;
    else if (end.node.thread || end.node.w < 10) end.x = mid(end.node);
    else return false;
    end.set = true;
    return true;
  };
  const place = (n, list) => {
    list.sort((p, q) => p.towards - q.towards);
    const room = n.w - 2 * portEdge, gap = Math.min(portGap, room / Math.max(1, list.length - 1)), low = n.x + portEdge, high = low + room;
    const xs = pooled(list.map((p) => [Math.max(low, Math.min(high, p.towards)), 1]), list.map((_, i) => i * gap));
    list.forEach((p, i) => { p.end.x = Math.round(Math.max(low + i * gap, Math.min(high - (list.length - 1 - i) * gap, xs[i]))); });
  };
  const by = (add) => {
    const lists = new Map();
    add((end, towards) => {
      if (fixed(end)) return;
      if (!lists.has(end.node)) lists.set(end.node, []);
      lists.get(end.node).push({ end, towards });
    });
    for (const [n, list] of lists) place(n, list);
  };
  by((add) => { for (const h of hops) for (const end of h.ends) add(end, end.head ? mid(end.node) : h.goal.x !== undefined ? h.goal.node.x + h.goal.x : mid(h.goal.node)); });
  by((add) => {
    for (const h of hops) {
      const trunk = h.t.fan ? h.ends.find((e) => !e.head) : undefined;
      add(h.goal, trunk?.x ?? h.ends.reduce((s, e) => s + e.x, 0) / h.ends.length);
    }
  });
}

// tracked gives each hop of a gap a track, so that no two lie on each other, and returns their number.
function tracked(hops) {
  const tracks = [], wide = [];
  for (const h of hops) {
    const xs = [h.goal.x, ...h.ends.map((e) => e.x)];
    h.lo = Math.min(...xs);
    h.hi = Math.max(...xs);
    if (h.hi - h.lo < 1 && h.ends.every((e) => e.side !== h.goal.side)) h.straight = true;
    else wide.push(h);
  }
  // A line that comes down where another goes on down ends above it.
  const xs = (h, side) => [h.goal, ...h.ends].filter((e) => e.side === side).map((e) => e.x);
  const above = new Map(wide.map((h) => [h, wide.filter((o) => o !== h && xs(o, "top").some((x) => xs(h, "bottom").some((y) => Math.abs(x - y) < 4)))]));
  const left = new Set(wide.sort((p, q) => p.lo - q.lo || p.hi - q.hi));
  while (left.size) {
    const h = [...left].find((o) => above.get(o).every((a) => !left.has(a))) ?? [...left][0];
    left.delete(h);
    let t = Math.max(0, ...above.get(h).map((a) => (a.track ?? -1) + 1));
    while (tracks[t]?.some(([lo, hi]) => lo < h.hi + 8 && hi > h.lo - 8)) t++;
    (tracks[t] ??= []).push([h.lo, h.hi]);
    h.track = t;
  }
  return tracks.length;
}

// lineOf returns the path over points, with round corners.
function lineOf(p) {
  let out = `M${p[0]} ${p[1]}`;
  for (let i = 2; i < p.length - 2; i += 2) {
    const [ax, ay, bx, by, cx, cy] = p.slice(i - 2, i + 4), r = Math.min(6, Math.hypot(bx - ax, by - ay) / 2, Math.hypot(cx - bx, cy - by) / 2);
    const to = (x, y) => [bx + Math.sign(x - bx) * r, by + Math.sign(y - by) * r];
    out += `L${to(ax, ay).join(" ")}Q${bx} ${by} ${to(cx, cy).join(" ")}`;
  }
  return out + `L${p.at(-2)} ${p.at(-1)}`;
}

// wiresOf returns the lines of a hop: the farthest end of either side in full, nearer ones to it.
function wiresOf(h, track, rowTop, rowEnd) {
  const edge = ({ node, side }) => node.thread ? (h.t.back ? rowTop : rowEnd)[node.row] : side === "top" ? node.y + node.h : node.y;
  const out = [], goal = h.goal, end = edge(goal), farthest = (list) => list.reduce((f, e) => !f || Math.abs(e.x - goal.x) > Math.abs(f.x - goal.x) ? e : f, null);
  const whole = new Set([farthest(h.ends.filter((e) => e.x < goal.x)), farthest(h.ends.filter((e) => e.x >= goal.x))]);
  for (const e of h.ends) {
    const p = [e.x, edge(e)];
    if (!h.straight) p.push(e.x, track);
    if (!h.straight && !whole.has(e)) p.push(e.x + Math.sign(goal.x - e.x) * Math.min(12, Math.abs(goal.x - e.x)), track);
    else if (h.straight) p.push(goal.x, end);
    else p.push(goal.x, track, goal.x, end);
    out.push({ points: p, style: h.t.style, edge: e.edge });
    if (e.head) out.push({ head: [e.x, edge(e)], style: h.t.style, to: e.node });
  }
  if (goal.head) out.push({ head: [goal.x, end], style: h.t.style, to: goal.node });
  return out;
}

// tall is how many times higher than wide a drawing may be, and highest a height that needs
// no columns.
const tall = 1.6, highest = 1200;

// columnBreaks returns the gaps where a drawing that is much higher than wide goes on in
// another column: where few lines pass.
function columnBreaks(rows, rowHigh, gapHigh, gaps) {
  const breaks = new Set(), all = rows.flat(), w = Math.max(...all.map((n) => n.x + n.w)), at = [];
  let h = 0;
  rows.forEach((_, r) => { h += rowHigh[r] + (gapHigh.get(r) ?? 0); at.push(h); });
  const outer = (r) => rows[r].every((n) => n.top || n.bottom || n.thread);
  const want = Math.round(Math.sqrt(1.3 * h / w)), last = rows.length - 1;
  if (h < highest || h < tall * w || want < 2) return breaks;
  for (let k = 1, from = 0; k < want; k++) {
    let best = -1, least = Infinity;
    for (let g = from; g < last; g++) {
      const off = Math.abs(at[g] - k * h / want) * want / h;
      if (off > 0.4 || outer(g + 1) || g === 0 && outer(0)) continue;
      const cost = 3 * off + 0.1 * (gaps.get(g) ?? []).length;
      if (cost < least) { least = cost; best = g; }
    }
    if (best < 0) continue;
    breaks.add(best);
    from = best + 1;
  }
  return breaks;
}

// columned moves the rows after each break to the right of those before, and gives the lines
// over a break their lanes between.
function columned(rows, hops, gaps, breaks) {
  const shift = [];
  let x = 0;
  for (let r = 0; r < rows.length;) {
    let end = r;
    while (end < rows.length - 1 && !breaks.has(end)) end++;
    const column = rows.slice(r, end + 1).flat(), left = Math.min(...column.map((n) => n.x)), right = Math.max(...column.map((n) => n.x + n.w));
    for (; r <= end; r++) shift[r] = x - left;
    x += right - left + boxGap;
    (breaks.has(end) ? gaps.get(end) ?? [] : []).forEach((h) => { h.lane = x; x += trackGap; });
    x += boxGap;
  }
  for (const n of rows.flat()) n.x += shift[n.row];
  for (const h of hops) for (const end of [h.goal, ...h.ends]) end.x += shift[end.node.row];
}

// wiresOver returns the lines of a hop over a break: down to a track below the column, up the
// lane, and along a track above the next column; or the other way.
function wiresOver(h, rowTop, rowEnd) {
  const edge = ({ node, side }) => node.thread ? (h.t.back ? rowTop : rowEnd)[node.row] : side === "top" ? node.y + node.h : node.y;
  const track = ({ side }) => side === "top" ? h.below : h.above, goal = h.goal, out = [], whole = new Map();
  const towards = (e) => e.side === goal.side ? goal.x : h.lane, group = (e) => e.side + Math.sign(towards(e) - e.x);
  for (const e of h.ends) {
    const o = whole.get(group(e));
    if (!o || Math.abs(towards(e) - e.x) > Math.abs(towards(o) - o.x)) whole.set(group(e), e);
  }
  for (const e of h.ends) {
    const p = [e.x, edge(e), e.x, track(e)], to = towards(e);
    if (whole.get(group(e)) !== e) p.push(e.x + Math.sign(to - e.x) * Math.min(12, Math.abs(to - e.x)), track(e));
    else p.push(...(e.side === goal.side ? [] : [h.lane, track(e), h.lane, track(goal)]), goal.x, track(goal), goal.x, edge(goal));
    out.push({ points: p, style: h.t.style, edge: e.edge });
    if (e.head) out.push({ head: [e.x, edge(e)], style: h.t.style, to: e.node });
  }
  if (goal.head) out.push({ head: [goal.x, edge(goal)], style: h.t.style, to: goal.node });
  return out;
}

// arrange places nodes of a width and height, and returns the size of all and the lines.
// Edges lead from node a to b, at fx and tx of their widths where that is given.
function arrange(nodes, edges) {
  ranked(nodes, edges);
  const { rows, hops } = threaded(nodes, edges), near = ordered(rows, hops), gaps = new Map(), rowTop = [], rowEnd = [];
  spread(rows, near, hops);
  ported(hops);
  for (const h of hops) gaps.set(h.gap, [...gaps.get(h.gap) ?? [], h]);
  const gapHigh = new Map(), rowHigh = rows.map((row) => Math.max(...row.map((n) => n.h)));
  for (let g = -1; g < rows.length; g++) {
    const n = tracked(gaps.get(g) ?? []);
    gapHigh.set(g, gaps.has(g) ? 2 * rowGap + n * trackGap : g < 0 || g === rows.length - 1 ? 0 : 2 * rowGap);
  }
  const breaks = columnBreaks(rows, rowHigh, gapHigh, gaps);
  columned(rows, hops, gaps, breaks);
  let y = 0, lowest = 0;
  const tracksAt = new Map(), gap = (g) => {
    const over = gaps.get(g) ?? [];
    if (breaks.has(g)) {
      over.forEach((h, i) => { h.below = y + rowGap + i * trackGap; h.above = rowGap + i * trackGap; });
      lowest = Math.max(lowest, y + 2 * rowGap + over.length * trackGap);
      y = 2 * rowGap + over.length * trackGap;
      return;
    }
    y += gapHigh.get(g);
    if (rows[g + 1]?.every((n) => n.bottom)) y = Math.max(y, lowest); // the way out is below all columns
    tracksAt.set(g, y - gapHigh.get(g) + rowGap);
  };
  gap(-1);
  rows.forEach((row, r) => {
    rowTop[r] = y;
    for (const n of row) n.y = y;
    y += rowHigh[r];
    rowEnd[r] = y;
    gap(r);
  });
  const wires = hops.flatMap((h) => breaks.has(h.gap) ? wiresOver(h, rowTop, rowEnd)
    : wiresOf(h, tracksAt.get(h.gap) + (h.track ?? 0) * trackGap, rowTop, rowEnd));
  const all = rows.flat(), lanes = hops.map((h) => h.lane ?? 0);
  return { w: Math.max(...all.map((n) => n.x + n.w), ...lanes), h: Math.max(y, lowest), wires };
}
