"use strict";
// The report's page: light and dark, contents that follow, tables that sort, slides, maps with images, charts.

const root = document.documentElement;
const dark = matchMedia("(prefers-color-scheme: dark)");
root.classList.toggle("dark", dark.matches);
dark.addEventListener("change", () => root.classList.toggle("dark", dark.matches));
document.getElementById("theme").addEventListener("click", () => root.classList.toggle("dark"));
if (innerWidth < 960) document.querySelector("nav details").open = false;

// The entry of the section that is read.
const entries = new Map([...document.querySelectorAll("nav a")].map((a) => [a.hash.slice(1), a]));
const seen = new IntersectionObserver(
  (changes) => {
    const shown = changes.filter((change) => change.isIntersecting).map((change) => entries.get(change.target.id));
    if (!shown.length) return;
    for (const entry of entries.values()) entry.classList.toggle("here", entry === shown[0]);
  },
  { rootMargin: "0px 0px -70% 0px" },
);
for (const id of entries.keys()) seen.observe(document.getElementById(id));

// A click on a head sorts by the first number of each cell, or by its text. A blank cell repeats the one above.
for (const head of document.querySelectorAll("th")) {
  head.addEventListener("click", () => {
    const body = head.closest("table").tBodies[0];
    const rows = [...body.rows];
    const column = head.cellIndex;
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    rows.forEach((row, index) => {
      if (index && !row.cells[0].textContent) row.cells[0].innerHTML = rows[index - 1].cells[0].innerHTML;
    });
    const keys = new Map(rows.map((row) => [row, row.cells[column].textContent.trim()]));
    const number = (text) => parseFloat(text.replace(/[,*]/g, "").match(/^[+-]?\d+(\.\d+)?/)?.[0] ?? NaN);
    rows.sort((a, b) => {
      const [x, y] = [keys.get(a), keys.get(b)];
      const order = number(x) - number(y);
      return (Number.isNaN(order) ? x.localeCompare(y) : order) * (down ? -1 : 1);
    });
    body.append(...rows);
  });
}

// A range input moves through the slides of a picture; the whole picture stays a click away.
for (const image of document.querySelectorAll("img[data-slides]")) {
  const slides = JSON.parse(image.dataset.slides);
  const box = document.createElement("div");
  box.className = "slides";
  box.innerHTML = `<canvas role="img"></canvas><label><input type="range" min="0" max="${slides.length - 1}" value="${slides.length - 1}"><output></output></label><details><summary>all at once</summary></details>`;
  const [canvas, input, output] = ["canvas", "input", "output"].map((name) => box.querySelector(name));
  input.setAttribute("aria-label", image.alt);
  canvas.setAttribute("aria-label", image.alt);
  image.before(box);
  box.querySelector("details").append(image);
  const picture = new Image();
  const show = () => {
    const [label, [left, top, right, bottom]] = slides[input.value];
    canvas.width = right - left;
    canvas.height = bottom - top;
    canvas.getContext("2d").drawImage(picture, left, top, right - left, bottom - top, 0, 0, right - left, bottom - top);
    output.textContent = label;
  };
  picture.addEventListener("load", show);
  picture.src = image.src;
  input.addEventListener("input", show);
}

