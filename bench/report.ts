/**
 * Makes Markdown of a run's raw samples, and puts its figures into the README.
 */
import { PlainError } from "../src/runtime/types.ts";
import { compare, cpuPerRequest, HTTP_GOALS, outcomes, requestsPerSecond, samplesOf, titleOf } from "./goals.ts";
import { isDisturbed } from "./load/http.ts";
import { ownFields } from "./load/parity.ts";
import { EXTRA_SERVERS, SERVERS } from "./load/servers.ts";
import { median, spread } from "./load/stats.ts";
import { TOOLS } from "./load/tools.ts";
import type { BenchResult, HttpSample } from "./load/types.ts";
import { microSection } from "./report-micro.ts";
import {
  busyText,
  CPU_HEAD,
  cpuCells,
  curvesSection,
  errorText,
  isWorkloadRow,
  missingText,
  omissionText,
  paceLegend,
  plannedSection,
  RATIO_HEAD,
  rowsSection,
  spreadLegend,
  withSpread,
} from "./report-rows.ts";
import { table } from "./table.ts";

export const FIGURES_START = "<!-- figures:start -->";
export const FIGURES_END = "<!-- figures:end -->";

/** Rows of the tables: each of ours above its runtime's own. */
const ORDER = [...SERVERS, ...EXTRA_SERVERS].map((spec) => spec.id);

const whole = (value: number) => (Number.isNaN(value) ? "–" : Math.round(value).toLocaleString("en"));
const REACHED: Readonly<Record<string, string>> = { true: "yes", false: "no", undefined: "not judged" };
const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);

function httpRow(id: string, samples: readonly HttpSample[]): string[] {
  const of = (pick: (sample: HttpSample) => number) => samples.map(pick);
  return [
    titleOf(id),
    withSpread(spread(of((s) => s.requestsPerSecond)), whole),
    whole(median(of((s) => s.p50Us))),
    withSpread(spread(of((s) => s.p99Us)), whole),
    withSpread(spread(of((s) => s.p999Us ?? Number.NaN)), whole),
    ...cpuCells(samples),
    megabytes(Math.max(...of((s) => s.peakRssBytes))),
    errorText(samples),
    busyText(samples),
  ];
}

function httpTool(result: BenchResult, suite: string, tool: HttpSample["tool"]): string[] {
  const ids = Object.keys(result.http[suite].samples).filter((id) => samplesOf(result, suite, id, tool).length > 0);
  if (ids.length === 0) return [];
  const order = ORDER.filter((id) => ids.includes(id));
  const head = [
    "server",
    "requests/s",
    "p50 µs",
    "p99 µs",
    "p99.9 µs",
    ...CPU_HEAD,
    "peak MB",
    "errors",
    "busy: server / generator",
  ];
  const rows = order.map((id) => httpRow(id, samplesOf(result, suite, id, tool)));
  const ratios: string[][] = [];
  for (const goal of HTTP_GOALS.filter((each) => each.suite === suite)) {
    const found = compare(result, suite, goal.ours, goal.theirs, requestsPerSecond, tool);
    if (found === undefined) continue;
    ratios.push([
      `${titleOf(goal.ours)} / ${titleOf(goal.theirs)}`,
      found.ofMedians.toFixed(2),
      withSpread(found.perRound, (value) => value.toFixed(2)),
      withSpread(compare(result, suite, goal.ours, goal.theirs, cpuPerRequest, tool)!.perRound, (value) =>
        value.toFixed(2),
      ),
    ]);
  }
  const ratioTable = ratios.length === 0 ? [] : [table([RATIO_HEAD, ...ratios])];
  return [`### ${suite}, ${tool}`, table([head, ...rows]), ...ratioTable];
}

function disturbance(result: BenchResult): string[] {
  const all = Object.values(result.http).flatMap((suite) => Object.values(suite.samples).flat());
  const disturbed = all.filter(isDisturbed).length;
  if (disturbed === 0) return [];
  return [
    `Other processes or the hypervisor took more than a tenth of the server's or the generator's cores during ${disturbed} of ${all.length} samples.`,
  ];
}

function httpSection(result: BenchResult): string[] {
  const parts: string[] = [];
  const suites = Object.entries(result.http).filter(([, suite]) => !isWorkloadRow(suite));
  for (const [suite, { answers, connections, pipelining }] of suites) {
    for (const tool of TOOLS) parts.push(...httpTool(result, suite, tool));
    const own = Object.entries(answers)
      .map(
        ([id, answer]) =>
          `${titleOf(id)} ${answer.bytes} bytes${ownFields(answer)
            .map((name) => `, ${name}`)
            .join("")}`,
      )
      .join("; ");
    parts.push(`${connections} connections, ${pipelining} deep. Answers: ${own}.`);
  }
  if (parts.length > 0) {
    parts.push(...omissionText(suites.map(([, suite]) => suite)));
  }
  return parts;
}

function idleSection(result: BenchResult): string[] {
  const rows = Object.entries(result.idle).map(([id, samples]) => [
    titleOf(id),
    String(samples[0].connections),
    withSpread(spread(samples.map((sample) => sample.rssPerConnection)), whole),
    withSpread(spread(samples.map((sample) => sample.anonymousPerConnection)), whole),
    megabytes(median(samples.map((sample) => sample.idleRssBytes))),
  ]);
  if (rows.length === 0) return [];
  const head = ["server", "connections", "RSS bytes each", "of them anonymous", "idle process MB"];
  return ["### idle", table([head, ...rows])];
}

