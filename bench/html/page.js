/** Draws the charts of the HTML report from the data that stands in the page. Chart.js comes before it. */
const { charts } = JSON.parse(document.getElementById("data").textContent);
const dark = matchMedia("(prefers-color-scheme: dark)").matches;
const color = dark
  ? { text: "#e6e9ef", line: "#323a47", ours: "#ff8a5c", peer: "#66748a" }
  : { text: "#1d2430", line: "#d9dee6", ours: "#c8401f", peer: "#8b98ab" };
/** Shades of the three percentiles, and lines of the scaling charts. */
const TAIL = dark ? ["#9fb4d1", "#7f8fd6", "#b07be0"] : ["#5b84b8", "#4653a8", "#7d3aa8"];
const LINE_POINTS = ["circle", "rect", "triangle"];
const TAIL_POINTS = ["circle", "rectRot", "triangle"];
const LINES = dark
  ? ["#ff8a5c", "#ffd166", "#7fc8a9", "#8ab4f8", "#c792ea", "#b0bec5", "#f28fad"]
  : ["#c8401f", "#b7791f", "#2f7d5b", "#2b62b8", "#7d3aa8", "#5b6472", "#b83265"];

Chart.defaults.color = color.text;
Chart.defaults.borderColor = color.line;
Chart.defaults.font.family = "system-ui, sans-serif";
Chart.defaults.animation = false;
Chart.defaults.maintainAspectRatio = false;

/** Quartiles as whiskers across the bars' ends. */
const whiskers = {
  id: "whiskers",
  afterDatasetsDraw(chart) {
    const { ctx, scales } = chart;
    const { ranges } = chart.config.options;
    if (ranges === undefined) return;
    ctx.save();
    ctx.strokeStyle = color.text;
    ctx.lineWidth = 1.5;
    for (const [index, bar] of chart.getDatasetMeta(0).data.entries()) {
      const [low, high] = ranges[index].map((value) => scales.x.getPixelForValue(value));
      ctx.beginPath();
      ctx.moveTo(low, bar.y);
      ctx.lineTo(high, bar.y);
      for (const end of [low, high]) {
        ctx.moveTo(end, bar.y - 4);
        ctx.lineTo(end, bar.y + 4);
      }
      ctx.stroke();
    }
    ctx.restore();
  },
};

/** A server's name, and below it what speaks against its figures. */
const labelOf = ({ title, marks }) => (marks.length > 0 ? [title, marks.join(", ")] : title);
const axis = (text) => ({ title: { display: true, text } });

function rateChart({ servers, unit }) {
  return {
    type: "bar",
    plugins: [whiskers],
    data: {
      labels: servers.map(labelOf),
      datasets: [
        {
          data: servers.map((server) => server.rate.median),
          backgroundColor: servers.map((server) => (server.ours ? color.ours : color.peer)),
        },
      ],
    },
    options: {
      indexAxis: "y",
      ranges: servers.map((server) => [server.rate.q1, server.rate.q3]),
      plugins: {
        legend: { display: false },
        title: { display: true, text: `${unit[0].toUpperCase()}${unit.slice(1)} a second: medians and quartiles` },
      },
      // Room for the whiskers, which the scale doesn't know of.
      scales: {
        x: {
          ...axis(`${unit} a second`),
          beginAtZero: true,
          suggestedMax: Math.max(...servers.map((server) => server.rate.q3)),
        },
        y: { grid: { display: false } },
      },
    },
  };
}

/** Points, not bars: a bar on a logarithmic axis has no beginning, and its length says nothing. */
function tailChart({ servers }, text) {
  const set = (label, key, index) => ({
    label,
    data: servers.map((server) => server[key]),
    backgroundColor: TAIL[index],
    borderColor: TAIL[index],
    pointStyle: TAIL_POINTS[index],
    pointRadius: 6,
    showLine: false,
  });
  return {
    type: "line",
    data: {
      labels: servers.map(labelOf),
      // What no server of the row has, such as p99.9 of the suites http, is left out.
      datasets: [set("p50", "p50", 0), set("p99", "p99", 1), set("p99.9", "p999", 2)].filter(({ data }) =>
        data.some((value) => value !== null),
      ),
    },
    options: {
      indexAxis: "y",
      plugins: { legend: { labels: { usePointStyle: true } }, title: { display: true, text } },
      scales: {
        x: { ...axis("milliseconds (logarithmic)"), type: "logarithmic" },
        y: { type: "category", offset: true },
      },
    },
  };
}

/** A line for each server over the same points. */
function lineChart(labels, lines, text, scales) {
  return {
    type: "line",
    data: {
      labels,
      datasets: lines.map(({ title, values }, index) => ({
        label: title,
        data: values,
        borderColor: LINES[index % LINES.length],
        backgroundColor: LINES[index % LINES.length],
        // A colour that comes again does so with other points, on a dashed line.
        pointStyle: LINE_POINTS[Math.floor(index / LINES.length) % LINE_POINTS.length],
        borderDash: index < LINES.length ? [] : [6, 4],
        pointRadius: 4,
        spanGaps: true,
      })),
    },
    options: {
      plugins: { legend: { labels: { usePointStyle: true } }, title: { display: true, text } },
      scales,
    },
  };
}

function scalingChart({ cores, lines }) {
  const values = lines.map(({ title, rates }) => ({ title, values: rates }));
  return lineChart(cores, values, "Requests a second, by the number of server cores", {
    x: axis("server cores"),
    y: { ...axis("requests a second"), beginAtZero: true },
  });
}

/** Points stand side by side in the order measured; what they cost spans several powers of ten. */
function curveChart({ by, labels, lines }) {
  return lineChart(labels, lines, `Processor time of a request, by ${by}`, {
    x: axis(by),
    y: { ...axis("microseconds (logarithmic)"), type: "logarithmic" },
  });
}

const MAKERS = {
  rate: rateChart,
  tail: (chart) => tailChart(chart, "Latency: medians of the rounds"),
  paced: (chart) => tailChart(chart, "Latency at a fixed rate: medians of the rounds"),
  scaling: scalingChart,
  curve: curveChart,
};
for (const canvas of document.querySelectorAll("canvas")) {
  const chart = charts[Number(canvas.dataset.chart)];
  const made = new Chart(canvas, MAKERS[canvas.dataset.kind](chart));
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", made.options.plugins.title.text);
}
