/** The command line: from the option table to a commander program, and its answers back to texts. */
import { Command, CommanderError, Help, Option } from "commander";
import picocolors from "picocolors";
import { nearest } from "../apps/nearest.ts";
import { GROUPS, hasNegation, isSwitch, OPTIONS, type OptionRow, variableOf } from "./options.ts";
import { type Given, UsageError } from "./resolve.ts";
import { uvicornAdvice } from "./uvicorn-names.ts";

/** The command line asks for a text instead of a server: `--help` and `--version`. */
export interface Answer {
  readonly text: string;
}

export interface ParseSettings {
  readonly version: string;
  /** Width of the help's lines, in columns. */
  readonly columns: number;
  readonly colours: boolean;
}

const DESCRIPTION = "Serves an ASGI application over HTTP.";
const APP_HELP = "./app.ts, ./app.ts:name, main:app for Python, or nothing for the built-in demo";
const FOOTER = `Each option can be set in the environment too: --reload-dir as RINGCORN_RELOAD_DIR (a list: a,b).
Sizes are bytes, or 16k, 4m, 1g. Signals: SIGINT and SIGTERM stop gracefully, a second one at once;
with Python, --workers, --reload or --limit-max-requests SIGHUP replaces the workers one by one,
SIGTTIN and SIGTTOU add and remove one.`;

/** Commander keeps both `--name` and `--no-name` as options of their own: the help shows them as one. */
class GroupedHelp extends Help {
  override visibleOptions(command: Command): Option[] {
    return super.visibleOptions(command).filter((option) => !isTwinNegation(command, option));
  }

  override optionTerm(option: Option): string {
    const row = OPTIONS.find(({ name }) => option.long === `--${name}`);
    if (row === undefined || !hasNegation(row)) return super.optionTerm(option);
    return `--${row.name}, --no-${row.name}`;
  }
}

function isTwinNegation(command: Command, option: Option): boolean {
  return option.negate && command.options.some(({ long }) => long === option.long?.replace("--no-", "--"));
}

function describe(row: OptionRow): string {
  return row.shownDefault === "" || (isSwitch(row) && row.shownDefault === "off")
    ? row.description
    : `${row.description} [${row.shownDefault}]`;
}

function addOption(program: Command, row: OptionRow): void {
  const flags = isSwitch(row) ? `--${row.name}` : `--${row.name} ${row.kind.placeholder}`;
  const option = new Option(flags, describe(row)).helpGroup(`${row.group}:`);
  if (row.kind.repeatable) {
    option.argParser((text: string, before: string[] | undefined) => [...(before ?? []), text]);
  }
  program.addOption(option);
  if (isSwitch(row)) {
    program.addOption(new Option(`--no-${row.name}`).helpGroup(`${row.group}:`).hideHelp(!hasNegation(row)));
  }
}

function buildProgram(settings: ParseSettings, output: string[]): Command {
  const pc = picocolors.createColors(settings.colours);
  const program = new Command("ringcorn");
  program.createHelp = () =>
    Object.assign(new GroupedHelp(), {
      helpWidth: settings.columns,
      styleTitle: (title: string) => pc.bold(title),
      styleOptionTerm: (term: string) => pc.cyan(term),
    });
  program
    .description(DESCRIPTION)
    .usage("[options] [app]")
    .argument("[app]", APP_HELP)
    .exitOverride()
    .showSuggestionAfterError(false)
    .configureOutput({
      writeOut: (text) => output.push(text),
      writeErr: () => {},
      getOutHelpWidth: () => settings.columns,
      getOutHasColors: () => settings.colours,
    });
  for (const group of GROUPS) {
    for (const row of OPTIONS) if (row.group === group) addOption(program, row);
  }
  program.addOption(new Option("--version", "Print the versions and exit.").helpGroup("Help:"));
  program.addHelpOption(new Option("-h, --help", "Print this text and exit.").helpGroup("Help:"));
  program.addHelpText("after", `\n${FOOTER}`);
  return program;
}

