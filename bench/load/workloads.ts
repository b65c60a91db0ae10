/**
 * What a row asks for and what it must get. Each workload is one request (or a mix of two), the answer that every server
 * must give to it byte for byte, and how many connections ask.
 */
import { type Companion, NOISE, SLOW_READERS, SLOW_UPLOADS } from "./companions.ts";
import { SCALING_WORKLOADS } from "./scaling-workloads.ts";
import { PYTHON_SOCKET_WORKLOADS, SOCKET_WORKLOADS } from "./socket-workloads.ts";

export interface RequestSpec {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly fields?: readonly (readonly [name: string, value: string])[];
  readonly body?: string;
  /** Bytes of each chunk; undefined: sent with Content-Length. */
  readonly chunk?: number;
}

export interface SocketSpec {
  /** `echo`: every connection's own messages come back; `broadcast`: one speaks, all hear it. */
  readonly mode: "echo" | "broadcast";
  readonly bytes: number;
}

export interface Workload {
  /** `group/what`. */
  readonly name: string;
  readonly about: string;
  /** Which of its applications a server is to serve. */
  readonly app: "plain" | "fastapi" | "starlette" | "flask" | "web" | "socket" | "python-socket";
  readonly request: RequestSpec;
  /** The answer's body and media type. */
  readonly body: string;
  readonly type: string;
  readonly connections: number;
  /** Rows only with these numbers of server cores; undefined: with all that are asked for. */
  readonly cores?: readonly number[];
  /** So many worker processes, whatever pays; undefined: as each server's configuration says. */
  readonly workers?: number;
  /** Each `every`-th request is this one. */
  readonly mix?: { readonly request: RequestSpec; readonly every: number };
  /** The tail is the figure: loop-client.mjs asks, on connections that stand before the measurement begins. */
  readonly exact?: boolean;
  /** A WebSocket row: the request is its handshake. */
  readonly socket?: SocketSpec;
  /** The suite's own client asks, in a closed loop: connections stand before the measurement begins. */
  readonly own?: boolean;
  /** A point of a curve: what grows, and how far it has. */
  readonly curve?: { readonly name: string; readonly by: string; readonly label: string };
  /** What runs beside the load. */
  readonly companion?: Companion;
  /** Measured at a fixed rate besides, unless `--rate` says otherwise. */
  readonly paced?: boolean;
  /** Only these servers, by id; undefined: all that serve the application. */
  readonly servers?: readonly string[];
}

const CONNECTIONS = 64;
const HELLO = "Hello, world!";
const TEN_KB = "x".repeat(10_240);
const HUNDRED_KB = "x".repeat(102_400);
const TEXT = "text/plain;charset=utf-8";
const BINARY = "application/octet-stream";
const JSON_TYPE = "application/json";
export const FILE_BYTES = 51_200;
export const FILE_FILL = "f";
const ORDER = { name: "A chair of oak", price: 12.5, tags: ["wood", "kitchen"] };

const get = (path: string): RequestSpec => ({ method: "GET", path });
const post = (path: string, body: string, type = BINARY): RequestSpec => ({
  method: "POST",
  path,
  fields: [["Content-Type", type]],
  body,
});

const PLAIN = { app: "plain", type: TEXT, connections: CONNECTIONS } as const;

