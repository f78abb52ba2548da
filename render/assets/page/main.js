// Opening of programs and addresses.

const first = picture.querySelector("svg");
let openings = 0;

// open shows another program, and returns whether it does: a later call wins.
async function open(p) {
  if (p === shown) return true;
  const turn = ++openings;
  picture.setAttribute("aria-busy", "true");
  const d = await load("data", p, 0), frame = d.windowed ? await load("frame", p, 0) : null;
  if (turn !== openings) return false;
  shown = p;
  programs.selectedIndex = p;
  data = d;
  current = -1;
  details.hidden = true;
  layer = d.windowed ? new Windowed(p, frame) : new Whole(p === 0 ? first : byId("svg" + p).content.firstElementChild.cloneNode(true));
  inks();
  drawMap();
  layer.redress();
  home();
  return true;
}

// go follows an address: of a block, a function or a table, "#b7", or of those
// in a program, "#name/b7". What it does not find it says.
async function go(hash) {
  const m = /^#(?:(.*)\/)?([bft])(\d+)$/.exec(hash);
  if (!m) return;
  if (m[1] !== undefined) {
    let key = m[1];
    try { key = decodeURIComponent(key); } catch { /* not ours */ }
    const p = [...programs.options].findIndex((o) => o.value === key);
    if (p < 0) {
      count.textContent = "no such program here";
      return;
    }
    if (!await open(p)) return;
  }
  const i = Number(m[3]), block = m[2] === "f" ? data.entries[i] : m[2] === "b" && i < data.flags.length ? i : undefined;
  const table = m[2] === "t" ? layer.table(i) : undefined;
  if (block !== undefined) choose(block, true);
  else if (table?.w) centre(table);
  else count.textContent = `no ${{ b: "block", f: "function", t: "table" }[m[2]]} ${m[3]} here`;
}

// The address changes by choose, too: then the block is chosen already.
addEventListener("hashchange", () => { if (current < 0 || location.hash !== address(shown, current)) go(location.hash); });

const dark = matchMedia("(prefers-color-scheme: dark)"), paper = matchMedia("print");
dark.addEventListener("change", () => { inks(); drawMap(); layer.recolour(); });
paper.addEventListener("change", () => layer.print(paper.matches));

open(0).then(() => go(location.hash)).catch((e) => {
  picture.textContent = "This page needs a browser of 2023 or later: " + e.message;
  picture.setAttribute("aria-busy", "false");
});
