// Nests: what is inside of a box of the folded drawing, level by level. A node stands for
// blocks: a single one, or a loop, chain, region or part that can be opened. What a
// node holds is found when it is opened first, so deep programs cost nothing before.

const leastNest = 3, mostKids = 120, leastCases = 24; // fewer blocks are not folded; of more kids some are joined

// localEdges returns the blocks that control goes to, and comes from, within a function.
function localEdges(d) {
  if (!d.local) {
    const crossing = d.kinds.map((k) => ["call", "callback", "tail-call", "exception"].includes(k)), e = d.edges;
    d.local = { out: d.flags.map(() => []), into: d.flags.map(() => []) };
    for (let i = 0; i < e.length; i += 4) {
      if (e[i + 1] < 0 || crossing[e[i + 2]] || d.func[e[i]] !== d.func[e[i + 1]]) continue;
      d.local.out[e[i]].push(e[i + 1]);
      d.local.into[e[i + 1]].push(e[i]);
    }
  }
  return d.local;
}

// components returns the strongly connected components of some blocks, without edges to
// one of them (R. Tarjan, "Depth-first search and linear graph algorithms", 1972).
function components(d, blocks, without) {
  const { out } = localEdges(d), inside = new Set(blocks), number = new Map(), low = new Map(), open = [], onOpen = new Set(), found = [];
  for (const start of blocks) {
    if (number.has(start)) continue;
    const stack = [[start, 0]];
    while (stack.length) {
      const v = stack.at(-1), [b, i] = v;
      if (i === 0) {
        number.set(b, number.size);
        low.set(b, number.get(b));
        open.push(b);
        onOpen.add(b);
      }
      if (i < out[b].length) {
        const to = out[b][v[1]++];
        if (!inside.has(to) || to === without) continue;
        if (!number.has(to)) stack.push([to, 0]);
        else if (onOpen.has(to)) low.set(b, Math.min(low.get(b), number.get(to)));
        continue;
      }
      stack.pop();
      if (stack.length) low.set(stack.at(-1)[0], Math.min(low.get(stack.at(-1)[0]), low.get(b)));
      if (low.get(b) !== number.get(b)) continue;
      const part = open.splice(open.lastIndexOf(b));
      for (const p of part) onOpen.delete(p);
      found.push(part.sort((x, y) => x - y));
    }
  }
  return found;
}

// loopsIn returns the loops of some blocks that are in no other of them, and what is left
// one by one. Edges to the head of the loop that the blocks are do not count.
function loopsIn(d, blocks, head) {
  const { out, into } = localEdges(d), kids = [];
  for (const part of components(d, blocks, head)) {
    const inside = new Set(part), loops = part.length > 1 || out[part[0]].includes(part[0]) && part[0] !== head;
    if (!loops || part.length < leastNest) {
      for (const b of part) kids.push({ block: b, head: b, blocks: [b], loop: loops ? part : undefined });
      continue;
    }
    const entered = part.find((b) => into[b].some((from) => !inside.has(from)));
    kids.push({ kind: "loop", head: entered ?? part[0], blocks: part });
  }
  return kids.sort((x, y) => x.head - y.head);
}

// between returns the kids that each kid leads to and comes from.
function between(d, kids) {
  const of = new Map(), { out } = localEdges(d), to = kids.map(() => new Set()), from = kids.map(() => new Set());
  kids.forEach((kid, k) => { for (const b of kid.blocks) of.set(b, k); });
  kids.forEach((kid, k) => {
    for (const b of kid.blocks) for (const o of out[b]) {
      const other = of.get(o);
      if (other === undefined || other === k) continue;
      to[k].add(other);
      from[other].add(k);
    }
  });
  return { of, to, from };
}