export const PYTHON_WORKLOADS: readonly Workload[] = [
  { ...PLAIN, name: "python/hello", about: "GET, 13 bytes", request: get("/"), body: HELLO, paced: true },
  { ...PLAIN, name: "python/10kb", about: "GET, 10 KB", request: get("/10kb"), body: TEN_KB },
  {
    ...PLAIN,
    name: "python/echo-10kb",
    about: "POST, 10 KB given back piece by piece",
    request: post("/echo", TEN_KB),
    body: TEN_KB,
    type: BINARY,
  },
  {
    ...PLAIN,
    name: "python/echo-100kb",
    about: "POST, 100 KB given back piece by piece",
    request: post("/echo", HUNDRED_KB),
    body: HUNDRED_KB,
    type: BINARY,
  },
  {
    ...PLAIN,
    name: "python/file",
    about: "GET, a file of 50 KB (pathsend where the server has it)",
    request: get("/file"),
    body: FILE_FILL.repeat(FILE_BYTES),
    type: BINARY,
  },
  {
    ...PLAIN,
    name: "python/wait",
    about: "GET, the application waits 10 ms",
    request: get("/wait"),
    body: HELLO,
    connections: 512,
  },
  {
    ...PLAIN,
    name: "python/fastapi",
    about: "POST JSON to a FastAPI route that validates it and its answer",
    app: "fastapi",
    paced: true,
    request: post("/orders/7?count=2", JSON.stringify(ORDER), JSON_TYPE),
    body: '{"number":7,"name":"A chair of oak","total":25.0,"tags":["wood","kitchen"]}',
    type: JSON_TYPE,
  },
  {
    ...PLAIN,
    name: "python/starlette",
    about: "GET, a Starlette route with a parameter and a query, JSON",
    app: "starlette",
    request: get("/items/42?q=oak"),
    body: '{"number":42,"q":"oak"}',
    type: JSON_TYPE,
  },
  {
    ...PLAIN,
    name: "python/flask",
    about: "GET, a Flask route with a parameter and a query, JSON, under WSGI",
    app: "flask",
    request: get("/items/42?q=oak"),
    body: '{"number":42,"q":"oak"}\n',
    type: JSON_TYPE,
  },
  {
    ...PLAIN,
    name: "python/slow-clients",
    about: "GET, 13 bytes, beside 1,000 clients that upload 10 KB in ten pieces over 5 s each",
    request: get("/"),
    body: HELLO,
    companion: SLOW_UPLOADS,
  },
  {
    ...PLAIN,
    name: "python/slow-mix",
    about: "GET, 13 bytes; each 100th request takes 100 ms of processor time; two workers",
    request: get("/"),
    body: HELLO,
    cores: [2],
    workers: 2,
    exact: true,
    mix: { request: get("/slow"), every: 100 },
  },
];

const WEB = { app: "web", type: TEXT, connections: CONNECTIONS, cores: [1] } as const;
const UPLOAD = "x".repeat(500 * 1024);
const UPLOAD_CHUNK = 16 * 1024;
const LARGE_UPLOAD = "x".repeat(20 * 1000 * 1000);
/** Fewer: each has 20 MB under way. */
const LARGE_CONNECTIONS = 8;
const CLOSE = [["Connection", "close"]] as const;
export const EVENT_COUNT = 20;
const EVENTS = Array.from({ length: EVENT_COUNT }, (_, number) => `id: ${number}\ndata: tick ${number}\n\n`).join("");

export const WEB_WORKLOADS: readonly Workload[] = [
  { ...WEB, name: "web/hello", about: "GET, 13 bytes", request: get("/"), body: HELLO, paced: true },
  {
    ...WEB,
    name: "web/json",
    about: "GET, an object made for each request, JSON",
    request: get("/json"),
    paced: true,
    body: '{"message":"Hello, world!","items":[1,2,3],"ok":true}',
    type: JSON_TYPE,
  },
  { ...WEB, name: "web/10kb", about: "GET, 10 KB", request: get("/10kb"), body: TEN_KB },
  { ...WEB, name: "web/100kb", about: "GET, 100 KB", request: get("/100kb"), body: HUNDRED_KB },
  {
    ...WEB,
    name: "web/upload",
    about: "POST, 500 KB with Content-Length, counted as it comes",
    request: post("/upload", UPLOAD),
    body: String(UPLOAD.length),
  },
  {
    ...WEB,
    name: "web/upload-chunked",
    about: "POST, 500 KB in chunks of 16 KB, counted as it comes",
    request: { ...post("/upload", UPLOAD), chunk: UPLOAD_CHUNK },
    body: String(UPLOAD.length),
  },
  {
    ...WEB,
    name: "web/upload-20mb",
    about: "POST, 20 MB with Content-Length, counted as it comes",
    request: post("/upload", LARGE_UPLOAD),
    body: String(LARGE_UPLOAD.length),
    connections: LARGE_CONNECTIONS,
  },
  {
    ...WEB,
    name: "web/upload-20mb-chunked",
    about: "POST, 20 MB in chunks of 16 KB, counted as it comes",
    request: { ...post("/upload", LARGE_UPLOAD), chunk: UPLOAD_CHUNK },
    body: String(LARGE_UPLOAD.length),
    connections: LARGE_CONNECTIONS,
  },
  {
    ...WEB,
    name: "web/short",
    about: "GET, 13 bytes, a new connection for each request",
    request: { ...get("/"), fields: CLOSE },
    body: HELLO,
  },
  {
    ...WEB,
    name: "web/short-ten",
    about: "GET, 13 bytes, a new connection for each ten requests",
    request: get("/"),
    body: HELLO,
    mix: { request: { ...get("/"), fields: CLOSE }, every: 10 },
  },
  {
    ...WEB,
    name: "web/file",
    about: "GET, a file of 50 KB from the disk",
    request: get("/file"),
    body: FILE_FILL.repeat(FILE_BYTES),
    type: BINARY,
  },
  {
    ...WEB,
    name: "web/slow-readers",
    about: "GET, 13 bytes, beside 100 clients that read 4 MB at 640 KB/s each",
    request: get("/"),
    body: HELLO,
    companion: SLOW_READERS,
  },
  {
    ...WEB,
    name: "web/noise",
    about: "GET, 13 bytes, beside 500 bad requests a second",
    request: get("/"),
    body: HELLO,
    companion: NOISE,
  },
  {
    ...WEB,
    name: "web/sse",
    about: `GET, a stream of ${EVENT_COUNT} server-sent events, each written by itself`,
    request: get("/sse"),
    body: EVENTS,
    type: "text/event-stream",
  },
];

