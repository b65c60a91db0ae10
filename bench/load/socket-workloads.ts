/**
 * The WebSocket rows: echoes of three sizes on three numbers of connections, and broadcasts, for TypeScript applications
 * (websocket/...) and Python ones (python-websocket/...).
 */
import type { SocketSpec, Workload } from "./workloads.ts";
import { payloadOf } from "./ws-frames.ts";

const ECHO_BYTES = [
  ["16b", 16, "16 bytes"],
  ["1kb", 1_024, "1 KB"],
  ["64kb", 65_536, "64 KB"],
] as const;
const ECHO_CONNECTIONS = [1, 64, 1_000] as const;
const BROADCAST_BYTES = 128;
const BROADCAST_CLIENTS = [32, 1_000] as const;

function row(
  app: "socket" | "python-socket",
  name: string,
  about: string,
  connections: number,
  socket: SocketSpec,
): Workload {
  const group = app === "socket" ? "websocket" : "python-websocket";
  return {
    name: `${group}/${name}`,
    about,
    app,
    request: { method: "GET", path: `/${socket.mode}` },
    body: Buffer.from(payloadOf(socket.bytes)).toString("latin1"),
    type: "",
    connections,
    // A broadcast reaches the clients of one process; an echo is compared under the same terms.
    cores: [1],
    socket,
  };
}

function rowsOf(app: "socket" | "python-socket"): Workload[] {
  const echoes = ECHO_BYTES.flatMap(([size, bytes, words]) =>
    ECHO_CONNECTIONS.map((connections) => {
      const about = `WebSocket, a text of ${words} comes back`;
      return row(app, `echo-${size}-${connections}`, about, connections, { mode: "echo", bytes });
    }),
  );
  const broadcasts = BROADCAST_CLIENTS.map((clients) => {
    const about = `WebSocket, one client's text of ${BROADCAST_BYTES} bytes goes to all; messages received, latency of the last to get it`;
    return row(app, `broadcast-${clients}`, about, clients, { mode: "broadcast", bytes: BROADCAST_BYTES });
  });
  return [...echoes, ...broadcasts];
}

export const SOCKET_WORKLOADS: readonly Workload[] = rowsOf("socket");
export const PYTHON_SOCKET_WORKLOADS: readonly Workload[] = rowsOf("python-socket");
