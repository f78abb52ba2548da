// The search: through instructions, C lines, names and marks of all programs.

let at = -1, searches = 0, searching = Promise.resolve();

// The questions "is:dead" and the like.
const questions = {
  dead: (d, b) => !(d.flags[b] & REACHABLE), entry: (d, b) => d.flags[b] & ENTRY, exit: (d, b) => d.flags[b] & EXIT,
  loop: (d, b) => d.depth?.[b] > 0, header: (d, b) => d.flags[b] & HEADER, visited: (d, b) => d.counts?.[b] > 0, recounted: isRecounted,
  indirect: (d, b) => d.status?.[b] !== undefined, unresolved: (d, b) => d.status?.[b] === "unresolved", possible: (d, b) => d.flags[b] & MAYBE,
  landing: (d, b) => d.flags[b] & LANDING,
  marked: (d, b) => d.marks?.[b] !== undefined, mismatch: (d, b) => d.marks?.[b] === "mismatch" || wrongBlocks(d).has(b),
};
questions.finding = (d, b) => findingsOf(d, b).some(grave);
for (const l of levels) questions[l] = (d, b) => findingsOf(d, b).some((f) => f.level === l);
for (const m of ["added", "removed", "changed", "moved"]) questions[m] = (d, b) => d.marks?.[b] === m;

// wrongBlocks returns the blocks with bytes that a comparison objects to.
function wrongBlocks(d) {
  if (!d.wrongBlocks) {
    d.wrongBlocks = new Set();
    const p = d.pieces;
    for (let i = 0; d.wrong && i < p.length; i += 5) if (wrongBytes(d, [[p[i + 1], p[i + 2]]]).length) d.wrongBlocks.add(p[i]);
  }
  return d.wrongBlocks;
}

// ask turns what is typed into tests that a block must pass: "is:dead",
// "insn:12", "+0x1f", and the rest as a text.
function ask(text) {
  const tests = [], unknown = [];
  let deep = false, wanted, lineWanted; // whether a test looks at the lines; the case, the line asked for
  const rest = text.replace(/(^|\s)(is|insn|case|line):(\S+)|(^|\s)\+0x([0-9a-f]+)(?=\s|$)/gi, (whole, _, key, value, __, hex) => {
    if (hex) {
      const at = parseInt(hex, 16);
      tests.push((d, b) => { for (let i = 0; i < d.pieces.length; i += 5) if (d.pieces[i] === b && at >= d.pieces[i + 1] && at < d.pieces[i + 1] + d.pieces[i + 2]) return true; return false; });
    } else if (key.toLowerCase() === "insn" && /^\d+$/.test(value)) {
      tests.push((d, b) => d.slots[2 * b] <= Number(value) && d.slots[2 * b + 1] >= Number(value));
    } else if (key.toLowerCase() === "case" && /^-?\d+$/.test(value)) {
      wanted = Number(value);
      tests.push((d, b) => (d.tables ?? []).some((t) => {
        const i = 5 * (Number(value) - t.bias);
        return t.bias !== undefined && t.entries[i] === b && t.entries[i + 4] & 1;
      }));
    } else if (key.toLowerCase() === "line" && /^\d+$/.test(value)) {
      deep = true;
      lineWanted = value;
      tests.push((d, b, texts) => texts[b].split("\n").some((l) => l.endsWith(":" + value)));
    } else if (key.toLowerCase() === "is" && Object.hasOwn(questions, value.toLowerCase())) {
      tests.push(questions[value.toLowerCase()]);
    } else unknown.push(whole.trim());
    return " ";
  });
  return { tests, unknown, want: rest.trim().toLowerCase(), deep, wanted, lineWanted };
}

// index returns the text of each block, in lower case.
function index(d, lines) {
  return d.index ??= d.flags.map((_, b) => {
    const out = [nameOf(d, b), d.funcs[d.func[b]] ?? "", ...marksOf(d, b)];
    linesOf(lines, b, (l) => out.push(`${l.slot} ${l.text}\n${l.source}\n${l.file}:${l.line}`));
    return out.join("\n").toLowerCase();
  });
}

// find looks in all programs, the one shown first.
const find = (text) => searching = during(findAll(text));

async function findAll(text) {
  const turn = ++searches, { tests, unknown, want, deep, wanted, lineWanted } = ask(text), found = [];
  count.textContent = "";
  if (unknown.length) {
    count.textContent = `${unknown[0]}: unknown`;
    count.title = "is: " + Object.keys(questions).join(", ");
  } else if (want || tests.length) {
    for (let i = 0, last = performance.now(); i < total; i++) {
      const p = (shown + i) % total;
      if (performance.now() - last > 100) { // let it be seen
        count.textContent = `searching: ${i} of ${total} programs`;
        await new Promise((ok) => setTimeout(ok));
        last = performance.now();
      }
      const [d, lines] = await Promise.all([load("data", p, 0), want || deep ? load("lines", p, 0, readLines) : null]);
      if (turn !== searches) return;
      const texts = want || deep ? index(d, lines) : null, names = [];
      d.flags.forEach((_, b) => {
        if (want && !texts[b].includes(want) || !tests.every((t) => t(d, b, texts))) return;
        (nameOf(d, b).toLowerCase() === want ? names : found).push({ p, b });
      });
      found.splice(found.findIndex((h) => h.p === p) >>> 0, 0, ...names); // the block of that name is first
    }
  }
  hits = found;
  at = -1;
  layer.redress();
  markCase(wanted);
  if (lineWanted !== undefined) lightLine(lineWanted);
  if (unknown.length) return;
  const n = hits.length === 1 ? "1 block" : `${hits.length} blocks`;
  const here = hitsHere().length;
  count.textContent = !want && !tests.length ? "" : here < hits.length ? `${n}, ${here} here` : n;
}

// step goes to the next result, or to the one before.
async function step(d) {
  await searching;
  if (!hits.length) return;
  at = (at < 0 && d < 0 ? hits.length - 1 : at + d + hits.length) % hits.length;
  const { p, b } = hits[at];
  count.textContent = `${at + 1} of ${hits.length} blocks`;
  if (!await open(p)) return;
  await reveal(b);
  choose(b, true);
}
