/**
 * The scaling rows: how processor time for a request grows with the number of connections and with the size of the body.
 * The suite's own client asks in a closed loop, on connections that stood and were in use before the measurement began.
 */
import type { Workload } from "./workloads.ts";

const CONNECTIONS = [1, 8, 64, 512, 4_096, 10_000] as const;
const BODIES = [
  [0, "0"],
  [1_024, "1kb"],
  [10_240, "10kb"],
  [102_400, "100kb"],
  [1_024 ** 2, "1mb"],
  [10 * 1_024 ** 2, "10mb"],
] as const;
/** Few, so that a server of 10 MB answers does not need a gigabyte for them. */
const BODY_CONNECTIONS = 16;
const HELLO = "Hello, world!";

interface Group {
  readonly name: "scaling" | "python-scaling";
  readonly app: "web" | "plain";
  readonly servers: readonly string[];
}

/** Of the servers those that the goals name: a curve has as many turns as points. */
const GROUPS: readonly Group[] = [
  { name: "scaling", app: "web", servers: ["ringcorn-bun", "ringcorn-deno", "bun-serve", "deno-serve", "node-http"] },
  {
    name: "python-scaling",
    app: "plain",
    servers: ["ringcorn-bun-python", "ringcorn-deno-python", "uvicorn", "granian"],
  },
];

function rowsOf({ name, app, servers }: Group): Workload[] {
  const common = { app, servers, type: "text/plain;charset=utf-8", cores: [1], own: true } as const;
  const byConnections = CONNECTIONS.map(
    (connections): Workload => ({
      ...common,
      name: `${name}/connections-${connections}`,
      about: "GET, 13 bytes",
      request: { method: "GET", path: "/" },
      body: HELLO,
      connections,
      curve: { name: `${name}/connections`, by: "connections", label: connections.toLocaleString("en") },
    }),
  );
  const byBody = BODIES.map(
    ([bytes, label]): Workload => ({
      ...common,
      name: `${name}/body-${label}`,
      about: `GET, ${bytes.toLocaleString("en")} bytes`,
      request: { method: "GET", path: `/body/${bytes}` },
      body: "x".repeat(bytes),
      connections: BODY_CONNECTIONS,
      curve: { name: `${name}/body`, by: "bytes of the body", label: bytes.toLocaleString("en") },
    }),
  );
  return [...byConnections, ...byBody];
}

/** The Python rows run on several numbers of cores anyway. */
const BY_CORES: Workload = {
  name: "scaling/cores",
  about: "GET, 13 bytes, a process for each core",
  app: "web",
  servers: GROUPS[0].servers,
  request: { method: "GET", path: "/" },
  body: HELLO,
  type: "text/plain;charset=utf-8",
  connections: 64,
};

export const SCALING_WORKLOADS: readonly Workload[] = [BY_CORES, ...GROUPS.flatMap(rowsOf)];
