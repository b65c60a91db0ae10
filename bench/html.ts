/**
 * The HTML report: one file that opens from disk, with charts, every raw figure, the machine, the versions and the commands.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { isWide } from "./compare.ts";
import { type Curve, curvesOf } from "./curves.ts";
import { preferredTool, requestsPerSecond, samplesOf, titleOf } from "./goals.ts";
import { ROOT } from "./load/programs.ts";
import { SERVERS } from "./load/servers.ts";
import { FEW_ROUNDS, median, roundsText, type Spread, spread } from "./load/stats.ts";
import type { BenchResult, HttpSample, PacedFigures } from "./load/types.ts";
import { renderReport } from "./report.ts";
import { isOurs, orderedIds, paceOf } from "./report-rows.ts";

const PAGE = join(ROOT, "bench/html");
const LIBRARY = join(ROOT, "node_modules/chart.js/dist/chart.umd.min.js");
const BAR_PIXELS = 34;
const CHART_MARGIN_PIXELS = 90;
const TAIL_BAR_PIXELS = 52;
const SCALING_PIXELS = 420;

interface ChartServer {
  readonly title: string;
  /** What makes its figures doubtful: stands below the title. */
  readonly marks: readonly string[];
  readonly ours: boolean;
  readonly rate: Spread;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}

interface RowChart {
  /** What is counted: requests or messages. */
  readonly unit: string;
  readonly servers: readonly ChartServer[];
}

interface ScalingChart {
  readonly cores: readonly number[];
  readonly lines: readonly { readonly title: string; readonly rates: readonly (number | null)[] }[];
}

/** Text as HTML. */
export function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

/** JSON that can stand inside a script element: no end tag can be read out of it. */
export function scriptJson(value: unknown): string {
  return JSON.stringify(value).replaceAll("<", "\\u003c");
}

const isOurServer = (id: string) => isOurs(id) || SERVERS.some((spec) => spec.id === id && spec.kind === "ringcorn");

/** A bar is believed before its table is read: what speaks against it stands beside it. */
export function marksOf(samples: readonly HttpSample[]): string[] {
  const rate = spread(samples.map(requestsPerSecond));
  const bound = samples.filter((sample) => paceOf(sample) === "generator").length;
  const errors = samples.reduce((sum, sample) => sum + sample.errors, 0);
  return [
    ...(rate.count < FEW_ROUNDS ? [`${roundsText(rate.count)} only`] : isWide(rate) ? ["wide spread"] : []),
    ...(bound * 2 > samples.length ? ["generator-bound"] : []),
    ...(errors > 0 ? [`${errors.toLocaleString("en")} error${errors === 1 ? "" : "s"}`] : []),
  ];
}

function unitOf(result: BenchResult, suite: string): string {
  return preferredTool(Object.values(result.http[suite].samples).flat()) === "socket" ? "messages" : "requests";
}

function rowChart(result: BenchResult, suite: string): RowChart {
  const milliseconds = (samples: readonly HttpSample[], of: (sample: HttpSample) => number | null | undefined) =>
    median(samples.map((sample) => of(sample) ?? Number.NaN)) / 1e3;
  return {
    unit: unitOf(result, suite),
    servers: orderedIds(result, suite).map((id) => {
      const samples = samplesOf(result, suite, id);
      return {
        title: titleOf(id),
        marks: marksOf(samples),
        ours: isOurServer(id),
        rate: spread(samples.map(requestsPerSecond)),
        p50: milliseconds(samples, (sample) => sample.p50Us),
        p99: milliseconds(samples, (sample) => sample.p99Us),
        p999: milliseconds(samples, (sample) => sample.p999Us),
      };
    }),
  };
}

