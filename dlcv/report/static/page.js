// What every part of the page shares: the theme, the contents, tables that sort, and figures that start when seen.
"use strict";

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const themed = []; // functions to call after a change of the theme

document.getElementById("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  try { localStorage.setItem("theme", root.dataset.theme); } catch { /* storage is off: the choice lasts for this visit */ }
  themed.forEach((redraw) => redraw());
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => themed.forEach((redraw) => redraw()));

// The contents: folded on a narrow screen, and the heading in view is marked.
const narrow = matchMedia("(max-width: 60rem)");
const contents = document.querySelector("#contents details");
contents.open = !narrow.matches;
narrow.addEventListener("change", () => { contents.open = !narrow.matches; });
contents.addEventListener("click", (event) => { if (narrow.matches && event.target.closest("a")) contents.open = false; });
const links = new Map([...contents.querySelectorAll("a")].map((link) => [link.hash.slice(1), link]));
const headings = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    links.forEach((link) => link.classList.remove("current"));
    const link = links.get(entry.target.id);
    link.classList.add("current");
    if (!narrow.matches) link.scrollIntoView({ block: "nearest" });
  }
}, { rootMargin: "0px 0px -75% 0px" });
links.forEach((_, id) => headings.observe(document.getElementById(id)));

// A click on a heading of a column sorts by it: by number where its cells start with one, otherwise by text.
const value = (row, column) => row.cells[column]?.textContent.replaceAll(",", "").trim() ?? "";
function sort(table, column) {
  const heading = table.tHead.rows[0].cells[column];
  const falling = heading.ariaSort === "ascending";
  for (const cell of table.tHead.rows[0].cells) cell.removeAttribute("aria-sort");
  heading.ariaSort = falling ? "descending" : "ascending";
  const order = (a, b) => {
    const [x, y] = [value(a, column), value(b, column)];
    const difference = parseFloat(x) - parseFloat(y);
    return Number.isNaN(difference) ? x.localeCompare(y) : difference;
  };
  const rows = [...table.tBodies[0].rows].sort((a, b) => (falling ? -order(a, b) : order(a, b)));
  table.tBodies[0].append(...rows);
}
for (const table of document.querySelectorAll("table")) {
  // A blank first cell continues the row above it; alone, it would not be understood.
  let above = "";
  for (const row of table.tBodies[0].rows) {
    // A long cell may take more lines, but not so many that nobody reads it.
    for (const cell of row.cells) {
      cell.className = cell.textContent.length > 26 ? "long" : "short";
    }
    if (row.cells[0].textContent === "") row.cells[0].textContent = above;
    above = row.cells[0].textContent;
  }
  for (const heading of table.tHead.rows[0].cells) {
    heading.tabIndex = 0;
    heading.addEventListener("click", () => sort(table, heading.cellIndex));
    heading.addEventListener("keydown", (event) => { if (event.key === "Enter") sort(table, heading.cellIndex); });
  }
}

// A figure is drawn when it is about to be seen.
const starts = {}; // by kind, a function of the figure and its data
const seen = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    seen.unobserve(entry.target);
    const data = JSON.parse(entry.target.querySelector("script").textContent);
    starts[data.kind](entry.target, data);
  }
}, { rootMargin: "600px 0px" });
addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("figure.chart, figure.tiles, figure.map").forEach((figure) => seen.observe(figure));
});

function element(parent, tag, properties = {}) {
  const made = Object.assign(document.createElement(tag), properties);
  parent.append(made);
  return made;
}
