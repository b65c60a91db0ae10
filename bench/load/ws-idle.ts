/**
 * What an idle WebSocket costs: opens many, exchanges one message on each, waits, and compares the server's memory with
 * that before.
 *
 *   bun bench/load/ws-idle.ts [CONNECTIONS] [bun|deno] [deflate]
 */
import { spawn } from "node:child_process";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { memory } from "./procfs.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const connections = Number(process.argv[2] ?? 10_000);
const runtime = process.argv[3] ?? "bun";
const deflate = process.argv[4] === "deflate" ? "Sec-WebSocket-Extensions: permessage-deflate\r\n" : "";
const PORT = 18_790;
const WARM = 200;
const AT_ONCE = 64;
const SETTLE_MS = 4000;
const HANDSHAKE = `GET /echo HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${deflate}\r\n`;
/** "hi" under a key of zeros. */
const FRAME = Uint8Array.of(0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69);

const program =
  runtime === "bun"
    ? [join(ROOT, "node_modules", "bun", "bin", "bun.exe")]
    : [join(ROOT, "node_modules", "deno", "deno"), "run", "-A", "--unstable-net"];
const [file, ...args] = program;
const app = ["src/cli/main.ts", "bench/apps/ws-echo.ts:app", "--port", `${PORT}`, "--no-access-log"];
const server = spawn(file, [...args, ...app, "--log-level=error", "--ws-ping-interval=0"], {
  cwd: ROOT,
  stdio: ["ignore", "inherit", "inherit"],
});

function open(index: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      port: PORT,
      host: "127.0.0.1",
      localAddress: `127.0.0.${2 + Math.floor(index / 10_000)}`,
    });
    let text = "";
    socket.on("error", reject);
    socket.on("data", (piece) => {
      text += piece.toString("latin1");
      if (text.endsWith("\r\n\r\n")) socket.write(FRAME);
      if (text.endsWith("hi")) resolve(socket);
    });
    socket.write(HANDSHAKE);
  });
}

async function openMany(count: number): Promise<Socket[]> {
  const sockets: Socket[] = [];
  let next = 0;
  const one = async () => {
    while (next < count) sockets.push(await open(next++));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
  return sockets;
}

try {
  await sleep(1500);
  for (const socket of await openMany(WARM)) socket.destroy();
  await sleep(SETTLE_MS / 2);
  const before = memory(server.pid!);
  const sockets = await openMany(connections);
  await sleep(SETTLE_MS);
  const after = memory(server.pid!);
  const each = (after.rssBytes - before.rssBytes) / connections / 1024;
  const anonymous = (after.anonymousBytes - before.anonymousBytes) / connections / 1024;
  console.log(
    `${runtime}${deflate === "" ? "" : ", compressed"}: ${each.toFixed(2)} KB resident (${anonymous.toFixed(2)} KB anonymous) an idle WebSocket; ${connections} of them`,
  );
  for (const socket of sockets) socket.destroy();
} finally {
  server.kill("SIGKILL");
}
process.exit(0);
