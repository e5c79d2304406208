// Maps of points, each with its picture; filters by class and domain hold for all panels of a map.
"use strict";

const SYMBOLS = ["circle", "diamond-open", "cross", "x"];

starts.map = async (figure, data) => {
  const [filters, panels, sprite] = [".filters", ".panels", ".thumbnails"].map((name) => figure.querySelector(name));
  const names = Object.keys(data.groups);
  const [first, ...others] = names;
  const off = Object.fromEntries(names.map((name) => [name, new Set()]));

  const choice = element(element(filters, "label", { textContent: "colour " }), "select");
  for (const name of names) element(choice, "option", { value: name, textContent: name });
  if (names.length < 2) choice.parentElement.hidden = true;
  for (const name of names) {
    const field = element(filters, "fieldset");
    element(field, "legend", { textContent: name });
    data.groups[name].names.forEach((text, index) => {
      const label = element(field, "label");
      const box = element(label, "input", { type: "checkbox", checked: true });
      label.append(` ${text}`);
      box.addEventListener("change", () => { off[name][box.checked ? "delete" : "add"](index); draw(); });
    });
  }
  choice.addEventListener("change", () => draw());

  // The points of a panel, one trace for each group of the chosen colour.
  const traces = (panel) => {
    const group = data.groups[choice.value];
    const second = data.groups[others[0]];
    return group.names.map((text, index) => {
      const members = group.of.flatMap((of, point) => (of === index && names.every((name) => !off[name].has(data.groups[name].of[point])) ? [point] : []));
      return {
        type: "scatter", mode: "markers", name: text, customdata: members, hoverinfo: "none",
        x: members.map((point) => panel.x[point]), y: members.map((point) => panel.y[point]),
        marker: { size: 6, opacity: 0.8, color: COLOURS[index % 10], symbol: members.map((point) => (second ? SYMBOLS[second.of[point] % 4] : "circle")) },
      };
    });
  };
  const styled = (panel) => layout({
    height: 340, title: { text: panel.title, font: { size: 12 }, y: 0.98 }, margin: { l: 8, r: 8, t: 28, b: 8 }, hovermode: "closest", dragmode: "zoom",
    xaxis: { visible: false }, yaxis: { visible: false }, legend: { orientation: "h", y: -0.02, font: { size: 10 } }, showlegend: true,
  });
  const places = data.panels.map(() => element(panels, "div"));
  const draw = () => data.panels.forEach((panel, index) => Plotly.react(places[index], traces(panel), styled(panel), OPTIONS));
  draw();
  themed.push(draw);
  await sprite.decode();

  data.panels.forEach((panel, index) => {
    places[index].on("plotly_hover", ({ points, event }) => tip(points[0].customdata, panel, event));
    places[index].on("plotly_unhover", () => { document.getElementById("tip").hidden = true; });
  });
  function tip(point, panel, event) {
    const box = document.getElementById("tip"), canvas = box.querySelector("canvas"), { side, columns } = data.thumbnails;
    canvas.getContext("2d").drawImage(sprite, (point % columns) * side, Math.floor(point / columns) * side, side, side, 0, 0, canvas.width, canvas.height);
    const lines = names.map((name) => `${name}: ${data.groups[name].names[data.groups[name].of[point]]}`);
    if (panel.predicted) lines.push(`predicted: ${data.groups[first].names[panel.predicted[point]]}`);
    box.querySelector("p").textContent = lines.join("\n");
    box.hidden = false;
    box.style.left = `${Math.min(event.clientX + 14, innerWidth - box.offsetWidth - 8)}px`;
    box.style.top = `${Math.min(event.clientY + 14, innerHeight - box.offsetHeight - 8)}px`;
  }
  panels.dataset.ready = "";
};
