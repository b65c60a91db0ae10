/**
 * The groups of workload rows: their servers, and where those are installed.
 */

import { type Provision, providePython, provideWeb } from "./provision.ts";
import { PYTHON_SERVERS } from "./python-servers.ts";
import { parseVariant, type RowServer, type Selection, selectServers } from "./row-servers.ts";
import { WEB_SERVERS } from "./web-servers.ts";
import type { Workload } from "./workloads.ts";

export const ROW_SERVERS: readonly RowServer[] = [...WEB_SERVERS, ...PYTHON_SERVERS];

const isWeb = (workload: Workload) => workload.app === "web";

/** The servers of a workload's rows that the selection leaves. */
export function serversOf(workload: Workload, selection: Selection): RowServer[] {
  const group = isWeb(workload) ? WEB_SERVERS : PYTHON_SERVERS;
  return selectServers(group, selection).filter(
    (server) => server.serves(workload) && (workload.servers?.includes(parseVariant(server.id).id) ?? true),
  );
}

export function provide(workload: Workload, progress: (line: string) => void): Promise<Provision> {
  return isWeb(workload) ? provideWeb(progress) : providePython(progress);
}
