/**
 * The workload rows (web/..., python/...) in Markdown.
 */
import { isWide, WIDE_SHARE } from "./compare.ts";
import { curvesOf } from "./curves.ts";
import { compare, cpuPerRequest, preferredTool, requestsPerSecond, samplesOf, titleOf } from "./goals.ts";
import { NOT_SPOKEN, PLANNED_ROWS } from "./load/planned.ts";
import { ROW_SERVERS } from "./load/row-groups.ts";
import { parseVariant } from "./load/row-servers.ts";
import { FEW_ROUNDS, median, roundsText, type Spread, spread } from "./load/stats.ts";
import { OMISSION } from "./load/tools.ts";
import type { BenchResult, HttpSample, HttpSuiteResult, PacedFigures } from "./load/types.ts";
import { connectionsText } from "./load/workloads.ts";
import { table } from "./table.ts";

export const whole = (value: number) => (Number.isFinite(value) ? Math.round(value).toLocaleString("en") : "–");
const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);
const WIDE_MARK = "(!)";
/** From this share of its cores on a generator has no time left, and a server has hardly any. */
const GENERATOR_FULL = 0.95;
const SERVER_FULL = 0.9;

type Pace = "server" | "generator" | "both" | "neither";

/** Who set the pace of a load: whoever had no time left. What others took of the cores counts as gone. */
export function paceOf(sample: HttpSample): Pace {
  const server = sample.serverUtilisation + sample.foreignUtilisation >= SERVER_FULL;
  const generator = sample.generatorUtilisation + sample.generatorForeignUtilisation >= GENERATOR_FULL;
  if (generator) return server ? "both" : "generator";
  return server ? "server" : "neither";
}

const PACE_TEXT: Readonly<Record<Pace, string>> = {
  server: "",
  generator: "generator-bound",
  both: "both full",
  neither: "neither full",
};

/** How busy the server's cores and the generator's were, and who set the pace where the server alone did not. */
export function busyText(samples: readonly HttpSample[]): string {
  const percent = (of: (sample: HttpSample) => number) => whole(median(samples.map(of)) * 100);
  const busy = `${percent((s) => s.serverUtilisation)} / ${percent((s) => s.generatorUtilisation)} %`;
  const said = (["generator", "both", "neither"] as const).flatMap((pace) => {
    const count = samples.filter((sample) => paceOf(sample) === pace).length;
    return count === 0 ? [] : [`${PACE_TEXT[pace]}: ${count} of ${samples.length}`];
  });
  return said.length === 0 ? busy : `${busy} (${said.join("; ")})`;
}

/** Says what the words about the pace mean, where one stands. */
export function paceLegend(parts: readonly string[]): string[] {
  const says = (pace: Pace) =>
    parts.some((part) => part.includes(`(${PACE_TEXT[pace]}:`) || part.includes(`; ${PACE_TEXT[pace]}:`));
  const lines = [
    ...(says("generator")
      ? [
          "generator-bound: the load generator was the slower side (no time left, while the server had some); the rate is the generator's, and the server's would be higher",
        ]
      : []),
    ...(says("both") ? ["both full: neither had time left; the server's rate may be higher"] : []),
    ...(says("neither")
      ? [
          "neither full: the server was less than nine tenths busy and so was the generator; a wait (the row's own, the connections', one full thread of several) set the pace, and processor time per request says more than the rate",
        ]
      : []),
  ];
  return lines.length === 0 ? [] : [lines.map((line) => `${line[0].toUpperCase()}${line.slice(1)}.`).join(" ")];
}

/** What the latencies of the generators that were used leave out. */
export function omissionText(suites: readonly HttpSuiteResult[]): string[] {
  const used = new Set(suites.flatMap(({ samples }) => Object.values(samples).flat()).map((sample) => sample.tool));
  return [
    "Coordinated omission (a server that stalls is asked less meanwhile, so that its latencies look better than those that users would see):",
    [...used].map((tool) => `- ${OMISSION[tool]}`).join("\n"),
  ];
}

/** Median and quartiles, marked when they lie too far apart; of few rounds the number of these, for they have none. */
export function withSpread(values: Spread, format: (value: number) => string): string {
  if (Number.isNaN(values.median)) return "–";
  if (values.count < FEW_ROUNDS) return `${format(values.median)} (${roundsText(values.count)})`;
  const mark = isWide(values) ? ` ${WIDE_MARK}` : "";
  return `${format(values.median)} (${format(values.q1)} to ${format(values.q3)})${mark}`;
}

/** Says what the mark means, where one stands, and what few rounds mean. */
export function spreadLegend(parts: readonly string[]): string[] {
  const share = `${WIDE_SHARE * 100} %`;
  const wide = `${WIDE_MARK} marks figures whose quartiles lie more than ${share} of the median apart: hints, not measurements.`;
  const few = `Figures with the number of their rounds have fewer than ${FEW_ROUNDS}: how much they vary is not known, and they are hints too.`;
  return [
    ...(parts.some((part) => part.includes(WIDE_MARK)) ? [wide] : []),
    ...(parts.some((part) => /\(\d rounds?\)/.test(part)) ? [few] : []),
  ];
}

