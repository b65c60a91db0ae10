/**
 * The load generator oha (github.com/hatoo/oha): its command line, and its JSON (schema.json of its repository).
 */
import { execFileSync } from "node:child_process";
import { PlainError } from "../../src/runtime/types.ts";
import type { LoadOptions, LoadReport } from "./generator.ts";
import { program } from "./programs.ts";

interface OhaJson {
  readonly summary: { readonly total: number };
  /** Seconds; null where nothing was answered. */
  readonly latencyPercentiles: Readonly<Record<string, number | null>>;
  readonly statusCodeDistribution: Readonly<Record<string, number>>;
  readonly errorDistribution: Readonly<Record<string, number>>;
}

/** What the end of the load cut off is neither an answer nor an error. */
const CUT_OFF = /deadline/;

/** @throws PlainError when the text holds no result of oha's */
export function parseOha(text: string): LoadReport {
  let result: OhaJson;
  try {
    result = JSON.parse(text.slice(text.indexOf("{"))) as OhaJson;
  } catch {
    throw new PlainError(`oha did not report:\n${text}`);
  }
  const statuses = Object.entries(result.statusCodeDistribution);
  const requests = statuses.reduce((sum, [, count]) => sum + count, 0);
  const wrongStatus = statuses.reduce((sum, [status, count]) => (status.startsWith("2") ? sum : sum + count), 0);
  const socketErrors = Object.entries(result.errorDistribution).reduce(
    (sum, [message, count]) => (CUT_OFF.test(message) ? sum : sum + count),
    0,
  );
  const microseconds = (name: string) => (result.latencyPercentiles[name] ?? Number.NaN) * 1e6;
  return {
    requests,
    seconds: result.summary.total,
    requestsPerSecond: requests / result.summary.total,
    p50Us: microseconds("p50"),
    p99Us: microseconds("p99"),
    p999Us: microseconds("p99.9"),
    errors: wrongStatus + socketErrors,
    wrongStatus,
    socketErrors,
  };
}

let jsonFlags: readonly string[] | undefined;

/** `-j` became `--output-format json` in 1.9. */
function jsonFlag(): readonly string[] {
  jsonFlags ??= execFileSync(program("oha"), ["--help"], { encoding: "utf8" }).includes("--output-format")
    ? ["--output-format", "json"]
    : ["--json"];
  return jsonFlags;
}

/** @param json the flags that make it print JSON, which depend on its version */
export function ohaCommand(options: LoadOptions, json: readonly string[] = jsonFlag()): string[] {
  const { connections, seconds, url, request, bodyFile } = options;
  const fields = (request?.fields ?? []).flatMap(([name, value]) => ["-H", `${name}: ${value}`]);
  const closes = request?.fields?.some(([name, value]) => name === "Connection" && value === "close") ?? false;
  return [
    ...["-z", `${seconds}s`, "-c", `${connections}`, "--no-tui", ...json, "--redirect", "0"],
    ...["-m", request?.method ?? "GET", ...fields, ...(closes ? ["--disable-keepalive"] : [])],
    ...(bodyFile === undefined ? [] : ["-D", bodyFile]),
    url,
  ];
}
