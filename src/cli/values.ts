/** Parsers of option values: text from the command line or the environment in, a typed value or the reason why not out. */
import type { LogLevel } from "../observe/log.ts";
import { LOG_LEVELS } from "../observe/log.ts";
import type { LifespanMode } from "../server/options.ts";
import { MOST_TIMER_MS } from "../server/ranges.ts";

/** Says what a value must be, to stand behind "must be": "a whole number from 0 to 65535". */
export class ValueError extends Error {
  override readonly name = "ValueError";
}

/** One kind of value. */
export interface Kind<T> {
  /** Placeholder in the help, such as `<port>`; empty for a switch that takes no value. */
  readonly placeholder: string;
  /** Each use on the command line adds a value. */
  readonly repeatable: boolean;
  /**
   * Reads the texts given: one, or several when `repeatable`.
   * @throws ValueError
   */
  parse(texts: readonly string[]): T;
  /** The value as a user would write it; empty when there is nothing to show. */
  show(value: T): string;
  /** Splits one environment variable into the texts of a repeatable option. */
  split(text: string): string[];
}

function single<T>(placeholder: string, parse: (text: string) => T, show: (value: T) => string = String): Kind<T> {
  return {
    placeholder,
    repeatable: false,
    parse: (texts) => parse(texts[texts.length - 1]),
    show,
    split: (text) => [text],
  };
}

function nonEmpty(what: string): (text: string) => string {
  return (text) => {
    if (text === "") throw new ValueError(`${what}, not empty`);
    if (text.includes("\0")) throw new ValueError(`${what} without NUL characters`);
    return text;
  };
}

/** A text that is not empty; `what` describes it: "a path". */
export function text(placeholder: string, what: string): Kind<string> {
  return single(placeholder, nonEmpty(what));
}

/** As `text`, for an option that may be absent. */
export function optionalText(placeholder: string, what: string): Kind<string | undefined> {
  return single<string | undefined>(placeholder, nonEmpty(what), (value) => value ?? "");
}

const DIGITS = /^[0-9]+$/;

/** A whole number within limits. */
export function integer(placeholder: string, least: number, most: number): Kind<number> {
  const range = most === Number.MAX_SAFE_INTEGER ? `of ${least} or more` : `from ${least} to ${most}`;
  return single(placeholder, (given) => {
    const value = DIGITS.test(given) ? Number(given) : Number.NaN;
    if (!(value >= least && value <= most)) throw new ValueError(`a whole number ${range}`);
    return value;
  });
}

const AUTO_WORD = "auto";

/** A number of processes, 1 or more, or `auto`, which is 0. */
export function countOrAuto(most: number): Kind<number> {
  return single(
    "<count>",
    (given) => {
      if (given.toLowerCase() === AUTO_WORD) return 0;
      const value = DIGITS.test(given) ? Number(given) : Number.NaN;
      if (!(value >= 1 && value <= most)) throw new ValueError(`a whole number from 1 to ${most}, or ${AUTO_WORD}`);
      return value;
    },
    (value) => (value === 0 ? AUTO_WORD : `${value}`),
  );
}

const SECONDS = /^[0-9]+(\.[0-9]+)?$/;
const LONGEST_TIMER_S = Math.floor(MOST_TIMER_MS / 1000);

/** Seconds, with decimals; the value is in milliseconds. */
export function seconds(): Kind<number> {
  return single(
    "<seconds>",
    (given) => {
      const value = SECONDS.test(given) ? Number(given) : Number.NaN;
      if (!(value >= 0 && value <= LONGEST_TIMER_S)) {
        throw new ValueError(`a number of seconds from 0 to ${LONGEST_TIMER_S}, such as 5 or 0.5`);
      }
      return Math.round(value * 1000);
    },
    (milliseconds) => `${milliseconds / 1000}`,
  );
}