/** A row of the workloads, in contrast to the suites http/hello and http/pipelined. */
export function isWorkloadRow(suite: HttpSuiteResult): boolean {
  return suite.cores !== undefined;
}

export function isOurs(id: string): boolean {
  return ROW_SERVERS.find((spec) => spec.id === parseVariant(id).id)?.ours ?? false;
}

/** Ours first, then by falling rate. */
export function orderedIds(result: BenchResult, suite: string): string[] {
  const rate = (id: string) => median(samplesOf(result, suite, id).map(requestsPerSecond));
  return Object.keys(result.http[suite].samples).sort(
    (a, b) => Number(isOurs(b)) - Number(isOurs(a)) || rate(b) - rate(a),
  );
}

export function errorText(samples: readonly HttpSample[]): string {
  const sum = (of: (sample: HttpSample) => number) => samples.reduce((total, sample) => total + of(sample), 0);
  const errors = sum((sample) => sample.errors);
  if (errors === 0) return "0";
  // autocannon does not tell its errors apart.
  if (samples.some((sample) => sample.wrongStatus === undefined)) return String(errors);
  const [wrong, sockets] = [sum((s) => s.wrongStatus ?? 0), sum((s) => s.socketErrors ?? 0)];
  return `${errors} (${wrong} wrong status, ${sockets} sockets)`;
}

/** Processor time of 10,000 requests, and how much of it the kernel's is. */
export function cpuCells(samples: readonly HttpSample[]): string[] {
  const seconds = (value: number) => value.toFixed(3);
  const kernel = median(samples.map((s) => (s.serverSystemSeconds / s.requests) * 1e4));
  return [withSpread(spread(samples.map((s) => cpuPerRequest(s) * 1e4)), seconds), seconds(kernel)];
}

/** Their heads. */
export const CPU_HEAD = ["CPU s / 10,000", "of it kernel"] as const;

function serverRow(id: string, samples: readonly HttpSample[]): string[] {
  const of = (pick: (sample: HttpSample) => number) => spread(samples.map(pick));
  return [
    titleOf(id),
    withSpread(of(requestsPerSecond), whole),
    whole(of((s) => s.p50Us).median),
    withSpread(
      of((s) => s.p99Us),
      whole,
    ),
    withSpread(
      of((s) => s.p999Us ?? Number.NaN),
      whole,
    ),
    ...cpuCells(samples),
    `${megabytes(Math.max(...samples.map((s) => s.peakRssBytes)))} (${megabytes(of((s) => s.pssBytes ?? Number.NaN).median)})`,
    errorText(samples),
    busyText(samples),
  ];
}

const TOOL_TEXT: Readonly<Record<HttpSample["tool"], string>> = {
  wrk: "wrk",
  oha: "oha",
  h2load: "h2load",
  autocannon: "autocannon",
  own: "a closed loop of the suite's own, on connections that stood before",
  loop: "a closed loop on connections that stood before",
  socket: "the suite's WebSocket client",
};

const HEAD = [
  "server",
  "requests/s",
  "p50 µs",
  "p99 µs",
  "p99.9 µs",
  ...CPU_HEAD,
  "peak MB (PSS)",
  "errors",
  "busy: server / generator",
];

const SOCKET_HEAD = HEAD.map((title) => title.replace("requests/s", "messages/s"));

export const RATIO_HEAD = ["ratio", "of medians", "per round (quartiles)", "CPU time per request, per round"];

function ratioRows(result: BenchResult, suite: string, ids: readonly string[]): string[][] {
  const rows: string[][] = [];
  for (const ours of ids.filter(isOurs)) {
    for (const theirs of ids.filter((id) => !isOurs(id))) {
      const rate = compare(result, suite, ours, theirs);
      const cpu = compare(result, suite, ours, theirs, cpuPerRequest);
      // A server that answered nothing can't be compared.
      if (rate === undefined || cpu === undefined || !Number.isFinite(rate.ofMedians)) continue;
      rows.push([
        `${titleOf(ours)} / ${titleOf(theirs)}`,
        rate.ofMedians.toFixed(2),
        withSpread(rate.perRound, (value) => value.toFixed(2)),
        withSpread(cpu.perRound, (value) => value.toFixed(2)),
      ]);
    }
  }
  return rows;
}

const PACED_TEXT =
  "At a fixed rate the suite's own client asks when a request is due, whether or not others have been answered, and measures from then: nothing is omitted. What was due and not sent or answered a second after the end counts as an error, with the time until then. How late the generator itself was stands last: so much of the tail may be its own.";
const PACED_HEAD = [
  "at a fixed rate",
  "asked/s",
  "answered/s",
  "p50 µs",
  "p99 µs",
  "p99.9 µs",
  "CPU s / 10,000",
  "errors",
  "generator late, p99 µs",
];