/** Commander's attribute name: `reload-dir` is `reloadDir`. */
function attributeOf(name: string): string {
  return name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function textsOf(value: unknown): readonly string[] {
  if (typeof value === "boolean") return [value ? "on" : "off"];
  return Array.isArray(value) ? (value as string[]) : [String(value)];
}

function namesOfFlags(): string[] {
  const switches = OPTIONS.filter(isSwitch).map(({ name }) => `--no-${name}`);
  return [...OPTIONS.map(({ name }) => `--${name}`), ...switches, "--help", "--version"];
}

/** Commander's refusals in this program's words. @param words what is left when options and their values are taken out */
function usageError(error: CommanderError, words: readonly string[]): UsageError {
  const named = /'([^']*)'/.exec(error.message)?.[1] ?? "";
  const flag = named.split(" ")[0];
  switch (error.code) {
    case "commander.unknownOption": {
      const name = flag.split("=")[0];
      if (namesOfFlags().includes(name)) return new UsageError(`${name} takes no value.`);
      const known = uvicornAdvice(name);
      if (known !== undefined) return new UsageError(`There is no option ${flag}; ${known}.`);
      const meant = nearest(name, namesOfFlags());
      const advice = meant === undefined ? "ringcorn --help lists them all" : `did you mean ${meant}?`;
      return new UsageError(`There is no option ${flag}; ${advice}${meant === undefined ? "." : ""}`);
    }
    case "commander.optionMissingArgument":
      return new UsageError(`${flag} needs a value: ${named}.`);
    case "commander.excessArguments":
      return new UsageError(`One application can be served, but more words are given (${words.join(" ")}).`);
    default:
      return new UsageError(error.message.replace(/^error: /, "").replaceAll("\n", " "));
  }
}

/**
 * Reads the command line.
 * @returns the texts given, or the answer to `--help` and `--version`
 * @throws UsageError
 */
export function parseArguments(argv: readonly string[], settings: ParseSettings): Given | Answer {
  const output: string[] = [];
  const program = buildProgram(settings, output);
  try {
    program.parse(argv, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.code === "commander.helpDisplayed") return { text: output.join("") };
    throw usageError(error, program.args);
  }
  if (program.getOptionValueSource("version") === "cli") return { text: `${settings.version}\n` };
  const flags = new Map<string, readonly string[]>();
  for (const row of OPTIONS) {
    const attribute = attributeOf(row.name);
    if (program.getOptionValueSource(attribute) === "cli") {
      flags.set(row.name, textsOf(program.getOptionValue(attribute)));
    }
  }
  return { app: program.args[0], flags };
}

/** docs/options.md. */
export function optionsDocument(): string {
  const lines = [
    "# Options",
    "",
    "`ringcorn [options] [app]`: the application is a path such as `./app.ts`, or `./app.ts:name` for a named export;",
    "or `main:app` for a Python module; without it the built-in demo is served. `RINGCORN_APP` names it in the environment.",
    "",
    "The command line comes before the environment, the environment before the default. Lists in the environment are",
    "written with commas (`RINGCORN_HEADER`: one field per line); switches are `1`, `true`, `yes`, `on` or `0`, `false`,",
    "`no`, `off`; a variable that is set but empty counts as not set. A file given with `--env-file` adds variables that are",
    "not set yet. Sizes are bytes, or `16k`, `4m`, `1g`; what is held whole (a request line, a head, a trailer section, a",
    "WebSocket frame or message) may be limited to no more than `256m`. Times are seconds, decimals allowed, up to 2147483;",
    "0 is over at once where the table does not say what else it means.",
    "",
    "Exit codes: 0 after a graceful stop, also one forced by the deadline; 1 when the server could not start or was ended",
    "by a second signal (uvicorn ends with 3 when the application's startup fails); 2 for a mistake in the options.",
  ];
  for (const group of GROUPS) {
    lines.push("", `## ${group}`, "", "| Option | Variable | Default | Meaning |", "|---|---|---|---|");
    for (const row of OPTIONS) if (row.group === group) lines.push(documentRow(row));
  }
  return `${lines.join("\n")}\n`;
}

function documentRow(row: OptionRow): string {
  const placeholder = row.kind.placeholder === "" ? "" : ` ${row.kind.placeholder}`;
  const twin = hasNegation(row) ? `, \`--no-${row.name}\`` : "";
  const cells = [
    `\`--${row.name}${placeholder}\`${twin}`,
    `\`${variableOf(row.name)}\``,
    row.shownDefault,
    row.description,
  ];
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}
