// Findings of a checker: signs at the blocks, words in lists.

const levels = ["error", "warning", "note"];

// grave reports whether a finding is more than a note.
const grave = (f) => f.level === "error" || f.level === "warning";

// findingsOf returns the findings of a block, or of its box; the worst is first.
function findingsOf(d, b) {
  if (!d.found) {
    d.found = new Map();
    for (const f of d.findings ?? []) {
      const at = d.over && f.block >= 0 ? d.first[d.over.into[f.block]] : f.block;
      if (!d.found.has(at)) d.found.set(at, []);
      d.found.get(at).push(f);
    }
  }
  return d.found.get(b) ?? [];
}

// remark is what a drawing says of a block's findings: notes are not worth a sign.
function remark(d, b) {
  const list = findingsOf(d, b).filter(grave);
  return list.length ? { level: list[0].level, text: `${list[0].level === "error" ? "⊘" : "!"} ${list[0].id}${list.length > 1 ? ` and ${list.length - 1} more` : ""}` } : null;
}

const spokenRemark = (r) => `${r.level} ${r.text.slice(2)}`;

// signed puts the sign of a block's findings into its group.
function signed(e, b) {
  const r = remark(data, b);
  if (!r || !e || e.querySelector(":scope > .sign")) return;
  const text = document.createElementNS("http://www.w3.org/2000/svg", "text"), box = boxOf(data, b);
  text.setAttribute("x", box.x + 2);
  text.setAttribute("y", box.y - 4);
  text.setAttribute("class", "sign " + r.level);
  text.textContent = r.text;
  e.classList.add("has" + r.level);
  e.append(text);
  const label = e.getAttribute("aria-label") ?? "";
  if (!label.includes(r.text.slice(2))) e.setAttribute("aria-label", `${label}, ${spokenRemark(r)}`);
}

// findingText says a finding in full.
const findingText = (f) => `${f.level} ${f.id}${f.slot >= 0 ? ` at ${f.slot}` : ""}: ${f.message}`;

// findingItems are those of a level or worse for the outline.
function findingItems(d, wanted) {
  return (d.findings ?? []).filter((f) => wanted.includes(f.level)).map((f) => () => {
    const li = f.block >= 0 ? item(f.block, `${nameOf(d, f.block)} ${f.id}`, f.message) : element("li", "", `${f.id} `, element("small", "", f.message));
    if (f.level === "error") li.firstChild.className = "bad";
    return li;
  });
}