/** The same servers at a fixed rate, where they were asked so. */
function pacedChart(result: BenchResult, suite: string): RowChart {
  const servers = orderedIds(result, suite).flatMap((id): ChartServer[] => {
    const found = samplesOf(result, suite, id).flatMap((sample) => sample.paced ?? []);
    if (found.length === 0) return [];
    const milliseconds = (of: (sample: PacedFigures) => number) =>
      median(found.map((sample) => of(sample) ?? Number.NaN)) / 1e3;
    const errors = found.reduce((sum, sample) => sum + sample.errors, 0);
    return [
      {
        title: titleOf(id),
        marks: errors > 0 ? [`${errors.toLocaleString("en")} errors`] : [],
        ours: isOurServer(id),
        rate: spread(found.map((sample) => sample.requestsPerSecond)),
        p50: milliseconds((sample) => sample.p50Us),
        p99: milliseconds((sample) => sample.p99Us),
        p999: milliseconds((sample) => sample.p999Us),
      },
    ];
  });
  return { unit: unitOf(result, suite), servers };
}

/** The heading of a suite's table; the suites http have one for each tool, and their charts stand at the first. */
function headingOf(result: BenchResult, suite: string): string {
  const { cores, samples } = result.http[suite];
  return cores === undefined ? `${suite}, ${preferredTool(Object.values(samples).flat())}` : suite;
}

/** Workloads that were run on several numbers of cores. */
export function scalingCharts(result: BenchResult): Map<string, ScalingChart> {
  const byWorkload = new Map<string, Map<number, string>>();
  for (const [suite, { cores }] of Object.entries(result.http)) {
    if (cores === undefined) continue;
    const workload = suite.split("@")[0];
    byWorkload.set(workload, (byWorkload.get(workload) ?? new Map()).set(cores, suite));
  }
  const charts = new Map<string, ScalingChart>();
  for (const [workload, suites] of byWorkload) {
    if (suites.size < 2) continue;
    const cores = [...suites.keys()].sort((a, b) => a - b);
    const ids = [...new Set([...suites.values()].flatMap((suite) => Object.keys(result.http[suite].samples)))];
    const rate = (id: string, count: number) => {
      const found = median(samplesOf(result, suites.get(count)!, id).map(requestsPerSecond));
      return Number.isNaN(found) ? null : found;
    };
    const lines = ids.map((id) => ({ title: titleOf(id), rates: cores.map((count) => rate(id, count)) }));
    charts.set(workload, { cores, lines });
  }
  return charts;
}

