// The details of a block: everything that is known of it. Text reaches the page
// as text nodes only, never as markup.

function element(tag, cls, ...children) {
  const e = document.createElement(tag);
  if (cls) e.className = cls;
  e.append(...children);
  return e;
}

const address = (p, block) => "#" + encodeURIComponent(programs.options[p].value) + "/b" + block;

function link(block) {
  const a = element("a", "", nameOf(data, block));
  a.href = address(shown, block);
  return a;
}

// section makes a part of the details that can be folded.
function section(title, ...children) {
  const d = element("details", "", element("summary", "", title), ...children);
  d.open = true;
  return d;
}

// choose shows a block's details and names it in the address.
function choose(block, move) {
  current = block;
  layer.redress();
  const d = data, p = shown;
  const close = element("button", "close", "close");
  close.title = "close ( Esc )";
  close.onclick = shut;
  const state = [...marksOf(d, block)], found = findingsOf(d, block);
  if (d.depth?.[block]) state.push("loop depth " + d.depth[block]);
  if (d.status?.[block]) state.push(d.status[block]);
  const rest = element("div", "rest"), opener = [];
  if (d.folded?.[block] && d.over) {
    opener.push(element("button", "unfold", "open"));
    opener[0].title = "show what it holds ( Enter )";
    opener[0].onclick = () => during(openBox(block));
  }
  details.replaceChildren(close, element("h2", "", nameOf(d, block) + "  " + (d.funcs[d.func[block]] ?? "")),
    element("p", "state", state.join(", ")), ...opener,
    ...[d.reasons?.[block], d.whys?.[block]].filter(Boolean).map((t) => element("p", "why", t)),
    ...(found.length ? [section("findings", ...found.map((f) => element("p", f.level === "error" ? "why bad" : "why", findingText(f), ...(f.fix ? [element("br", ""), "fix: " + f.fix] : []))))] : []),
    ...edges(block), rest);
  details.hidden = false;
  details.scrollTop = 0;
  said.textContent = spoken(d, block);
  showWay();
  if (location.hash !== address(p, block)) {
    location.hash = address(p, block);
  }
  during(fillDetails(rest, p, d, block));
  lightBlock(block, true);
  measure();
  if (move) centre(boxOf(d, block)); else show();
}

// fillDetails adds what is unpacked at a click.
async function fillDetails(rest, p, d, block) {
  const chunk = d.chunk;
  const part = Math.floor(block / chunk);
  const [lines, parts, facts, machine] = await Promise.all([load("lines", p, 0, readLines), load("details", p, part), load("facts", p, part, (bytes) => bytes), load("code", p, 0, readCode)]);
  if (p !== shown || block !== current) return;
  rest.append(section("instructions", code(lines, block)));
  const x86 = machineText(machine, block);
  if (x86) rest.append(section("x86-64", element("pre", "", x86)));
  const known = facts ? factsOf(facts, block % chunk) : [];
  if (known.length) rest.append(section("facts at the start", element("pre", "", known.join("\n"))));
  for (const s of parts?.[block % chunk] ?? []) rest.append(section(s.title, element("pre", "", s.lines.join("\n"))));
  const pieces = [];
  for (let i = 0; i < d.pieces.length; i += 5) if (d.pieces[i] === block) pieces.push([d.pieces[i + 1], d.pieces[i + 2]]);
  if (pieces.length) rest.append(section("bytes", ...pieces.map(([at, n]) => element("div", "", range(at, n)))));
  const wrong = wrongBytes(d, pieces);
  if (wrong.length) rest.append(section("bytes that differ", ...wrong.map(([at, n]) => element("div", "bad", range(at, n)))));
}

// factsOf returns what is known at the start of the nth block of a payload, a line for
// each state. A state is told by what differs from that of the same number of the last
// block with states; if that has fewer, from the state told before.
function factsOf(bytes, n) {
  const numbers = new Numbers(bytes);
  let before = [], state = new Map();
  for (let b = 0; ; b++) {
    const now = [];
    for (let left = numbers.next(); left > 0; left--) {
      state = new Map(before[now.length] ?? state);
      for (let changes = numbers.next(); changes > 0; changes--) {
        const place = numbers.next(), text = numbers.next();
        if (text) state.set(allTexts[place], allTexts[text]);
        else state.delete(allTexts[place]);
      }
      now.push(state);
    }
    if (b === n) return now.map((s, i) => (now.length > 1 ? `${i + 1}: ` : "") + [...s].sort(byPlace).map(([place, text]) => `${place}=${text}`).join(" "));
    if (now.length) before = now;
  }
}

