/** An application module's own error as text: its message, place and stack, without the server's frames. */
import { messageOf, traceOf } from "../observe/error-text.ts";

/** Folders of the server (below src/) whose frames stand between the module and the process's start. */
const OWN_FOLDERS = ["apps/load.ts", "cli/", "runtime/", "supervise/"];
/** Where src/ lies; in an executable, whose source map names files from the tree it was built in, `src/`. */
const SOURCE_ROOT = import.meta.url.slice(0, import.meta.url.lastIndexOf("/apps/") + 1) || "src/";
/** The executable's one file, for frames that its source map does not know. */
const BUNDLE = SOURCE_ROOT === "src/" ? [import.meta.url] : [];
const OWN_PLACES = [...OWN_FOLDERS.map((folder) => SOURCE_ROOT + folder), ...BUNDLE];
/** A stack longer than this says nothing more. */
const MOST_LINES = 40;

// The runtimes colour some messages; the log escapes what is left of control characters.
// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one
const COLOURS = /\x1b\[[0-9;]*m/g;

/** Bun's errors of a module that can't be parsed. */
interface Position {
  readonly lineText: string;
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

function positionOf(error: object): Position | undefined {
  const position = (error as { position?: Partial<Position> | null }).position;
  return typeof position?.file === "string" && typeof position.line === "number" ? (position as Position) : undefined;
}

function isOwnFrame(line: string): boolean {
  if (!/^\s+at /.test(line)) return false;
  // A frame names its place in brackets, or alone behind "at".
  return OWN_PLACES.some((place) =>
    [place, place.replace("file://", "")].some((start) => line.includes(`(${start}`) || line.includes(`at ${start}`)),
  );
}

/** `/srv/app.ts` as `./app.ts` where it is below the working directory. */
function shorten(text: string, directory: string): string {
  const prefix = directory.endsWith("/") ? directory : `${directory}/`;
  return text.replaceAll(`file://${prefix}`, "./").replaceAll(`(${prefix}`, "(./").replaceAll(`at ${prefix}`, "at ./");
}

function describePosition(message: string, { file, line, column, lineText }: Position): string {
  return `${message}\n    at ${file}:${line}:${column}\n  ${lineText}\n  ${" ".repeat(Math.max(0, column - 1))}^`;
}

function describeOne(error: Error): string {
  const position = positionOf(error);
  if (position !== undefined) return describePosition(`SyntaxError: ${error.message}`, position);
  const stack = typeof error.stack === "string" && error.stack !== "" ? error.stack : `${error.name}: ${error.message}`;
  const head = stack.includes(error.message) ? stack : `${error.name}: ${error.message}\n${stack}`;
  return head
    .split("\n")
    .filter((line) => !isOwnFrame(line))
    .slice(0, MOST_LINES)
    .join("\n");
}

function describe(error: unknown): string {
  if (error instanceof AggregateError) {
    return [error, ...error.errors].map((one) => (one instanceof Error ? describeOne(one) : messageOf(one))).join("\n");
  }
  if (error instanceof Error) {
    return error.cause instanceof Error
      ? `${describeOne(error)}\nCaused by: ${describeOne(error.cause)}`
      : describeOne(error);
  }
  return `It threw ${typeof error === "string" ? JSON.stringify(error) : messageOf(error)}, which is no Error.`;
}

/** Text of several lines about anything that was thrown; paths below `directory` are shortened. */
export function describeModuleError(error: unknown, directory: string): string {
  let text: string;
  try {
    text = describe(error);
  } catch {
    text = traceOf(error);
  }
  return shorten(text.replace(COLOURS, "").trimEnd(), directory);
}