// joined makes one node of each list of kids.
function joined(kids, lists, kind) {
  const out = [];
  for (const list of lists) {
    if (list.length < leastNest) { out.push(...list.map((k) => kids[k])); continue; }
    out.push({ kind, head: kids[list[0]].head, blocks: list.flatMap((k) => kids[k].blocks).sort((x, y) => x - y) });
  }
  return out.sort((x, y) => x.head - y.head);
}

// chainsOf joins kids that follow each other with nothing else in or out.
function chainsOf(d, kids) {
  const { to, from } = between(d, kids), next = kids.map((_, k) => {
    const [only] = to[k];
    return to[k].size === 1 && from[only].size === 1 ? only : -1;
  });
  const follows = new Set(next), taken = new Set(), lists = [];
  const follow = (start) => {
    const list = [];
    for (let k = start; k >= 0 && !taken.has(k); k = next[k]) { taken.add(k); list.push(k); }
    if (list.length) lists.push(list);
  };
  kids.forEach((_, k) => { if (!follows.has(k)) follow(k); });
  kids.forEach((_, k) => follow(k)); // rings
  return joined(kids, lists, "chain");
}

// regionsOf joins kids that are entered through one of them only, as Fold does.
function regionsOf(d, node, kids) {
  const { of, to, from } = between(d, kids), most = Math.max(leastNest, Math.ceil(2 * node.blocks.length / mostKids));
  const order = [], state = new Uint8Array(kids.length), starts = [of.get(node.head), ...kids.keys()];
  for (const start of starts) {
    const stack = state[start] ? [] : [[start, [...to[start]]]];
    state[start] = 1;
    while (stack.length) {
      const [k, rest] = stack.at(-1), next = rest.pop();
      if (next === undefined) { order.push(k); stack.pop(); } else if (!state[next]) { state[next] = 1; stack.push([next, [...to[next]]]); }
    }
  }
  const group = new Map(), lists = new Map(), size = new Map();
  for (const k of order.reverse()) {
    const groups = new Set([...from[k]].map((f) => group.get(f)));
    let [g = k] = groups;
    if (groups.size !== 1 || g === undefined || size.get(g) + kids[k].blocks.length > most) g = k;
    group.set(k, g);
    lists.set(g, [...lists.get(g) ?? [], k]);
    size.set(g, (size.get(g) ?? 0) + kids[k].blocks.length);
  }
  return joined(kids, lists.values(), "region");
}

// casesIn joins cases: kids that only one kid leads to, which leads to many of them.
function casesIn(d, kids) {
  const { to, from } = between(d, kids), lists = [], taken = new Set();
  kids.forEach((_, k) => {
    const cases = [...to[k]].filter((o) => o !== k && from[o].size === 1).sort((x, y) => x - y);
    if (cases.length < leastCases) return;
    const by = Math.max(leastNest, Math.ceil(cases.length / mostKids), Math.floor(Math.sqrt(cases.length)));
    for (let i = 0; i < cases.length; i += by) lists.push(cases.slice(i, i + by));
  });
  for (const k of lists.flat()) taken.add(k);
  kids.forEach((_, k) => { if (!taken.has(k)) lists.push([k]); });
  return joined(kids, lists, "cases");
}

// runsOf joins kids that follow each other in the program, whatever leads to them.
function runsOf(kids) {
  const by = Math.max(leastNest, Math.ceil(2 * kids.length / mostKids)), lists = [];
  for (let k = 0; k < kids.length; k += by) lists.push([...kids.keys()].slice(k, k + by));
  return joined(kids, lists, "part");
}