// byPlace orders registers, then the stack slots of each frame.
function byPlace([a], [b]) {
  const key = (place) => (place[0] === "R" ? 0 : 1e6) + [...place.matchAll(/\d+/g)].reduce((k, m) => 1e4 * k + Number(m[0]), 0);
  return key(a) - key(b);
}

// machineText lists the machine code of a block: slots, "+" for what the verifier
// added, bytes and text.
function machineText(code, block) {
  const out = [];
  eachCode(code, (c) => {
    if (c.block !== block) return;
    c.x86.forEach(([at, text], k) => out.push(`${(k ? "" : c.original < 0 ? "+" : String(c.original)).padStart(5)}  ${byteText(at)}  ${text}`));
  });
  return out.join("\n");
}

const range = (at, n) => `+0x${at.toString(16)}..+0x${(at + n).toString(16)}, ${n} ${n === 1 ? "byte" : "bytes"}`;

// wrongBytes returns the bytes of pieces that a comparison objects to.
function wrongBytes(d, pieces) {
  const out = [], w = d.wrong ?? [];
  for (let i = 0; i < w.length; i += 2) {
    if (pieces.some(([at, n]) => w[i] < at + n && w[i] + Math.max(1, w[i + 1]) > at)) out.push([w[i], w[i + 1]]);
  }
  return out;
}

// readLines unpacks the instructions of a program, with the first of each block.
function readLines(bytes) {
  const numbers = new Numbers(bytes), counts = numbers.columns(1), l = { first: [0], lines: numbers.columns(7) };
  for (const n of counts) l.first.push(l.first.at(-1) + n);
  return l;
}

// readCode unpacks what instructions become.
function readCode(bytes) {
  const numbers = new Numbers(bytes);
  return { rows: numbers.columns(6), x86: numbers.columns(2) };
}

// eachCode calls f with each piece of code.
function eachCode(code, f) {
  const n = code?.rows ?? [];
  for (let i = 0, at = 0; i < n.length; i += 6) {
    const x86 = [];
    for (const end = at + 2 * n[i + 5]; at < end; at += 2) x86.push([code.x86[at], allTexts[code.x86[at + 1]]]);
    f({ block: n[i], slot: n[i + 1], original: n[i + 2], state: n[i + 3], text: allTexts[n[i + 4]], x86 });
  }
}

// linesOf calls f with each instruction of a block.
function linesOf(l, block, f) {
  for (let i = 7 * l.first[block]; i < 7 * l.first[block + 1]; i += 7) {
    const t = allTexts, n = l.lines;
    f({ slot: n[i], text: t[n[i + 1]], source: t[n[i + 2]], file: t[n[i + 3]], line: n[i + 4], note: t[n[i + 5]], mark: t[n[i + 6]] });
  }
}

// code returns a block's instructions below their C lines.
function code(lines, block) {
  const pre = element("pre", "");
  let source = "";
  linesOf(lines, block, (l) => {
    const where = l.line ? l.file + ":" + l.line + ": " : "";
    if (l.source && where + l.source !== source) {
      source = where + l.source;
      const e = element("span", "src", where.slice(where.lastIndexOf("/") + 1) + l.source + "\n");
      e.title = where + l.source;
      pre.append(e);
    }
    const row = element("span", l.mark ? "line " + (l.mark === "removed" ? "removed" : "added") : "line",
      element("span", "slot", String(l.slot).padStart(5) + "  "), l.text);
    for (const t of [l.note, l.mark]) if (t) row.append(element("span", "state", "  " + t));
    pre.append(row, "\n");
  });
  return pre;
}

// edges returns sections of the edges out of and into a block.
function edges(block) {
  const e = data.edges, out = [[], []];
  for (let i = 0; i < e.length; i += 4) {
    for (const side of [0, 1]) {
      if (e[i + side] !== block) continue;
      const o = e[i + 1 - side], n = i / 4, words = [];
      if (data.labels?.[n]) words.push(data.labels[n]);
      if (data.edgecounts?.[n] !== undefined) words.push(`×${data.edgecounts[n]}`);
      if (data.edgemarks?.[n]) words.push(data.edgemarks[n]);
      if (e[i + 3] === 1) words.push("(never taken)");
      if (e[i + 3] === 2) words.push("≈ merely possible");
      out[side].push(element("div", "", data.kinds[e[i + 2]] + " ", o >= 0 ? link(o) : "outside", words.length ? " " + words.join(" ") : ""));
    }
  }
  return ["to", "from"].flatMap((title, side) => out[side].length ? [section(title, ...out[side])] : []);
}

function shut() {
  details.hidden = true;
  picture.focus();
  measure();
  show();
}
