/**
 * The servers of the WebSocket rows. Compression is off where the client does not ask for it; `deflate` lets it.
 */
import { join } from "node:path";
import { type ProgramName, program, ROOT } from "./programs.ts";
import {
  address,
  BACKLOG,
  BACKPRESSURE,
  ours as oursPython,
  peerWorkers,
  peer as pythonPeer,
} from "./python-servers.ts";
import type { Launch, RowServer, Site } from "./row-servers.ts";

const DENO_FLAGS = ["run", "-A", "--unstable-net"] as const;
const NO_FLAGS: readonly string[] = [];

const serves: RowServer["serves"] = (workload) => workload.app === "socket";
const servesPython: RowServer["serves"] = (workload) => workload.app === "python-socket";

function ours(runtime: "bun" | "deno", { port }: Site): Launch {
  const flags = runtime === "bun" ? ["--no-env-file", "--no-install"] : DENO_FLAGS;
  return {
    command: [
      ...[program(runtime), ...flags, join(ROOT, "src/cli/main.ts"), join(ROOT, "bench/apps/ws-echo.ts")],
      ...["--host", "127.0.0.1", "--port", String(port), "--no-access-log", "--log-level", "warning"],
      ...["--no-exit-with-parent"],
    ],
  };
}

function peer(id: string, title: string, runtime: ProgramName, file: string): RowServer {
  const flags = runtime === "deno" ? DENO_FLAGS : NO_FLAGS;
  return {
    ...{ id, title, group: "websocket", ours: false, needs: [], serves },
    launch: ({ port }) => ({ command: [program(runtime), ...flags, `bench/peers/${file}`, String(port)], cwd: ROOT }),
  };
}

export const SOCKET_SERVERS: readonly RowServer[] = [
  {
    ...{ id: "ringcorn-bun", title: "Ringcorn on Bun", group: "websocket", ours: true, needs: [], serves },
    launch: (site) => ours("bun", site),
  },
  {
    ...{ id: "ringcorn-deno", title: "Ringcorn on Deno", group: "websocket", ours: true, needs: [], serves },
    launch: (site) => ours("deno", site),
  },
  peer("bun-serve", "Bun.serve", "bun", "ws-bun-serve.ts"),
  peer("deno-serve", "Deno.serve", "deno", "ws-deno-serve.ts"),
  {
    // With bufferutil, the native masking that its documentation advises: ws takes it where it is installed beside it.
    ...{ id: "ws-node", title: "ws on Node", group: "websocket", ours: false, needs: ["ws", "bufferutil"], serves },
    launch: ({ port, directory }) => ({ command: [program("node"), "ws-node.mjs", String(port)], cwd: directory }),
  },
];

const PYTHON_PEER = { group: "python", ours: false, serves: servesPython } as const;

function uvicorn(implementation: "websockets" | "websockets-sansio" | "wsproto"): RowServer {
  return {
    ...PYTHON_PEER,
    id: `uvicorn-${implementation}`,
    title: `uvicorn, ${implementation}`,
    needs: ["uvicorn", "uvloop", ...(implementation === "wsproto" ? ["wsproto"] : [])],
    launch: (site) =>
      pythonPeer(
        site,
        "uvicorn",
        ...["--host", "127.0.0.1", "--port", String(site.port), "--workers", peerWorkers(site)],
        ...["--loop", "uvloop", "--ws", implementation, "--backlog", BACKLOG],
        ...["--no-access-log", "--log-level", "warning"],
      ),
  };
}

const OUR_PYTHON = { group: "python", ours: true, needs: ["uvloop"], serves: servesPython } as const;

export const PYTHON_SOCKET_SERVERS: readonly RowServer[] = [
  { ...OUR_PYTHON, id: "ringcorn-bun-python", title: "Ringcorn on Bun", launch: (site) => oursPython("bun", site) },
  { ...OUR_PYTHON, id: "ringcorn-deno-python", title: "Ringcorn on Deno", launch: (site) => oursPython("deno", site) },
  uvicorn("websockets"),
  uvicorn("websockets-sansio"),
  uvicorn("wsproto"),
  {
    ...PYTHON_PEER,
    id: "granian",
    title: "granian",
    needs: ["granian", "uvloop"],
    launch: (site) =>
      pythonPeer(
        site,
        "granian",
        ...["--host", "127.0.0.1", "--port", String(site.port), "--workers", peerWorkers(site), "--backlog", BACKLOG],
        ...BACKPRESSURE,
        ...["--http", "1", "--ws", "--no-access-log", "--log-level", "warning", "--interface", "asgi"],
        ...["--loop", "uvloop"],
      ),
  },
  {
    ...PYTHON_PEER,
    id: "hypercorn",
    title: "hypercorn",
    needs: ["hypercorn", "uvloop"],
    launch: (site) =>
      pythonPeer(
        site,
        "hypercorn",
        ...["--bind", address(site), "--workers", peerWorkers(site), "--worker-class", "uvloop"],
        ...["--backlog", BACKLOG, "--log-level", "warning"],
      ),
  },
];
