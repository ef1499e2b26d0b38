// Charts that say their numbers under the pointer or the finger. What is drawn is the table beside each chart;
// without a script the server's own drawing stays.
"use strict";

(function () {
  const HEIGHT = 170; // pixels
  const drawn = [];

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  function bars(label, colourName) {
    return {
      label: label,
      value: (_, number) => (number === null ? "–" : number),
      stroke: colour(colourName),
      fill: colour(colourName),
      width: 0,
      paths: uPlot.paths.bars({ size: [0.8, 60] }),
      points: { show: false },
    };
  }

  function marks(label, numbers) {
    return {
      label: label,
      value: (_, __, ___, at) => (at === null ? "–" : numbers[at]),
      scale: "marks",
      stroke: colour("--warn"),
      paths: function () {
        return null;
      },
      points: { show: true, size: 9, fill: colour("--warn"), stroke: colour("--warn"), filter: withMarks },
    };
  }

  function withMarks(plot, series) {
    return plot.data[series].reduce(function (found, value, place) {
      return value > 0 ? found.concat(place) : found;
    }, []);
  }

  // The columns of the table: when, and a list of numbers for each heading.
  function read(table) {
    const rows = Array.from(table.tBodies[0].rows).reverse();
    const data = [rows.map((row) => Number(row.dataset.at))];
    const labels = Array.from(table.tHead.rows[0].cells).slice(1).map((cell) => cell.textContent);
    labels.forEach(function (_, place) {
      data.push(rows.map((row) => Number(row.cells[place + 1].textContent)));
    });
    return { data: data, labels: labels, words: rows.map((row) => row.cells[0].textContent) };
  }

  function named(at, step) {
    const moment = new Date(at * 1000);
    return step < 86400
      ? moment.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false })
      : moment.toLocaleDateString([], { day: "numeric", month: "short" });
  }

  function draw(figure) {
    const table = figure.parentElement.querySelector("#" + figure.dataset.chart + "-numbers");
    const svg = figure.querySelector("svg");
    if (!table || !svg || !svg.clientWidth) {
      return;
    }
    const found = read(table);
    const step = found.data[0].length > 1 ? found.data[0][1] - found.data[0][0] : 3600;
    const axis = { stroke: colour("--faint"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
    const series = found.labels.map(function (label, at) {
      return label === "Alerts" ? marks(label, found.data[at + 1]) : bars(label, label === "Blocked" ? "--bad" : "--accent");
    });
    const place = document.createElement("div");
    place.setAttribute("role", "img");
    place.setAttribute("aria-label", svg.querySelector("title").textContent);
    svg.setAttribute("hidden", "");
    figure.querySelector(".ticks").hidden = true;
    figure.append(place);
    const plot = new uPlot(
      {
        width: figure.clientWidth,
        height: HEIGHT,
        series: [{ label: "Time", value: (_, __, ___, at) => (at === null ? "–" : found.words[at]) }].concat(series),
        scales: {
          x: { range: (_, least, most) => [least - step / 2, most + step / 2] },
          y: { range: (_, __, most) => [0, Math.max(1, most) * 1.15] },
          marks: { range: () => [-7, 1.15] },
        },
        axes: [Object.assign({ values: (_, moments) => moments.map((at) => named(at, step)) }, axis), Object.assign({ size: 48, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 1e6] }, axis)],
        cursor: { drag: { x: false, y: false }, points: { show: false }, y: false },
        legend: { live: true, markers: { show: false } },
      },
      found.data.map((column, at) => (at > 0 && found.labels[at - 1] === "Alerts" ? column.map((n) => (n > 0 ? 1 : null)) : column)),
      place
    );
    drawn.push({ plot: plot, figure: figure });
  }

  function drawAll() {
    for (let at = drawn.length - 1; at >= 0; at -= 1) {
      if (!drawn[at].figure.isConnected) {
        drawn[at].plot.destroy();
        drawn.splice(at, 1);
      }
    }
    for (const figure of document.querySelectorAll("figure.chart")) {
      if (!drawn.some((each) => each.figure === figure)) {
        draw(figure);
      }
    }
  }

  if (!window.uPlot) {
    return;
  }
  drawAll();
  // A page that reads itself anew brings new drawings along; a window that grows makes room.
  new MutationObserver(drawAll).observe(document.getElementById("main"), { childList: true });
  window.addEventListener("resize", function () {
    for (const each of drawn) {
      each.plot.setSize({ width: each.figure.clientWidth, height: HEIGHT });
    }
  });
})();
