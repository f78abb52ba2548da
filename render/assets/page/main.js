// Opening of programs and addresses.

const first = picture.querySelector("svg");
let openings = 0;
document.documentElement.classList.add("live");

// open shows another program, and returns whether it does: a later call wins.
async function open(p) {
  if (p === shown) return true;
  const turn = ++openings;
  allTexts = await during(load("texts", 0, 0, splitLines));
  const d = await during(load("data", p, 0)), drawing = await during(drawingOf(d, p, d.folds));
  if (turn !== openings) return false;
  shown = p;
  programs.selectedIndex = p;
  current = -1;
  details.hidden = true;
  draw(drawing);
  home();
  const stamp = byId("stamp");
  stamp.className = d.stamped ?? "";
  stamp.textContent = stamp.title = d.stamp ?? "";
  stamp.classList.toggle("long", stamp.textContent.length > 100); // has a row of its own
  during(openCode());
  during(openOutline());
  return true;
}

// fromMarkup makes a drawing of its markup, which is our own: its texts are escaped.
function fromMarkup(markup) {
  const e = element("div", "");
  e.innerHTML = markup;
  return e.firstElementChild;
}

// named returns the program of a name as an address has it, -1 without.
function named(name) {
  try { name = decodeURIComponent(name); } catch { /* not ours */ }
  return [...programs.options].findIndex((o) => o.value === name);
}

// go follows an address: of a program, "#name", of a block, a function or a table
// in one, "#name/b7", or in the program shown, "#b7". A program may be called b7,
// too: then "#b7" is the program. Only within a picture it is always the block.
// What go does not find it reports.
async function go(hash, within = false) {
  const program = !within && !hash.includes("/") && named(hash.slice(1)) >= 0;
  const m = program ? null : /^#(?:(.*)\/)?([bft])(\d+)$/.exec(hash);
  const name = m ? m[1] : hash.slice(1) || undefined;
  if (name !== undefined) {
    const p = named(name);
    if (p < 0) {
      count.textContent = "no such program here";
      return;
    }
    if (!await open(p)) return;
  }
  if (!m) return;
  const i = Number(m[3]), block = m[2] === "f" ? data.entries[i] : m[2] === "b" && i < data.flags.length ? i : undefined;
  if (block !== undefined) await reveal(block);
  else if (m[2] === "t" && data.tables?.[i]) await fold(false, -1);
  const table = m[2] === "t" ? layer.table(i) : undefined;
  if (block !== undefined) choose(block, true);
  else if (table?.w) centre(table);
  else count.textContent = `no ${{ b: "block", f: "function", t: "table" }[m[2]]} ${m[3]} here`;
}

// The address changes by choose, too: then the block is chosen already.
addEventListener("hashchange", () => { if (current < 0 || location.hash !== address(shown, current)) during(go(location.hash)); });

const dark = matchMedia("(prefers-color-scheme: dark)"), paper = matchMedia("print");
dark.addEventListener("change", () => { inks(); drawMap(); layer.recolour(); });
paper.addEventListener("change", () => layer.print(paper.matches));

toggleCode(innerWidth >= 1100);
toggleOutline(innerWidth >= 1400);
matchMedia("(max-width: 700px)").addEventListener("change", (e) => { if (e.matches) toggleOutline(false); });
during(open(0).then(() => go(location.hash))).catch((e) => {
  picture.textContent = "This page needs a browser of 2023 or later: " + e.message;
});
