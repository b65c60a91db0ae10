/**
 * The servers of the workload rows: a common form for those in python-servers.ts and web-servers.ts, and how they are
 * chosen by name.
 */
import { PlainError } from "../../src/runtime/types.ts";
import type { Workload } from "./workloads.ts";

/** What a server's command is made for. */
export interface Site {
  readonly workload: Workload;
  readonly port: number;
  /** Cores of the server. */
  readonly cores: number;
  /** Worker processes, where a variant (`granian*2`) names them or the row does. */
  readonly workers: number | undefined;
  /** Ringcorn's own: processes that own the connections. */
  readonly fronts: number | undefined;
  /** Where the suite has installed the peers of this group. */
  readonly directory: string;
}

export interface Launch {
  readonly command: readonly string[];
  /** Working directory; undefined: the tree's root. */
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface RowServer {
  readonly id: string;
  readonly title: string;
  readonly group: "python" | "web" | "websocket";
  readonly ours: boolean;
  /** Packages that must have been installed for it; the key "never" says why it can't be had at all. */
  readonly needs: readonly string[];
  readonly never?: string;
  readonly workers?: number;
  readonly fronts?: number;
  serves(workload: Workload): boolean;
  launch(site: Site): Launch;
}

export interface Selection {
  /** Ids of `--servers`, `granian*2` for two workers; undefined: all. */
  readonly names: readonly string[] | undefined;
  /** Beginnings of ids of `--against`; undefined: all. Ours always stay. */
  readonly against: readonly string[] | undefined;
}

/**
 * Splits worth trying on so many cores: one worker fewer than cores, as many, one more; for ours behind one front, and as
 * many fronts as cores too.
 */
export function splitsFor(cores: number, ours: boolean): Split[] {
  const splits = [cores - 1, cores, cores + 1]
    .filter((workers) => workers > 0)
    .map((workers): Split => ({ workers, fronts: ours ? 1 : undefined }));
  return ours && cores > 1 ? [...splits, { workers: cores, fronts: cores }] : splits;
}

/** `gunicorn` names gunicorn-asgi and gunicorn-gthread; `granian` names granian and granian-wsgi. */
export function isNamed(id: string, beginnings: readonly string[]): boolean {
  return beginnings.some((name) => id === name || id.startsWith(`${name}-`));
}

export interface Split {
  readonly workers: number | undefined;
  readonly fronts: number | undefined;
}

/** `granian*2`, or `ringcorn-bun-python*4/2`: four workers shared by two fronts. @throws PlainError for other numbers */
export function parseVariant(name: string): Split & { readonly id: string } {
  const [id, counts, ...rest] = name.split("*");
  if (counts === undefined) return { id, workers: undefined, fronts: undefined };
  const match = /^([1-9]\d*)(?:\/([1-9]\d*))?$/.exec(counts);
  if (rest.length > 0 || match === null) {
    throw new PlainError(`"${name}" is no server: write granian*2 for two workers, *4/2 for four and two fronts.`);
  }
  return { id, workers: Number(match[1]), fronts: match[2] === undefined ? undefined : Number(match[2]) };
}

/** Such as `2 workers` or `4 workers, 2 fronts`. */
export function splitText({ workers, fronts }: Split): string {
  const count = (number: number, what: string) => `${number} ${what}${number === 1 ? "" : "s"}`;
  if (workers === undefined) return "as configured";
  return count(workers, "worker") + (fronts === undefined ? "" : `, ${count(fronts, "front")}`);
}

/** The servers of a row, variants made. Names that are no row's server are passed over: others may know them. */
export function selectServers(all: readonly RowServer[], selection: Selection): RowServer[] {
  const { names, against } = selection;
  if (names !== undefined) {
    return names.flatMap((name) => {
      const { id, ...split } = parseVariant(name);
      const found = all.find((server) => server.id === id);
      if (found === undefined) return [];
      if (split.workers === undefined) return [found];
      return [{ ...found, id: name, title: `${found.title}, ${splitText(split)}`, ...split }];
    });
  }
  return all.filter((server) => server.ours || against === undefined || isNamed(server.id, against));
}
