// Payloads: data blocks of the page, unpacked when they are needed.

const byId = (id) => document.getElementById(id);
const payloads = new Map(); // id → value, or the promise of it

// load returns the promise of payload n of a kind of program p, made by parse of its
// bytes; of null when there is none.
function load(kind, p, n, parse = values) {
  const id = `${kind}${p}-${n}`;
  if (!payloads.has(id)) {
    const value = unpack(byId(id)).then((bytes) => bytes === null ? null : parse(bytes));
    payloads.set(id, value);
    value.then((v) => payloads.set(id, v), () => {}); // the one who waits hears of an error
  }
  return Promise.resolve(payloads.get(id));
}

const utf8 = new TextDecoder();

let allTexts = [""]; // each text of the page once; there before anything else is unpacked

// values reads JSON, and turns lists of steps into lists of numbers.
function values(bytes) {
  const out = JSON.parse(utf8.decode(bytes));
  for (const o of [out, out.far ?? {}]) {
    for (const key in o) {
      const { by, steps } = o[key] ?? {};
      if (!steps) continue;
      for (let i = by; i < steps.length; i++) steps[i] += steps[i - by];
      o[key] = steps;
    }
  }
  return out;
}

// loaded returns a payload that is there, else undefined.
function loaded(kind, p, n) {
  const v = payloads.get(`${kind}${p}-${n}`);
  return v instanceof Promise ? undefined : v;
}

// unpack returns the bytes of an element: as they are, or out of base64 and gzip.
async function unpack(e) {
  if (!e) return null;
  if (e.type === "application/json") return new TextEncoder().encode(e.textContent);
  const raw = atob(e.textContent), bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  e.remove(); // the page keeps the value instead
  return new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer());
}

// Numbers reads a list of numbers: seven bits in a byte, the lowest first, the eighth
// says that more follow; the lowest bit of all is the sign.
class Numbers {
  constructor(bytes, at = 0) { this.bytes = bytes; this.at = at; }

  next() {
    let v = 0, scale = 1, b;
    do {
      b = this.bytes[this.at++];
      v += (b & 127) * scale;
      scale *= 128;
    } while (b > 127);
    return v % 2 ? -(v + 1) / 2 : v / 2;
  }

  more() { return this.at < this.bytes.length; }

  // columns reads a table of columns, and returns it row by row.
  columns(by) {
    const n = this.next(), out = new Int32Array(n * by);
    for (let c = 0; c < by; c++) for (let i = c, last = 0; i < out.length; i += by) out[i] = last += this.next();
    return out;
  }
}

const escaped = (text) => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

const splitLines = (bytes) => utf8.decode(bytes).split("\n");

// Bits of a block's flags.
const REACHABLE = 1, ENTRY = 2, EXIT = 4, HEADER = 8, MAYBE = 16, LANDING = 32, CONFIGURED = 64;

const nameOf = (d, b) => d.names?.[b] ?? "b" + b;

const boxOf = (d, b) => ({ x: d.boxes[4 * b], y: d.boxes[4 * b + 1], w: d.boxes[4 * b + 2], h: d.boxes[4 * b + 3] });

// marksOf returns what there is to say of a block in a word or two each.
function marksOf(d, b) {
  const flags = d.flags[b], out = [];
  if (d.marks?.[b]) out.push(d.marks[b]);
  if (d.folded?.[b]) out.push(d.folded[b]);
  if (flags & ENTRY) out.push("entry");
  if (flags & EXIT) out.push("exit");
  if (flags & HEADER) out.push("loop header");
  if (flags & LANDING) out.push("landing pad");
  if (!(flags & REACHABLE)) out.push("unreachable" + (flags & CONFIGURED ? " with these values" : ""));
  if (d.counts?.[b] !== undefined) out.push(`${d.counts[b]} ${d.counts[b] === 1 ? "visit" : "visits"}`);
  if (d.before?.[b] !== undefined) out.push(`${d.before[b]} before`);
  return out;
}

// spoken describes a block to those who do not see it.
function spoken(d, b) {
  const lo = d.slots[2 * b], hi = d.slots[2 * b + 1], r = remark(d, b);
  return [nameOf(d, b), ...(r ? [spokenRemark(r)] : []), ...(lo < 0 ? [] : [`instructions ${lo} to ${hi}`]), ...marksOf(d, b), ...waysOf(d, b)].join(", ");
}

// waysOf names the blocks that a block leads to and comes from.
function waysOf(d, b) {
  if (!d.ways) {
    d.ways = d.flags.map(() => [[], []]);
    for (let i = 0, e = d.edges; i < e.length; i += 4) {
      if (e[i + 1] < 0 || e[i + 3] === 1) continue;
      d.ways[e[i]][0].push(e[i + 1]);
      d.ways[e[i + 1]][1].push(e[i]);
    }
  }
  return ["to", "from"].flatMap((word, side) => {
    const list = d.ways[b][side], names = list.slice(0, 6).map((o) => nameOf(d, o));
    if (list.length > 6) names.push(`${list.length - 6} more`);
    return names.length ? [`${word} ${names.join(" ")}`] : [];
  });
}
