// Where the pointer is on a plot over time, what the lines are there. The page is whole without it.
"use strict";
const rounded = (value) => (Math.abs(value) >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3))));
const sizes = { "µs": [[1e6, "s"], [1e3, "ms"], [0, "µs"]], ms: [[1e3, "s"], [0, "ms"]], bytes: [[2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"], [0, "B"]] };
const shown = (value, unit) => {
  if (value === null) return "–";
  const [size, name] = (sizes[unit] || [[0, unit]]).find(([least]) => !(least > Math.abs(value)));
  return `${rounded(value / (size || 1))} ${name}`.trim();
};
for (const figure of document.querySelectorAll("figure[data-figures]")) {
  const { unit, xUnit, lines } = JSON.parse(figure.dataset.figures);
  const readout = figure.querySelector(".readout");
  for (const drawn of figure.querySelectorAll(".drawn")) {
    const svg = drawn.querySelector("svg"), cursor = svg.querySelector(".cursor");
    const [left, right, low, high] = ["left", "right", "low", "high"].map((name) => Number(drawn.dataset[name]));
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const at = low + ((event.clientX - box.left) / box.width - left) / (right - left) * (high - low);
      const nearest = (points) => points.reduce((one, two) => (Math.abs(two[0] - at) >= Math.abs(one[0] - at) ? one : two));
      const [x] = nearest(lines[0][1]);
      const place = (left + (x - low) / (high - low) * (right - left)) * svg.viewBox.baseVal.width;
      cursor.setAttribute("x1", place);
      cursor.setAttribute("x2", place);
      cursor.style.visibility = "visible";
      readout.textContent = `${shown(x, xUnit)}: ` + lines.map(([name, points]) => `${name} ${shown(nearest(points)[1], unit)}`).join(", ");
    });
    svg.addEventListener("pointerleave", () => {
      cursor.style.visibility = "hidden";
      readout.textContent = "";
    });
  }
}
