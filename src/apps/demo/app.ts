/**
 * The built-in demo: what `ringcorn` serves when it is given no application.
 * A plain ASGI 3 application; it uses nothing of the server but the types of its events.
 */
import type {
  Application,
  HttpScope,
  LifespanScope,
  Receive,
  Scope,
  Send,
  SentHeader,
  State,
} from "../../asgi/types.ts";
import { chat } from "./chat.ts";
import { pageSecurityPolicy, renderPage } from "./page.ts";

/** Chunks of `/stream` when the query does not say. */
export const DEFAULT_STREAM_CHUNKS = 12;
export const MAX_STREAM_CHUNKS = 10_000;
/** Pause between two chunks of `/stream` when the query does not say. */
export const DEFAULT_STREAM_DELAY_MS = 150;
export const MAX_STREAM_DELAY_MS = 10_000;
/** Between two server-sent events. */
export const EVENT_INTERVAL_MS = 1_000;
/** How long an `EventSource` waits before it connects again. */
const EVENT_RETRY_MS = 2_000;

type Handler = (scope: HttpScope, receive: Receive, send: Send) => Promise<void>;

interface Route {
  readonly methods: readonly string[];
  readonly handle: Handler;
}

/** What lifespan startup leaves in `state`: one object that the requests of this process share. */
interface DemoState {
  readonly startedAtMs: number;
  requests: number;
}

const STATE_KEY = "ringcorn.demo";
const READ_METHODS = ["GET", "HEAD"] as const;
const encoder = new TextEncoder();
const decoder = new TextDecoder("latin1");
const NO_BODY = new Uint8Array(0);

/** For a server that runs no lifespan: counting starts with the module then. */
const fallbackState: DemoState = { startedAtMs: Date.now(), requests: 0 };

/** The runtime as it calls itself, such as "Bun/1.4.5": both runtimes offer the Web's `navigator.userAgent`. */
const RUNTIME_NAME =
  (globalThis as { navigator?: { userAgent?: string } }).navigator?.userAgent ?? "an unknown runtime";

const HELLO = encoder.encode(`Hello from Ringcorn on ${RUNTIME_NAME}. Try /echo, /stream, /events and /json.\n`);
const HELLO_HEADERS: readonly SentHeader[] = [
  ["content-type", "text/plain; charset=utf-8"],
  ["content-length", String(HELLO.length)],
  ["vary", "accept"],
];

const ROUTES: ReadonlyMap<string, Route> = new Map<string, Route>([
  ["/", { methods: READ_METHODS, handle: home }],
  ["/echo", { methods: ["POST", "PUT", "PATCH"], handle: echo }],
  ["/stream", { methods: READ_METHODS, handle: stream }],
  ["/events", { methods: READ_METHODS, handle: events }],
  ["/json", { methods: READ_METHODS, handle: json }],
]);

/** Serves the demo; see `ROUTES`, and `/chat` for WebSockets. */
const demo: Application = (scope: Scope, receive: Receive, send: Send): Promise<void> => {
  if (scope.type === "http") return http(scope, receive, send);
  if (scope.type === "lifespan") return lifespan(scope, receive, send);
  if (pathBelowRoot(scope) === "/chat") return chat(scope, receive, send);
  return send({ type: "websocket.close", code: 1000 });
};
export default demo;

async function lifespan(scope: LifespanScope, receive: Receive, send: Send): Promise<void> {
  for (;;) {
    const event = await receive();
    if (event.type === "lifespan.startup") {
      scope.state[STATE_KEY] = { startedAtMs: Date.now(), requests: 0 } satisfies DemoState;
      await send({ type: "lifespan.startup.complete" });
    } else if (event.type === "lifespan.shutdown") {
      return send({ type: "lifespan.shutdown.complete" });
    }
  }
}

function http(scope: HttpScope, receive: Receive, send: Send): Promise<void> {
  demoState(scope.state).requests++;
  const route = ROUTES.get(pathBelowRoot(scope));
  if (route === undefined) {
    return answerText(scope, send, 404, "Nothing is here. Try /, /echo, /stream, /events or /json.\n");
  }
  if (!route.methods.includes(scope.method)) {
    const allow = route.methods.join(", ");
    return answerText(scope, send, 405, `This path takes ${allow}.\n`, [["allow", allow]]);
  }
  return route.handle(scope, receive, send);
}

