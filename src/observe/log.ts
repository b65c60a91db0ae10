/** The server's own log: one line per event on standard error, by level. */
import picocolors from "picocolors";

export const LOG_LEVELS = ["critical", "error", "warning", "info", "debug", "trace"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface Logger {
  critical(message: string): void;
  error(message: string): void;
  warning(message: string): void;
  info(message: string): void;
  debug(message: string): void;
  trace(message: string): void;
  /** Whether a message of this level would be written. */
  enabled(level: LogLevel): boolean;
}

export interface LogOptions {
  /** Messages of this level and of those before it in `LOG_LEVELS` are written. */
  readonly level: LogLevel;
  readonly colours: boolean;
  /** Stands before each message, such as a worker's process id. */
  readonly label?: string;
}

/** Column where messages begin: the longest level, its colon, a space. uvicorn's layout, so that its log parsers work. */
export const MESSAGE_COLUMN = 10;

type Paint = (text: string) => string;

function painters(colours: boolean): Record<LogLevel, Paint> {
  const pc = picocolors.createColors(colours);
  return {
    critical: (text) => pc.bold(pc.red(text)),
    error: pc.red,
    warning: pc.yellow,
    info: pc.green,
    debug: pc.cyan,
    trace: pc.blue,
  };
}

/** `INFO:     `, with the colour on the level only. */
export function levelPrefix(level: LogLevel, colours: boolean): string {
  const name = level.toUpperCase();
  return `${painters(colours)[level](name)}:${" ".repeat(Math.max(1, MESSAGE_COLUMN - 1 - name.length))}`;
}

// C0 less tab and line feed, DEL, C1, and the separators that some terminals and log readers break lines at.
// biome-ignore lint/suspicious/noControlCharactersInRegex: finding control characters is the purpose
const UNSAFE = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above
const UNSAFE_OR_BREAK = /[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]/g;

function escapeCharacter(character: string): string {
  if (character === "\n") return `\n${" ".repeat(MESSAGE_COLUMN)}`;
  const code = character.charCodeAt(0);
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
}

/**
 * Makes a message harmless for terminals and for those who read the log by lines: control characters are escaped, and
 * lines after the first are indented, so that nothing a peer sent can look like a line of the log.
 */
export function sanitizeMessage(message: string): string {
  if (!UNSAFE.test(message) && !message.includes("\n")) return message;
  return message.replace(UNSAFE_OR_BREAK, escapeCharacter);
}

/** A logger that hands whole lines to `write` (a runtime's `writeErr`). */
export function createLogger(write: (line: string) => void, options: LogOptions): Logger {
  const threshold = LOG_LEVELS.indexOf(options.level);
  const label = options.label === undefined ? "" : `[${options.label}] `;
  const at = (level: LogLevel): ((message: string) => void) => {
    if (LOG_LEVELS.indexOf(level) > threshold) return () => {};
    const prefix = levelPrefix(level, options.colours) + label;
    return (message) => write(`${prefix}${sanitizeMessage(message)}\n`);
  };
  return {
    critical: at("critical"),
    error: at("error"),
    warning: at("warning"),
    info: at("info"),
    debug: at("debug"),
    trace: at("trace"),
    enabled: (level) => LOG_LEVELS.indexOf(level) <= threshold,
  };
}
