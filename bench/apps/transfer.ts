/**
 * The application of the suite memory: takes uploads and gives downloads, as fast as it can or at a given rate.
 *
 *   POST /upload?rate=BYTES_PER_SECOND    answers with the count of bytes (rate 0: as fast as they come)
 *   GET  /download?bytes=N                answers with N bytes
 */
import type { Application, HttpScope, Receive, Send } from "../../src/asgi/types.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const PIECE = new Uint8Array(64 * 1024).fill(0x61);

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function upload(receive: Receive, rate: number): Promise<number> {
  const startedMs = performance.now();
  let bytes = 0;
  while (true) {
    const event = await receive();
    if (event.type !== "http.request") throw new Error("The client left in the middle of its upload.");
    bytes += event.body.length;
    if (!event.more_body) return bytes;
    if (rate === 0) continue;
    const aheadMs = (bytes / rate) * 1e3 - (performance.now() - startedMs);
    // Shorter sleeps are rounded up by timers, which would make it slower than asked for.
    if (aheadMs > 5) await sleep(aheadMs);
  }
}

async function answer(send: Send, status: number, text: string): Promise<void> {
  const body = encoder.encode(text);
  const headers: [string, string][] = [
    ["content-type", "text/plain;charset=utf-8"],
    ["content-length", String(body.length)],
  ];
  await send({ type: "http.response.start", status, headers });
  await send({ type: "http.response.body", body });
}

async function download(send: Send, bytes: number): Promise<void> {
  const headers: [string, string][] = [
    ["content-type", "application/octet-stream"],
    ["content-length", String(bytes)],
  ];
  await send({ type: "http.response.start", status: 200, headers });
  let left = bytes;
  do {
    const body = left >= PIECE.length ? PIECE : PIECE.subarray(0, left);
    left -= body.length;
    await send({ type: "http.response.body", body, more_body: left > 0 });
  } while (left > 0);
}

async function serveTransfer(scope: HttpScope, receive: Receive, send: Send): Promise<void> {
  const query = new URLSearchParams(decoder.decode(scope.query_string));
  if (scope.path === "/upload") return answer(send, 200, String(await upload(receive, Number(query.get("rate") ?? 0))));
  if (scope.path === "/download") return download(send, Number(query.get("bytes") ?? 0));
  return answer(send, 404, "Not found");
}

export const app: Application = (scope, receive, send) => {
  if (scope.type !== "http") throw new Error(`This application does not speak ${scope.type}.`);
  return serveTransfer(scope, receive, send);
};