/** `GET /`: the page for browsers, one line of text for everything else. */
async function home(scope: HttpScope, _receive: Receive, send: Send): Promise<void> {
  if (!(header(scope, "accept") ?? "").includes("text/html")) {
    await send({ type: "http.response.start", status: 200, headers: HELLO_HEADERS });
    return send({ type: "http.response.body", body: scope.method === "HEAD" ? NO_BODY : HELLO });
  }
  const host = header(scope, "host") ?? "127.0.0.1:8000";
  const page = encoder.encode(
    renderPage({
      baseUrl: `${scope.scheme}://${host}${scope.root_path}`,
      rootPath: scope.root_path,
      runtime: RUNTIME_NAME,
      httpVersion: scope.http_version,
      client: formatAddress(scope.client),
      server: formatAddress(scope.server),
      uptimeSeconds: uptimeSeconds(scope.state),
      requests: demoState(scope.state).requests,
    }),
  );
  await send({
    type: "http.response.start",
    status: 200,
    headers: [
      ["content-type", "text/html; charset=utf-8"],
      ["content-length", String(page.length)],
      ["content-security-policy", await pageSecurityPolicy()],
      ["x-content-type-options", "nosniff"],
      ["referrer-policy", "no-referrer"],
      ["cache-control", "no-store"],
      ["vary", "accept"],
    ],
  });
  return send({ type: "http.response.body", body: scope.method === "HEAD" ? NO_BODY : page });
}

/** `POST /echo`: the request body comes back as it arrives; nothing is collected. */
async function echo(scope: HttpScope, receive: Receive, send: Send): Promise<void> {
  const headers: SentHeader[] = [
    ["content-type", header(scope, "content-type") ?? "application/octet-stream"],
    // What comes back is the sender's own text: no browser may take it for a page of this site.
    ["content-security-policy", "sandbox; default-src 'none'"],
    ["x-content-type-options", "nosniff"],
  ];
  const length = header(scope, "content-length");
  if (length !== undefined) headers.push(["content-length", length]);
  let started = false;
  for (;;) {
    const event = await receive();
    // Without its end the response must not look whole: returning now makes the server cut it.
    if (event.type !== "http.request") return;
    if (!started) {
      started = true;
      await send({ type: "http.response.start", status: 200, headers });
    }
    await send({ type: "http.response.body", body: event.body, more_body: event.more_body });
    if (!event.more_body) return;
  }
}

/** `GET /stream?chunks=12&delay_ms=150`: lines of text, one chunk each. */
async function stream(scope: HttpScope, receive: Receive, send: Send): Promise<void> {
  const query = new URLSearchParams(decoder.decode(scope.query_string));
  const chunks = boundedNumber(query.get("chunks"), DEFAULT_STREAM_CHUNKS, 1, MAX_STREAM_CHUNKS);
  const delayMs = boundedNumber(query.get("delay_ms"), DEFAULT_STREAM_DELAY_MS, 0, MAX_STREAM_DELAY_MS);
  if (chunks === undefined || delayMs === undefined) {
    const text = `chunks is a number from 1 to ${MAX_STREAM_CHUNKS}, delay_ms one from 0 to ${MAX_STREAM_DELAY_MS}.\n`;
    return answerText(scope, send, 400, text);
  }
  await send({
    type: "http.response.start",
    status: 200,
    headers: [
      ["content-type", "text/plain; charset=utf-8"],
      ["cache-control", "no-store"],
      ["x-content-type-options", "nosniff"],
    ],
  });
  if (scope.method === "HEAD") return send({ type: "http.response.body" });
  const client = watchClient(receive);
  for (let number = 1; number <= chunks; number++) {
    // Told to hurry (the server stops, or the client has sent its FIN), it sends the rest without pauses.
    // A client that is gone makes `send` throw.
    if (number > 1 && delayMs > 0) await client.pause(delayMs);
    const body = encoder.encode(`chunk ${number} of ${chunks}\n`);
    await send({ type: "http.response.body", body, more_body: number < chunks });
  }
}