/** Rows that Python applications have in common with those of TypeScript: the same request, the same answer. */
const SHARED = [
  "json",
  "upload",
  "upload-chunked",
  "upload-20mb",
  "short",
  "short-ten",
  "sse",
  "slow-readers",
  "noise",
];
const OURS_IN_PYTHON = ["ringcorn-bun-python", "ringcorn-deno-python"];
const PYTHON_SHARED_SERVERS = [...OURS_IN_PYTHON, "uvicorn", "granian", "hypercorn", "gunicorn-asgi"];

/** Beside the servers that the goals name and one of each other kind; they are reported, and set no goals. */
export const PYTHON_SHARED_WORKLOADS: readonly Workload[] = SHARED.map((name) => ({
  ...WEB_WORKLOADS.find((workload) => workload.name === `web/${name}`)!,
  name: `python/${name}`,
  app: "plain",
  paced: false,
  servers: PYTHON_SHARED_SERVERS,
}));

export const WORKLOADS: readonly Workload[] = [
  ...WEB_WORKLOADS,
  ...PYTHON_WORKLOADS,
  ...PYTHON_SHARED_WORKLOADS,
  ...SCALING_WORKLOADS,
  ...SOCKET_WORKLOADS,
  ...PYTHON_SOCKET_WORKLOADS,
];

/** Such as `1 connection`. */
export function connectionsText(count: number): string {
  return `${count.toLocaleString("en")} connection${count === 1 ? "" : "s"}`;
}

/** The request as it stands on the wire. */
export function requestBytes(spec: RequestSpec, port: number): string {
  const lines = [`${spec.method} ${spec.path} HTTP/1.1`, `Host: 127.0.0.1:${port}`];
  for (const [name, value] of spec.fields ?? []) lines.push(`${name}: ${value}`);
  const body = spec.body ?? "";
  if (spec.chunk !== undefined) {
    lines.push("Transfer-Encoding: chunked");
    let chunks = "";
    for (let at = 0; at < body.length; at += spec.chunk) {
      const piece = body.slice(at, at + spec.chunk);
      chunks += `${piece.length.toString(16)}\r\n${piece}\r\n`;
    }
    return `${lines.join("\r\n")}\r\n\r\n${chunks}0\r\n\r\n`;
  }
  if (spec.method === "POST") lines.push(`Content-Length: ${body.length}`);
  return `${lines.join("\r\n")}\r\n\r\n${body}`;
}

/** The numbers of cores that a workload has rows for. */
export function coresOf(workload: Workload, wanted: readonly number[]): readonly number[] {
  return workload.cores === undefined ? wanted : workload.cores.filter((cores) => wanted.includes(cores));
}