function pacedRow(id: string, samples: readonly PacedFigures[]): string[] {
  const of = (pick: (sample: PacedFigures) => number) => spread(samples.map(pick));
  return [
    titleOf(id),
    whole(of((s) => s.rate).median),
    withSpread(
      of((s) => s.requestsPerSecond),
      whole,
    ),
    ...[(s: PacedFigures) => s.p50Us, (s: PacedFigures) => s.p99Us, (s: PacedFigures) => s.p999Us].map((pick) =>
      withSpread(of(pick), whole),
    ),
    of((s) => ((s.serverCpuSeconds ?? Number.NaN) / s.requests) * 1e4).median.toFixed(3),
    String(samples.reduce((sum, sample) => sum + sample.errors, 0)),
    whole(of((s) => s.lateP99Us).median),
  ];
}

/** The same servers at a fixed rate; nothing where the row was not measured so. */
function pacedTable(result: BenchResult, suite: string, ids: readonly string[]): string[] {
  const rows = ids.flatMap((id) => {
    const found = samplesOf(result, suite, id).flatMap((sample) => sample.paced ?? []);
    return found.length === 0 ? [] : [pacedRow(id, found)];
  });
  return rows.length === 0 ? [] : [table([PACED_HEAD, ...rows])];
}

function rowParts(result: BenchResult, suite: string): string[] {
  const { about, cores, connections, serverCpus, generatorCpus, samples } = result.http[suite];
  const ids = orderedIds(result, suite);
  if (ids.length === 0) return [];
  const tool = preferredTool(Object.values(samples).flat());
  const ratios = ratioRows(result, suite, ids);
  const companions = ids.flatMap((id) => {
    const said = samplesOf(result, suite, id).flatMap((sample) => sample.companions ?? []);
    return said.length === 0 ? [] : [`${titleOf(id)}: ${said.at(-1)}`];
  });
  return [
    `### ${suite}`,
    `${about}; ${connectionsText(connections)}, ${TOOL_TEXT[tool]}. ${cores === 1 ? "Server on core" : "Servers on cores"} ${serverCpus?.join(", ")}, load on ${generatorCpus?.join(", ")}.`,
    table([tool === "socket" ? SOCKET_HEAD : HEAD, ...ids.map((id) => serverRow(id, samplesOf(result, suite, id)))]),
    ...(ratios.length === 0 ? [] : [table([RATIO_HEAD, ...ratios])]),
    ...pacedTable(result, suite, ids),
    ...(companions.length === 0 ? [] : [`In the last round: ${companions.join("; ")}.`]),
  ];
}

/** Peers and load generators that could not be had. */
export function missingText(result: BenchResult): string[] {
  const peers = Object.entries(result.missing ?? {});
  const tools = Object.entries(result.missingTools ?? {});
  const count = (number: number, what: string) => (number === 0 ? [] : [`${number} ${what}${number === 1 ? "" : "s"}`]);
  const counted = [...count(peers.length, "peer"), ...count(tools.length, "load generator")];
  if (counted.length === 0) return [];
  const lines = [
    ...peers.map(([id, reason]) => `- ${titleOf(id)}: ${reason}`),
    ...tools.map(([id, reason]) => `- ${id}: ${reason}`),
  ];
  return [`### missing: ${counted.join(", ")}`, lines.join("\n")];
}

/** A table for each curve: microseconds of processor time for a request, a column for each point. */
export function curvesSection(result: BenchResult): string[] {
  return curvesOf(result).flatMap(({ name, by, labels, lines }) => {
    const format = (value: number) => value.toFixed(value < 100 ? 1 : 0);
    const rows = lines.map(({ title, points }) => [
      title,
      ...points.map((point) =>
        point === null ? "–" : `${format(point.median)}${isWide(point) ? ` ${WIDE_MARK}` : ""}`,
      ),
    ]);
    return [`### ${name}`, `Processor time of a request in microseconds, by ${by}.`, table([[by, ...labels], ...rows])];
  });
}

/** Rows whose protocol the server does not speak: they have their place and are counted. */
export function plannedSection(): string[] {
  if (PLANNED_ROWS.length === 0) return [];
  return [`${PLANNED_ROWS.length} rows are ${NOT_SPOKEN}: ${PLANNED_ROWS.map(({ name }) => name).join(", ")}.`];
}

export function rowsSection(result: BenchResult): string[] {
  const suites = Object.keys(result.http).filter((suite) => isWorkloadRow(result.http[suite]));
  const parts = suites.flatMap((suite) => rowParts(result, suite));
  if (parts.length > 0) {
    parts.push(
      "CPU time is that of all of a server's processes, user and system. Peak memory is the sum of the processes' own peaks; the proportional set size (PSS), at the end of the load, counts what they share once. The first request of each connection is among the latencies of wrk, and with it how quickly a server accepts 64 connections at once.",
      ...(parts.some((part) => part.includes(PACED_HEAD[0])) ? [PACED_TEXT] : []),
      ...omissionText(suites.map((suite) => result.http[suite])),
    );
  }
  return parts;
}