// kidsOf returns what is in a node, and makes it at first.
function kidsOf(d, node) {
  if (node.kids) return node.kids;
  let kids = node.each ? roundsOf(node) : loopsIn(d, node.blocks, node.kind === "loop" ? node.head : -1);
  if (kids.length === 1) kids = loopsIn(d, node.blocks, kids[0].head); // all of a region is one loop
  if (kids.length === 1) kids = node.blocks.map((b) => ({ block: b, head: b, blocks: [b] }));
  if (!node.grouped) kids = groupsIn(d, kids);
  if (kids.length > mostKids) {
    const fewer = chainsOf(d, kids);
    if (fewer.length > 1) kids = fewer; // else the node is a chain itself
  }
  if (kids.length > mostKids) kids = casesIn(d, kids);
  for (let before = Infinity; kids.length > mostKids && kids.length < before;) {
    before = kids.length;
    const fewer = regionsOf(d, node, kids);
    if (fewer.length > 1) kids = fewer;
  }
  if (kids.length > mostKids) kids = runsOf(kids);
  node.kids = kids;
  node.kidOf = new Map();
  for (const kid of kids) {
    kid.up = node;
    for (const b of kid.blocks) node.kidOf.set(b, kid);
  }
  return kids;
}

// groupsIn joins the kids that are rounds, or compares of a switch, of which all are there:
// with one way in, and none with a mark.
function groupsIn(d, kids) {
  const single = new Map(kids.filter((k) => k.block !== undefined).map((k) => [k.block, k])), { into } = localEdges(d);
  for (const g of d.groups ?? []) {
    const inside = new Set(g.blocks), [head] = g.blocks;
    if (g.blocks.length < leastNest || g.blocks.length === kids.length || !g.blocks.every((b) => single.has(b) && !d.marks?.[b] && (b === head || into[b].every((o) => inside.has(o))))) continue;
    kids = kids.filter((k) => !inside.has(k.block)).concat({ kind: g.kind, text: g.text, each: g.each, grouped: true, head, blocks: [...g.blocks].sort((x, y) => x - y) });
  }
  return kids.sort((x, y) => x.head - y.head);
}

// roundsOf makes a node of each round of an unrolled loop.
function roundsOf(node) {
  const out = [];
  for (let i = 0; i < node.blocks.length; i += node.each) {
    const blocks = node.blocks.slice(i, i + node.each);
    out.push(blocks.length < leastNest ? blocks.map((b) => ({ block: b, head: b, blocks: [b] })) : { kind: `round ${i / node.each + 2}`, head: blocks[0], blocks });
  }
  return out.flat();
}

// nestOf returns the node of a box of the folded drawing.
function nestOf(d, box) {
  const o = d.foldedData.over, nests = d.nests ??= new Map();
  if (!nests.has(box)) {
    const blocks = [], words = o.folded?.[box] ?? "";
    o.into.forEach((to, b) => { if (to === box) blocks.push(b); });
    const kind = words.split(" ")[0] || "part", head = d.foldedData.first[box], group = d.groups?.find((g) => g.kind === kind && g.blocks[0] === head);
    nests.set(box, blocks.length === 1 ? { block: blocks[0], head: blocks[0], blocks }
      : { kind, head, blocks, text: group?.text, each: group?.each, grouped: Boolean(group) });
  }
  return nests.get(box);
}

// openTo opens all that holds a block, and reports whether that is not too deep.
function openTo(d, root, b) {
  let node = root;
  for (let depth = 0; node.block === undefined; depth++) {
    if (depth > 100) return false;
    kidsOf(d, node);
    node.open = true;
    node = node.kidOf.get(b);
  }
  return true;
}

// leafAt returns what shows of a block: itself, or the closed node that holds it.
function leafAt(root, b) {
  let node = root;
  while (node?.open) node = node.kidOf.get(b);
  return node;
}

// leavesOf returns what shows of a node, in order.
function leavesOf(node, open = []) {
  const out = [], stack = [node];
  while (stack.length) {
    const n = stack.pop();
    if (!n.open) { out.push(n); continue; }
    open.push(n);
    for (let k = n.kids.length - 1; k >= 0; k--) stack.push(n.kids[k]);
  }
  return out;
}

const sizeText = (node) => node.block !== undefined ? "" : node.text ?? `${node.kind} ${node.kind === "cases" ? "in" : "of"} ${plural(node.blocks.length, "block")}`;