/** The Markdown that the suite prints, as HTML: headings, tables, lists and paragraphs are all it has. */
export function markdownToHtml(markdown: string): string {
  const inline = (text: string) => escapeHtml(text).replaceAll(/`([^`]+)`/g, "<code>$1</code>");
  const cellsOf = (line: string) =>
    line
      .slice(1, -1)
      .split("|")
      .map((cell) => inline(cell.trim()));
  return markdown
    .split("\n\n")
    .map((block) => {
      if (block.startsWith("### ")) {
        const title = block.slice(4);
        return `<h2 id="${escapeHtml(title)}">${inline(title)}</h2>`;
      }
      const lines = block.split("\n");
      if (block.startsWith("| ")) {
        const [head, , ...body] = lines;
        const row = (line: string, tag: string) =>
          `<tr>${cellsOf(line)
            .map((cell) => `<${tag}>${cell}</${tag}>`)
            .join("")}</tr>`;
        return `<div class="scroll"><table>${row(head, "th")}${body.map((line) => row(line, "td")).join("")}</table></div>`;
      }
      if (block.startsWith("- "))
        return `<ul>${lines.map((line) => `<li>${inline(line.replace(/^- /, ""))}</li>`).join("")}</ul>`;
      return `<p>${inline(block)}</p>`;
    })
    .join("\n");
}

/** A curve's points as medians; its axis has a place for each, as they were measured. */
interface CurveChart {
  readonly by: string;
  readonly labels: readonly string[];
  readonly lines: readonly { readonly title: string; readonly values: readonly (number | null)[] }[];
}

type AnyChart = RowChart | ScalingChart | CurveChart;

function curveChart({ by, labels, lines }: Curve): CurveChart {
  return {
    by,
    labels,
    lines: lines.map(({ title, points }) => ({ title, values: points.map((point) => point?.median ?? null) })),
  };
}

interface Drawn {
  readonly charts: AnyChart[];
  /** Heading to the canvases below its heading. */
  readonly canvases: Map<string, string>;
}

function draw(result: BenchResult): Drawn {
  const charts: AnyChart[] = [];
  const canvases = new Map<string, string>();
  const canvas = (index: number, kind: string, pixels: number) =>
    `<div class="chart" style="height:${pixels}px"><canvas data-chart="${index}" data-kind="${kind}"></canvas></div>`;
  const scaling = scalingCharts(result);
  for (const suite of Object.keys(result.http)) {
    const chart = rowChart(result, suite);
    if (chart.servers.length === 0) continue;
    const index = charts.push(chart) - 1;
    const count = chart.servers.length;
    let html = canvas(index, "rate", CHART_MARGIN_PIXELS + BAR_PIXELS * count);
    if (chart.servers.some((server) => Number.isFinite(server.p99))) {
      html += canvas(index, "tail", CHART_MARGIN_PIXELS + TAIL_BAR_PIXELS * count);
    }
    const workload = suite.split("@")[0];
    const lines = scaling.get(workload);
    if (lines !== undefined) {
      html += canvas(charts.push(lines) - 1, "scaling", SCALING_PIXELS);
      // Once, below the first of its rows.
      scaling.delete(workload);
    }
    const paced = pacedChart(result, suite);
    if (paced.servers.length > 0) {
      html += canvas(charts.push(paced) - 1, "paced", CHART_MARGIN_PIXELS + TAIL_BAR_PIXELS * paced.servers.length);
    }
    canvases.set(headingOf(result, suite), `<div class="charts">${html}</div>`);
  }
  for (const curve of curvesOf(result)) {
    const html = canvas(charts.push(curveChart(curve)) - 1, "curve", SCALING_PIXELS);
    canvases.set(curve.name, `<div class="charts">${html}</div>`);
  }
  return { charts, canvases };
}

/** The commands of the servers and of the load generators, where they were recorded. */
function commandsHtml(result: BenchResult): string {
  const seen = new Map<string, string>();
  for (const [suite, { commands, loads }] of Object.entries(result.http)) {
    for (const [id, command] of Object.entries(commands ?? {})) seen.set(`${suite}, ${titleOf(id)}`, command);
    for (const [tool, command] of Object.entries(loads ?? {})) seen.set(`${suite}, load: ${tool}`, command);
  }
  for (const [what, command] of Object.entries(result.commands ?? {})) seen.set(what, command);
  if (seen.size === 0) return "";
  const rows = [...seen].map(
    ([what, command]) =>
      `<tr><td>${escapeHtml(what)}</td><td><code>${escapeHtml(command.replaceAll(ROOT, ""))}</code></td></tr>`,
  );
  return `<h2 id="commands">commands</h2><details><summary>How each server and each load generator was started</summary><div class="scroll"><table>${rows.join("")}</table></div></details>`;
}

/** @throws when chart.js is not installed (npm ci) */
export function renderHtml(result: BenchResult): string {
  const { charts, canvases } = draw(result);
  let body = markdownToHtml(renderReport(result));
  for (const [title, html] of canvases) {
    const heading = `<h2 id="${escapeHtml(title)}">${escapeHtml(title)}</h2>`;
    body = body.replace(heading, () => `${heading}\n${html}`);
  }
  body += commandsHtml(result);
  const links = [...body.matchAll(/<h2 id="([^"]*)">(.*?)<\/h2>/g)].map(
    ([, id, title]) => `<a href="#${encodeURIComponent(id)}">${title}</a>`,
  );
  const raw = `data:application/json;base64,${Buffer.from(JSON.stringify(result, null, 1)).toString("base64")}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Ringcorn benchmarks, ${escapeHtml(result.startedAt.slice(0, 10))}</title>
<style>
${readFileSync(join(PAGE, "page.css"), "utf8")}</style>
</head>
<body>
<h1>Ringcorn benchmarks</h1>
<p class="faint"><code>${escapeHtml(result.command)}</code> &middot; <a download="ringcorn-bench.json" href="${raw}">all raw figures (JSON)</a></p>
<nav>${links.join("\n")}</nav>
${body}
<script id="data" type="application/json">${scriptJson({ charts })}</script>
<script>${readFileSync(LIBRARY, "utf8").replaceAll("</script", "<\\/script")}</script>
<script>
${readFileSync(join(PAGE, "page.js"), "utf8")}</script>
</body>
</html>
`;
}
