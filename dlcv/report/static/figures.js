// Curves that zoom, and grids of images with a slider.
"use strict";

const COLOURS = ["#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf"];

const axis = (title, more = {}) => ({
  title: { text: title, font: { size: 12 }, standoff: 6 }, gridcolor: colour("--line"), zerolinecolor: colour("--line"), automargin: true, ...more,
});
const layout = (more) => ({
  paper_bgcolor: "transparent", plot_bgcolor: "transparent", font: { color: colour("--ink"), size: 11 },
  margin: { l: 50, r: 10, t: 10, b: 40 }, height: 280, legend: { orientation: "h", y: -0.25 }, ...more,
});
const OPTIONS = { responsive: true, displaylogo: false, displayModeBar: false };

starts.chart = (figure, data) => {
  // All places first: a chart takes the width that its place has then.
  const places = data.panels.map(() => element(figure.querySelector(".panels"), "div"));
  data.panels.forEach((panel, index) => {
    const place = places[index];
    const traces = panel.lines.map((line, index) => ({
      x: line.x, y: line.y, name: line.name, mode: line.x.length > 12 ? "lines" : "lines+markers", line: { width: 1.6, color: COLOURS[index % 10] },
      error_y: line.interval && {
        type: "data", symmetric: false, thickness: 1,
        array: line.interval[1].map((high, i) => high - line.y[i]), arrayminus: line.interval[0].map((low, i) => line.y[i] - low),
      },
    }));
    const styled = () => layout({ xaxis: axis(data.x), yaxis: axis(panel.y, panel.log ? { type: "log" } : {}), showlegend: true, hovermode: "x unified", hoverlabel: { bgcolor: colour("--paper") } });
    Plotly.newPlot(place, traces, styled(), OPTIONS);
    themed.push(() => Plotly.relayout(place, styled()));
  });
};

// The images are cut from the whole grid, which stays folded below.
starts.tiles = async (figure, data) => {
  const [frames, sheet] = [figure.querySelector(".frames"), figure.querySelector(".sheet")];
  const along = data[data.along], across = data.along === "rows" ? data.columns : data.rows;
  const control = element(frames, "div", { className: "control" });
  const slider = element(control, "input", { type: "range", min: 0, max: along.length - 1, value: along.length - 1, ariaLabel: figure.querySelector("figcaption").textContent });
  const shown = element(control, "output");
  const stage = element(frames, "div", { className: "stage" });
  const tiles = across.map((label) => {
    const tile = element(stage, "div");
    tile.style.width = `${Math.min(104, Math.max(72, data.width))}px`;
    return { canvas: element(tile, "canvas", { width: data.width, height: data.height }), text: element(tile, "span"), label };
  });
  sheet.loading = "eager";
  await sheet.decode();
  const show = () => {
    const place = Number(slider.value);
    shown.value = along[place];
    slider.setAttribute("aria-valuetext", along[place]);
    tiles.forEach(({ canvas, text, label }, index) => {
      const [row, column] = data.along === "rows" ? [place, index] : [index, place];
      const [x, y] = [data.left + column * data.step_x, data.top + row * data.step_y];
      canvas.getContext("2d").drawImage(sheet, x, y, data.width, data.height, 0, 0, data.width, data.height);
      canvas.title = [label, along[place]].filter(Boolean).join(", ");
      text.textContent = [label, data.notes[row]?.[column]].filter(Boolean).join(" · ");
    });
  };
  slider.addEventListener("input", show);
  show();
  frames.dataset.ready = "";
};
