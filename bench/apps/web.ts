/**
 * The application of the web rows: the routes that the peers in bench/peers/web have, in ASGI events.
 */
import { statSync } from "node:fs";
import process from "node:process";
import type { Application, Receive, Send } from "../../src/asgi/types.ts";

const encoder = new TextEncoder();
const NAME = encoder.encode("content-type");
const LENGTH = encoder.encode("content-length");
const TEXT = encoder.encode("text/plain;charset=utf-8");
const JSON_TYPE = encoder.encode("application/json");
const EVENT_STREAM = encoder.encode("text/event-stream");

const HELLO = encoder.encode("Hello, world!");
const TEN_KB = encoder.encode("x".repeat(10_240));
const HUNDRED_KB = encoder.encode("x".repeat(102_400));
const BINARY = encoder.encode("application/octet-stream");
const FILE = process.env.BENCH_FILE ?? "";
const FILE_LENGTH = FILE === "" ? 0 : statSync(FILE).size;
const BODY = "/body/";
const bodies = new Map<string, Uint8Array>();

const EVENT_COUNT = 20;
const EVENTS = Array.from({ length: EVENT_COUNT }, (_, number) => `id: ${number}\ndata: tick ${number}\n\n`);

async function answer(send: Send, body: Uint8Array, type = TEXT): Promise<void> {
  const headers = [
    [NAME, type],
    [LENGTH, encoder.encode(String(body.length))],
  ] as const;
  await send({ type: "http.response.start", status: 200, headers });
  await send({ type: "http.response.body", body });
}

async function events(send: Send): Promise<void> {
  await send({ type: "http.response.start", status: 200, headers: [[NAME, EVENT_STREAM]] });
  for (const event of EVENTS) await send({ type: "http.response.body", body: encoder.encode(event), more_body: true });
  await send({ type: "http.response.body", body: new Uint8Array() });
}

/** The server has the extension `http.response.pathsend`, on both runtimes. */
async function file(send: Send): Promise<void> {
  const headers = [
    [NAME, BINARY],
    [LENGTH, encoder.encode(String(FILE_LENGTH))],
  ] as const;
  await send({ type: "http.response.start", status: 200, headers });
  await send({ type: "http.response.pathsend", path: FILE });
}

/** As many bytes as the path says, made once. */
function bodyOf(path: string): Uint8Array {
  let body = bodies.get(path);
  if (body === undefined) {
    body = new Uint8Array(Number(path.slice(BODY.length))).fill(0x78);
    bodies.set(path, body);
  }
  return body;
}

async function upload(receive: Receive, send: Send): Promise<void> {
  let bytes = 0;
  let more = true;
  while (more) {
    const event = await receive();
    if (event.type !== "http.request") return;
    bytes += event.body.length;
    more = event.more_body;
  }
  await answer(send, encoder.encode(String(bytes)));
}

export const app: Application = async (scope, receive, send) => {
  if (scope.type !== "http") throw new Error(`This application does not speak ${scope.type}.`);
  switch (scope.path) {
    case "/":
      return answer(send, HELLO);
    case "/json":
      return answer(
        send,
        encoder.encode(JSON.stringify({ message: "Hello, world!", items: [1, 2, 3], ok: true })),
        JSON_TYPE,
      );
    case "/10kb":
      return answer(send, TEN_KB);
    case "/100kb":
      return answer(send, HUNDRED_KB);
    case "/sse":
      return events(send);
    case "/upload":
      return upload(receive, send);
    case "/file":
      return file(send);
    default:
      if (scope.path.startsWith(BODY)) return answer(send, bodyOf(scope.path));
      await send({ type: "http.response.start", status: 404, headers: [[LENGTH, encoder.encode("0")]] });
      await send({ type: "http.response.body", body: new Uint8Array() });
  }
};
