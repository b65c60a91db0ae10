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
  /** Worker processes, where a variant (`granian*2`) names them. */
  readonly workers: number | undefined;
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
  readonly group: "python" | "web";
  readonly ours: boolean;
  /** Packages that must have been installed for it; the key "never" says why it can't be had at all. */
  readonly needs: readonly string[];
  readonly never?: string;
  readonly workers?: number;
  serves(workload: Workload): boolean;
  launch(site: Site): Launch;
}

export interface Selection {
  /** Ids of `--servers`, `granian*2` for two workers; undefined: all. */
  readonly names: readonly string[] | undefined;
  /** Beginnings of ids of `--against`; undefined: all. Ours always stay. */
  readonly against: readonly string[] | undefined;
}

/** `gunicorn` names gunicorn-asgi and gunicorn-gthread; `granian` names granian and granian-wsgi. */
export function isNamed(id: string, beginnings: readonly string[]): boolean {
  return beginnings.some((name) => id === name || id.startsWith(`${name}-`));
}

/** Splits `granian*2`. @throws PlainError when the number is none */
export function parseVariant(name: string): { id: string; workers: number | undefined } {
  const [id, count, ...rest] = name.split("*");
  if (count === undefined) return { id, workers: undefined };
  if (rest.length > 0 || !/^[1-9]\d*$/.test(count)) {
    throw new PlainError(`"${name}" is no server: write granian*2 for two workers.`);
  }
  return { id, workers: Number(count) };
}

/** The servers of a row, variants made. Names that are no row's server are passed over: others may know them. */
export function selectServers(all: readonly RowServer[], selection: Selection): RowServer[] {
  const { names, against } = selection;
  if (names !== undefined) {
    return names.flatMap((name) => {
      const { id, workers } = parseVariant(name);
      const found = all.find((server) => server.id === id);
      if (found === undefined) return [];
      if (workers === undefined) return [found];
      return [{ ...found, id: name, title: `${found.title}, workers: ${workers}`, workers }];
    });
  }
  return all.filter((server) => server.ours || against === undefined || isNamed(server.id, against));
}
