/** Draws the charts of the HTML report from the data that stands in the page. Chart.js comes before it. */
const { charts } = JSON.parse(document.getElementById("data").textContent);
const dark = matchMedia("(prefers-color-scheme: dark)").matches;
const color = dark
  ? { text: "#e6e9ef", line: "#323a47", ours: "#ff8a5c", peer: "#66748a" }
  : { text: "#1d2430", line: "#d9dee6", ours: "#c8401f", peer: "#8b98ab" };
/** Shades of the three percentiles, and lines of the scaling charts. */
const TAIL = dark ? ["#9fb4d1", "#7f8fd6", "#b07be0"] : ["#5b84b8", "#4653a8", "#7d3aa8"];
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

function rateChart({ servers }, title) {
  return {
    type: "bar",
    plugins: [whiskers],
    data: {
      labels: servers.map((server) => server.title),
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
      plugins: { legend: { display: false }, title: { display: true, text: title } },
      // Room for the whiskers, which the scale doesn't know of.
      scales: {
        x: { beginAtZero: true, suggestedMax: Math.max(...servers.map((server) => server.rate.q3)) },
        y: { grid: { display: false } },
      },
    },
  };
}

function tailChart({ servers }, title) {
  const set = (label, key, index) => ({
    label,
    data: servers.map((server) => server[key]),
    backgroundColor: TAIL[index],
  });
  return {
    type: "bar",
    data: {
      labels: servers.map((server) => server.title),
      // What no server of the row has, such as p99.9 of the suites http, is left out.
      datasets: [set("p50", "p50", 0), set("p99", "p99", 1), set("p99.9", "p999", 2)].filter(({ data }) =>
        data.some((value) => value !== null),
      ),
    },
    options: {
      indexAxis: "y",
      plugins: { title: { display: true, text: title } },
      scales: { x: { type: "logarithmic" }, y: { grid: { display: false } } },
    },
  };
}

function scalingChart({ cores, lines }) {
  return {
    type: "line",
    data: {
      labels: cores,
      datasets: lines.map(({ title, rates }, index) => ({
        label: title,
        data: rates,
        borderColor: LINES[index % LINES.length],
        backgroundColor: LINES[index % LINES.length],
        spanGaps: true,
      })),
    },
    options: {
      plugins: { title: { display: true, text: "Requests a second, by the number of server cores" } },
      scales: { y: { beginAtZero: true } },
    },
  };
}

/** Points stand side by side in the order measured; what they cost spans several powers of ten. */
function curveChart({ title, labels, lines }) {
  return {
    type: "line",
    data: {
      labels,
      datasets: lines.map((line, index) => ({
        label: line.title,
        data: line.values,
        borderColor: LINES[index % LINES.length],
        backgroundColor: LINES[index % LINES.length],
        spanGaps: true,
      })),
    },
    options: {
      plugins: { title: { display: true, text: title } },
      scales: { y: { type: "logarithmic" } },
    },
  };
}

const MAKERS = {
  rate: (chart) => rateChart(chart, "Requests a second"),
  tail: (chart) => tailChart(chart, "Latency, milliseconds (logarithmic)"),
  paced: (chart) => tailChart(chart, "Latency at a fixed rate, milliseconds (logarithmic)"),
  scaling: scalingChart,
  curve: curveChart,
};
for (const canvas of document.querySelectorAll("canvas")) {
  const chart = charts[Number(canvas.dataset.chart)];
  const made = new Chart(canvas, MAKERS[canvas.dataset.kind](chart));
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", made.options.plugins.title.text);
}