// A map of points: coloured by a group, filtered by clicks on its names; hover or touch shows the image of a point.
const COLOURS = ["#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf"];
for (const box of document.querySelectorAll(".map")) {
  const { image, maps, groups, predictions } = JSON.parse(box.dataset.map);
  const names = Object.keys(groups);
  const off = new Map(names.map((name) => [name, new Set()]));
  let by = names[0];
  const side = Math.min(420, root.clientWidth - 48);
  box.innerHTML = `<div class="bar by"></div><div class="bar keys"></div><div class="panels"></div><div class="tip" hidden><div></div><span></span></div>`;
  box.nextElementSibling.hidden = true; // the picture of the same map
  const tip = box.querySelector(".tip");
  const visible = (index) => names.every((name) => !off.get(name).has(groups[name].of[index]));
  const place = ([x, y]) => [8 + x * (side - 16), 8 + (1 - y) * (side - 16)];
  const panels = Object.entries(maps).map(([title, points]) => {
    const panel = document.createElement("div");
    panel.innerHTML = `<h4></h4><canvas width="${side}" height="${side}"></canvas>`;
    panel.querySelector("h4").textContent = title;
    box.querySelector(".panels").append(panel);
    return { title, points, canvas: panel.querySelector("canvas") };
  });
  const draw = () => {
    for (const { points, canvas } of panels) {
      const pen = canvas.getContext("2d");
      pen.clearRect(0, 0, side, side);
      points.forEach((point, index) => {
        if (!visible(index)) return;
        const [x, y] = place(point);
        pen.fillStyle = COLOURS[groups[by].of[index] % COLOURS.length];
        pen.beginPath();
        pen.arc(x, y, 3, 0, 7);
        pen.fill();
      });
    }
  };
  const bars = () => {
    const choices = names.map((name) => `<label><input type="radio" ${name === by ? "checked" : ""}> ${name}</label>`);
    box.querySelector(".by").innerHTML = "colour: " + choices.join("");
    box.querySelectorAll(".by input").forEach((input, index) => {
      input.addEventListener("change", () => ((by = names[index]), bars(), draw()));
    });
    const keys = box.querySelector(".keys");
    keys.textContent = "";
    for (const name of names) {
      groups[name].names.forEach((text, index) => {
        const key = document.createElement("button");
        key.className = "key" + (off.get(name).has(index) ? " off" : "");
        key.innerHTML = name === by ? `<i style="background:${COLOURS[index % COLOURS.length]}"></i>` : "";
        key.append(text);
        key.addEventListener("click", () => {
          if (!off.get(name).delete(index)) off.get(name).add(index);
          bars();
          draw();
        });
        keys.append(key);
      });
    }
  };
  for (const { title, points, canvas } of panels) {
    canvas.addEventListener("pointerleave", () => (tip.hidden = true));
    canvas.addEventListener("pointermove", (event) => {
      const scale = side / canvas.clientWidth;
      const [x, y] = [event.offsetX * scale, event.offsetY * scale];
      let best = -1;
      let least = 100;
      points.forEach((point, index) => {
        const [px, py] = place(point);
        const distance = (px - x) ** 2 + (py - y) ** 2;
        if (distance < least && visible(index)) [best, least] = [index, distance];
      });
      tip.hidden = best < 0;
      if (best < 0) return;
      const zoom = 3;
      const { width, height, columns } = image;
      const picture = tip.firstChild;
      picture.style.cssText = `width:${width * zoom}px;height:${height * zoom}px;background-image:url(${box.dataset.images});background-size:${columns * width * zoom}px auto;background-position:${-(best % columns) * width * zoom}px ${-Math.floor(best / columns) * height * zoom}px`;
      const texts = names.map((name) => `${name} ${groups[name].names[groups[name].of[best]]}`);
      if (predictions[title]) texts.push(`predicted ${predictions[title][best]}`);
      tip.lastChild.textContent = texts.join(", ");
      const [frame, own] = [box.getBoundingClientRect(), canvas.getBoundingClientRect()];
      tip.style.left = Math.min(own.left - frame.left + event.offsetX + 14, frame.width - 150) + "px";
      tip.style.top = own.top - frame.top + event.offsetY + 14 + "px";
      tip.style.maxWidth = "14rem";
    });
  }
  bars();
  draw();
}

// Charts in place of the pictures of curves.
for (const box of document.querySelectorAll(".vega-lite")) {
  vegaEmbed(box, JSON.parse(box.dataset.spec), { actions: false, renderer: "canvas" }).then(() => {
    box.nextElementSibling.hidden = true;
  });
}