const SIZE = /^([0-9]+)(k|m|g)?(i?b)?$/i;
const SIZE_FACTORS: Record<string, number> = { "": 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

/** Bytes, with k, m or g for the powers of 1024: 512, 16k, 4m. */
export function size(least = 0, most = Number.MAX_SAFE_INTEGER): Kind<number> {
  const from = least > 0 ? ` of ${least} or more` : "";
  const range = most === Number.MAX_SAFE_INTEGER ? from : ` from ${least} to ${showSize(most)}`;
  return single(
    "<size>",
    (given) => {
      const match = SIZE.exec(given);
      const value = match === null ? Number.NaN : Number(match[1]) * SIZE_FACTORS[(match[2] ?? "").toLowerCase()];
      if (!(value >= least && value <= most)) throw new ValueError(`a size in bytes${range}, such as 512, 16k or 4m`);
      return value;
    },
    showSize,
  );
}

/** 16384 as "16k". */
export function showSize(bytes: number): string {
  for (const unit of ["g", "m", "k"]) {
    if (bytes !== 0 && bytes % SIZE_FACTORS[unit] === 0) return `${bytes / SIZE_FACTORS[unit]}${unit}`;
  }
  return `${bytes}`;
}

const OCTAL = /^(0o)?[0-7]{3,4}$/i;

/** Permission bits in octal: 666, 0660. */
export function octal(): Kind<number> {
  return single(
    "<mode>",
    (given) => {
      const value = OCTAL.test(given) ? Number.parseInt(given.replace(/^0o/i, ""), 8) : Number.NaN;
      if (!(value <= 0o777)) throw new ValueError("permission bits in octal from 000 to 777, such as 660");
      return value;
    },
    (value) => value.toString(8).padStart(3, "0"),
  );
}

/** One word of a few. */
export function choice<T extends string>(placeholder: string, words: readonly T[]): Kind<T> {
  return single(placeholder, (given) => {
    const found = words.find((word) => word === given.toLowerCase());
    if (found === undefined) throw new ValueError(`${words.slice(0, -1).join(", ")} or ${words[words.length - 1]}`);
    return found;
  });
}

export const LIFESPAN_MODES: readonly LifespanMode[] = ["auto", "on", "off"];
export const lifespan: Kind<LifespanMode> = choice("<mode>", LIFESPAN_MODES);
export const logLevel: Kind<LogLevel> = choice("<level>", LOG_LEVELS);

const TRUE_WORDS = ["1", "true", "yes", "on"];
const FALSE_WORDS = ["0", "false", "no", "off"];

function parseSwitch(given: string): boolean {
  const word = given.toLowerCase();
  if (TRUE_WORDS.includes(word)) return true;
  if (FALSE_WORDS.includes(word)) return false;
  throw new ValueError("1, true, yes, on, 0, false, no or off");
}

/** On or off: `--name`, `--no-name`; in the environment a word. */
export const toggle: Kind<boolean> = single("", parseSwitch, (value) => (value ? "on" : "off"));
/** As `toggle`, decided by the server when it is not given. */
export const optionalToggle: Kind<boolean | undefined> = single<boolean | undefined>("", parseSwitch, (value) =>
  value === undefined ? "automatic" : value ? "on" : "off",
);

/** Texts of one repeatable option; in the environment a list with commas. */
export function list(placeholder: string, what: string): Kind<readonly string[]> {
  const check = nonEmpty(what);
  return {
    placeholder,
    repeatable: true,
    parse: (texts) => texts.map(check),
    show: (values) => values.join(","),
    split: commas,
  };
}

const ONLY_SLASHES = /^\.?\/*$/;

/** Patterns of file names and paths. */
export function globs(): Kind<readonly string[]> {
  const texts = list("<glob>", "a pattern");
  const check = (pattern: string): string => {
    if (ONLY_SLASHES.test(pattern)) throw new ValueError("a pattern of file names or paths, such as *.html or docs/**");
    return pattern;
  };
  return { ...texts, parse: (given) => texts.parse(given).map(check) };
}

function commas(given: string): string[] {
  return given
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

// RFC 9110 section 5.6.2: token.
const FIELD_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
// RFC 9110 section 5.5: field-value, visible ASCII, space, tab and obs-text.
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
/** The server frames messages itself: these names can't be given. */
const FRAMING_FIELDS = ["connection", "content-length", "keep-alive", "trailer", "transfer-encoding", "upgrade"];

function parseField(given: string): readonly [string, string] {
  const colon = given.indexOf(":");
  const name = colon === -1 ? "" : given.slice(0, colon).trim();
  const value = given.slice(colon + 1).trim();
  if (!FIELD_NAME.test(name) || !FIELD_VALUE.test(value)) {
    throw new ValueError("NAME:VALUE with an HTTP field name and a value in ISO 8859-1 without control characters");
  }
  if (FRAMING_FIELDS.includes(name.toLowerCase()))
    throw new ValueError(`a field other than ${name}, which the server sets`);
  return [name, value];
}

/** Header fields `NAME:VALUE`; in the environment one per line. */
export const fields: Kind<readonly (readonly [string, string])[]> = {
  placeholder: "<name:value>",
  repeatable: true,
  parse: (texts) => texts.map(parseField),
  show: (values) => values.map(([name, value]) => `${name}:${value}`).join("\n"),
  split: (given) => given.split("\n").filter((line) => line.trim() !== ""),
};

/** A path prefix: "" or one that begins with a slash; a slash at the end is dropped. */
export const pathPrefix: Kind<string> = single("<path>", (given) => {
  const prefix = given.replace(/\/+$/, "");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must not be there
  if (prefix !== "" && (!prefix.startsWith("/") || /[?#\x00-\x20\x7f]/.test(prefix))) {
    throw new ValueError("a path that begins with /, without query, fragment or spaces");
  }
  return prefix;
});
