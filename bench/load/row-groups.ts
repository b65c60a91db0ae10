/**
 * The groups of workload rows: their servers, and where those are installed.
 */
import { type Provision, providePython, provideWeb } from "./provision.ts";
import { PYTHON_SERVERS } from "./python-servers.ts";
import { parseVariant, type RowServer, type Selection, selectServers } from "./row-servers.ts";
import { PYTHON_SOCKET_SERVERS, SOCKET_SERVERS } from "./socket-servers.ts";
import { WEB_SERVERS } from "./web-servers.ts";
import type { Workload } from "./workloads.ts";

export const ROW_SERVERS: readonly RowServer[] = [
  ...WEB_SERVERS,
  ...PYTHON_SERVERS,
  ...SOCKET_SERVERS,
  ...PYTHON_SOCKET_SERVERS,
];

const GROUPS: Readonly<Record<Workload["app"], readonly RowServer[]>> = {
  web: WEB_SERVERS,
  plain: PYTHON_SERVERS,
  fastapi: PYTHON_SERVERS,
  starlette: PYTHON_SERVERS,
  flask: PYTHON_SERVERS,
  socket: SOCKET_SERVERS,
  "python-socket": PYTHON_SOCKET_SERVERS,
};

/** The servers of a workload's rows that the selection leaves. */
export function serversOf(workload: Workload, selection: Selection): RowServer[] {
  return selectServers(GROUPS[workload.app], selection).filter(
    (server) => server.serves(workload) && (workload.servers?.includes(parseVariant(server.id).id) ?? true),
  );
}

/** @param signal gives the installation up */
export function provide({ app }: Workload, progress: (line: string) => void, signal?: AbortSignal): Promise<Provision> {
  const install = app === "web" || app === "socket" ? provideWeb : providePython;
  return install(progress, signal);
}