function idleSocketsSection(result: BenchResult): string[] {
  const rows = Object.entries(result.idleSockets ?? {}).flatMap(([id, samples]) =>
    [false, true].flatMap((compressed) => {
      const these = samples.filter((sample) => sample.compressed === compressed);
      if (these.length === 0) return [];
      const agreed = these.every((sample) => sample.agreed === sample.connections);
      return [
        [
          titleOf(id),
          String(these[0].connections),
          compressed ? (agreed ? "yes" : "offered, not agreed to") : "no",
          withSpread(spread(these.map((sample) => sample.rssPerConnection)), whole),
          withSpread(spread(these.map((sample) => sample.anonymousPerConnection)), whole),
          megabytes(median(these.map((sample) => sample.idleRssBytes))),
        ],
      ];
    }),
  );
  if (rows.length === 0) return [];
  const head = ["server", "sockets", "compression", "RSS bytes each", "of them anonymous", "idle process MB"];
  return [
    "### idle WebSockets",
    table([head, ...rows]),
    "Each has exchanged one message of 2 KB, compressed where that was agreed upon. Above the process after 100 others that have gone; the kernel's buffers are not in it.",
  ];
}

function memorySection(result: BenchResult): string[] {
  const rows = Object.entries(result.memory).flatMap(([id, samples]) =>
    [...new Set(samples.map((sample) => sample.transfer))].map((transfer) => {
      const these = samples.filter((sample) => sample.transfer === transfer);
      return [
        titleOf(id),
        transfer,
        megabytes(these[0].bytes),
        median(these.map((sample) => sample.seconds)).toFixed(1),
        megabytes(median(these.map((sample) => sample.idleRssBytes))),
        withSpread(spread(these.map((sample) => sample.growthBytes)), megabytes),
      ];
    }),
  );
  if (rows.length === 0) return [];
  return [
    "### memory",
    table([["server", "transfer", "MB moved", "seconds", "idle MB", "peak above idle, MB"], ...rows]),
  ];
}

/** What was set out and what was measured of it. */
export function goalsSection(result: BenchResult): string[] {
  const rows = outcomes(result)
    .filter((outcome) => outcome.measured !== "–")
    .map(({ what, goal, measured, reached }) => [what, goal, measured, REACHED[String(reached)]]);
  return rows.length === 0 ? [] : ["### goals", table([["what", "goal", "measured", "reached"], ...rows])];
}

/** The machine, the versions of everything, how and when it was measured. */
export function machineLine(result: BenchResult): string {
  const { machine, settings } = result;
  const versions = Object.entries(machine.versions).map(([name, version]) => `${name} ${version}`);
  const pinned = `server on core ${machine.serverCpu}, load on ${machine.generatorCpus.join(", ")}`;
  const shared = machine.shared ? " (shared: the figures are for orientation only)" : "";
  const busy =
    machine.loadAverage > 1 ? `; busy with others at the start (load average ${machine.loadAverage.toFixed(1)})` : "";
  return `${machine.cpu}, ${machine.cores} core${machine.cores === 1 ? "" : "s"}, ${(machine.memoryBytes / 2 ** 30).toFixed(0)} GB, ${machine.platform} ${machine.kernel}; ${versions.join(", ")}; ${pinned}${shared}${busy}; ${settings.rounds === 1 ? "1 round" : `${settings.rounds} interleaved rounds`} of ${settings.seconds} s; ${result.startedAt.slice(0, 10)}${result.complete ? "" : "; INTERRUPTED"}.`;
}

/** The whole report. */
export function renderReport(result: BenchResult): string {
  const notes = result.notes.length === 0 ? [] : ["### notes", result.notes.map((note) => `- ${note}`).join("\n")];
  const figures = [
    ...httpSection(result),
    ...rowsSection(result),
    ...curvesSection(result),
    ...disturbance(result),
    ...idleSection(result),
    ...idleSocketsSection(result),
    ...memorySection(result),
    ...microSection(result),
  ];
  return [
    machineLine(result),
    ...figures,
    ...spreadLegend(figures),
    ...paceLegend(figures),
    ...missingText(result),
    ...plannedSection(),
    ...goalsSection(result),
    ...notes,
  ].join("\n\n");
}

/** The README's part: what was set out and what was measured, the machine, and the command that repeats it. */
export function renderFigures(result: BenchResult): string {
  const rows = outcomes(result)
    .filter((outcome) => outcome.measured !== "–")
    .map(({ what, goal, measured, reached }) => [what, goal, measured, REACHED[String(reached)]]);
  if (rows.length === 0)
    throw new PlainError("The result holds none of the README's figures: run the whole suite first.");
  return [
    table([["what", "goal", "measured", "reached"], ...rows]),
    machineLine(result),
    `Repeat it with \`${result.command}\`.`,
  ].join("\n\n");
}

/**
 * Replaces what stands between the markers.
 * @throws PlainError when the text has not exactly one pair of them
 */
export function replaceFigures(text: string, figures: string): string {
  const start = text.indexOf(FIGURES_START);
  const end = text.indexOf(FIGURES_END);
  const once = start === text.lastIndexOf(FIGURES_START) && end === text.lastIndexOf(FIGURES_END);
  if (start < 0 || end < start || !once) {
    throw new PlainError(`The README needs one line ${FIGURES_START} and, below it, one line ${FIGURES_END}.`);
  }
  return `${text.slice(0, start + FIGURES_START.length)}\n\n${figures}\n\n${text.slice(end)}`;
}