/** `GET /events`: one server-sent event a second, until the client goes or the server is about to stop. */
async function events(scope: HttpScope, receive: Receive, send: Send): Promise<void> {
  await send({
    type: "http.response.start",
    status: 200,
    headers: [
      ["content-type", "text/event-stream"],
      ["cache-control", "no-store"],
      // Tells nginx not to collect the events.
      ["x-accel-buffering", "no"],
    ],
  });
  if (scope.method === "HEAD") return send({ type: "http.response.body" });
  const client = watchClient(receive);
  for (let id = 1; !client.gone(); id++) {
    const data = JSON.stringify({
      time: new Date().toISOString(),
      uptime_seconds: uptimeSeconds(scope.state),
      requests: demoState(scope.state).requests,
    });
    const retry = id === 1 ? `retry: ${EVENT_RETRY_MS}\n` : "";
    await send({
      type: "http.response.body",
      body: encoder.encode(`${retry}id: ${id}\ndata: ${data}\n\n`),
      more_body: true,
    });
    await client.pause(EVENT_INTERVAL_MS);
  }
  // A server that stops can still deliver a proper end; a client that left makes `send` throw, and nobody is there to care.
  await send({ type: "http.response.body" }).catch(() => undefined);
}

/** `GET /json`: the request as the application sees it. */
async function json(scope: HttpScope, _receive: Receive, send: Send): Promise<void> {
  const headers = Array.from(scope.headers, ([name, value]) => [decoder.decode(name), decoder.decode(value)]);
  const text = JSON.stringify(
    {
      method: scope.method,
      path: scope.path,
      raw_path: decoder.decode(scope.raw_path),
      query_string: decoder.decode(scope.query_string),
      root_path: scope.root_path,
      scheme: scope.scheme,
      http_version: scope.http_version,
      client: scope.client,
      server: scope.server,
      headers,
      asgi: scope.asgi,
      extensions: Object.keys(scope.extensions),
      runtime: RUNTIME_NAME,
      uptime_seconds: uptimeSeconds(scope.state),
      requests: demoState(scope.state).requests,
    },
    undefined,
    2,
  );
  const contentType = "application/json";
  return answer(scope, send, 200, contentType, encoder.encode(`${text}\n`), [["cache-control", "no-store"]]);
}

interface WatchedClient {
  gone(): boolean;
  /** Resolves after `ms`, or at once when the client goes. */
  pause(ms: number): Promise<void>;
}

/** Reads `receive` to its end, so that a response which takes long notices `http.disconnect` while it waits. */
function watchClient(receive: Receive): WatchedClient {
  let gone = false;
  let wake = (): void => undefined;
  const leave = (): void => {
    gone = true;
    wake();
  };
  const watch = async (): Promise<void> => {
    while ((await receive()).type !== "http.disconnect");
  };
  watch().then(leave, leave);
  return {
    gone: () => gone,
    pause: (ms) =>
      new Promise((resolve) => {
        if (gone) return resolve();
        const timer = setTimeout(resolve, ms);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      }),
  };
}

function answerText(
  scope: HttpScope,
  send: Send,
  status: number,
  text: string,
  headers: readonly SentHeader[] = [],
): Promise<void> {
  return answer(scope, send, status, "text/plain; charset=utf-8", encoder.encode(text), headers);
}

async function answer(
  scope: HttpScope,
  send: Send,
  status: number,
  contentType: string,
  body: Uint8Array,
  headers: readonly SentHeader[],
): Promise<void> {
  const fields: SentHeader[] = [["content-type", contentType], ["content-length", String(body.length)], ...headers];
  await send({ type: "http.response.start", status, headers: fields });
  return send({ type: "http.response.body", body: scope.method === "HEAD" ? NO_BODY : body });
}

/** The first field line of that name, or undefined. */
function header(scope: HttpScope, name: string): string | undefined {
  for (const [fieldName, value] of scope.headers) {
    if (fieldName.length === name.length && decoder.decode(fieldName) === name) return decoder.decode(value);
  }
  return undefined;
}

/** The path relative to where the demo is mounted: `path` includes `root_path`. */
function pathBelowRoot(scope: Pick<HttpScope, "path" | "root_path">): string {
  const { path, root_path: root } = scope;
  if (root === "" || !path.startsWith(root)) return path;
  return path.slice(root.length) || "/";
}

/** Undefined when the text is no whole number within the bounds. */
function boundedNumber(text: string | null, byDefault: number, least: number, most: number): number | undefined {
  if (text === null) return byDefault;
  const number = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  return number >= least && number <= most ? number : undefined;
}

function demoState(state: State): DemoState {
  return (state[STATE_KEY] as DemoState | undefined) ?? fallbackState;
}

function uptimeSeconds(state: State): number {
  return Math.max(0, Math.floor((Date.now() - demoState(state).startedAtMs) / 1000));
}

function formatAddress(address: readonly [host: string, port: number | null] | null): string {
  if (address === null) return "a Unix socket";
  const [host, port] = address;
  if (port === null) return host;
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
