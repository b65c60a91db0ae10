/**
 * Looks for requests that get something of each other: many connections with pipelines of oddly behaving requests, cut
 * anywhere, ended in all ways. What must hold: each response, each line of the access log and each reported error is its
 * own request's, in order; whoever stays gets all of its answers; nothing is left when all are gone.
 *
 *     bun test/fuzz/crosstalk.ts --seconds 30 --seed 1
 */
import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import type { Application } from "../../src/asgi/types.ts";
import { currentRuntime } from "../../src/runtime/current.ts";
import { DEFAULT_LIMITS, DEFAULT_OPTIONS } from "../../src/server/options.ts";
import { startServer } from "../../src/server/server.ts";
import { type Client, settle, Wired } from "../harness/fake-socket.ts";
import { field, latin1, parseResponse, type Response } from "../harness/response.ts";
import { within } from "../harness/wait.ts";
import { BEHAVIOURS, content, type Ending, OddApplication, type Witness } from "./crosstalk-app.ts";
import { Dice, fuzzFor } from "./dice.ts";

const LIMITS = { bodyWatermarkBytes: 3000, pipelinedBytes: 20_000, lingerBytes: 1_000_000 };
const NAMES = Object.keys(BEHAVIOURS);
const MOST_REQUESTS = 12;

interface Planned {
  readonly id: string;
  readonly method: string;
  readonly behaviour: string;
  readonly target: string;
  readonly bytes: string;
  /** Of the answer. */
  readonly body: string;
  readonly ending: Ending;
}

/** One connection as its client sees it. */
interface Line {
  send(bytes: string): void;
  finish(): void;
  reset(): void;
  received(): Uint8Array;
  readonly ended: boolean;
  /** What has left the server for it may still be on its way. */
  readonly slow: boolean;
  /** Settles when something may have happened. */
  changed(): Promise<void>;
}

export interface Setting {
  readonly seed: number;
  /** The application takes calls instead of `receive` and `send`. */
  readonly calls: boolean;
  /** A real server on the present runtime; else connections without a network, which reuse their read buffers or not. */
  readonly place: "network" | "fake" | "fake, reusing";
}

/** How often each thing happened. */
export type Counts = Map<string, number>;

function plan(dice: Dice, id: string): Planned {
  const behaviour = dice.pick(NAMES);
  const method = dice.pick(["GET", "GET", "POST", "POST", "HEAD"]);
  const length = behaviour === "large" ? dice.pick([20_000, 40_000, 90_000]) : dice.pick([1, 10, 200, 5000]);
  const target = `/${behaviour}/${id}/${length}`;
  const upload = method === "POST" ? content(id, dice.pick([0, 1, 100, 3000, 9000])) : "";
  const sized = dice.roll(2) === 0;
  let framing = "";
  let payload = "";
  if (method === "POST" && sized) {
    framing = `Content-Length: ${upload.length}\r\n`;
    payload = upload;
  } else if (method === "POST") {
    framing = "Transfer-Encoding: chunked\r\n";
    for (let at = 0; at < upload.length; ) {
      const piece = upload.slice(at, at + 1 + dice.roll(1000));
      payload += `${piece.length.toString(16)}\r\n${piece}\r\n`;
      at += piece.length;
    }
    payload += "0\r\n\r\n";
  }
  return {
    id,
    method,
    behaviour,
    target,
    bytes: `${method} ${target} HTTP/1.1\r\nHost: a\r\nX-Id: ${id}\r\n${framing}\r\n${payload}`,
    body: method === "HEAD" ? "" : behaviour === "echo" ? upload : content(id, length),
    ending: BEHAVIOURS[behaviour],
  };
}

class Round implements Witness {
  readonly counts: Counts = new Map();
  readonly application: OddApplication;
  readonly #dice: Dice;
  readonly #leaving = new Set<string>();
  readonly #planned = new Map<string, Planned>();
  readonly #problems: string[] = [];
  #next = 0;

  constructor({ seed, calls }: Setting) {
    this.#dice = new Dice(seed);
    this.application = new OddApplication(seed, this, calls);
  }

  isLeaving(id: string): boolean {
    return this.#leaving.has(id);
  }

  failed(problem: string): void {
    this.#problems.push(problem);
  }

  check(): void {
    assert.deepEqual(this.#problems, []);
  }

  #count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  /** For the access log. */
  accessed(method: string, target: string, status: number): void {
    const [, , id] = target.split("/");
    const planned = this.#planned.get(id);
    if (planned === undefined) this.failed(`the access log has ${target}`);
    else if (planned.method !== method || planned.target !== target) this.failed(`access log: ${method} ${target}`);
    else if (status !== 200 && status !== 500) this.failed(`access log: ${status} for ${target}`);
    else if (status === 500 && planned.ending !== "refused") this.failed(`access log: 500 for ${target}`);
    this.#count("logged");
  }

  /** For the log. */
  logged(level: string, line: string): void {
    if (level === "critical") this.failed(line);
    if (level !== "error") return;
    const target = /\/(\w+)\/(\w+)\/\d+/.exec(line);
    const thrower = /thrown by (\w+)/.exec(line)?.[1];
    const known = target === null ? undefined : this.#planned.get(target[2]);
    if (known === undefined || (thrower !== undefined && thrower !== known.id)) this.failed(line);
    else if (known.behaviour === "badHead" && !line.includes("a header value has")) this.failed(line);
    else if (known.ending === "answered" && known.behaviour !== "lateError") this.failed(line);
  }

  /** One connection from its first byte to its end. */
  async connection(line: Line): Promise<void> {
    const dice = this.#dice;
    const requests = Array.from({ length: 1 + dice.roll(MOST_REQUESTS) }, () => plan(dice, `r${this.#next++}`));
    for (const request of requests) this.#planned.set(request.id, request);
    const way = dice.pick(["stay", "stay", "finish", "finish", "reset"]);
    const bytes = requests.map((request) => request.bytes).join("");
    const stop = way === "reset" ? dice.roll(bytes.length) : bytes.length;
    for (let at = 0; at < stop && !line.ended; ) {
      const most = dice.pick([bytes.length, 2000, 200]);
      const end = Math.min(stop, at + 1 + dice.roll(most));
      line.send(bytes.slice(at, end));
      at = end;
      if (dice.roll(2) === 0) await line.changed();
    }
    if (way !== "stay") for (const { id } of requests) this.#leaving.add(id);
    if (way === "finish") line.finish();
    if (way === "reset") line.reset();
    else await this.#answers(line, requests, way);
    for (const { id } of requests) this.#leaving.add(id);
    line.reset();
    this.#count(way);
  }

  async #answers(line: Line, requests: readonly Planned[], way: string): Promise<void> {
    let at = 0;
    for (const request of requests) {
      const where = `${request.method} ${request.target} of ${requests.map(({ behaviour }) => behaviour)} (${way})`;
      if (request.ending === "broken") {
        // Cut, so that nothing behind it may come. A short head may not have left at all.
        await within(
          until(line, () => line.ended, where),
          `the end of ${where}`,
        );
        const rest = latin1(line.received().subarray(at));
        const named = [...rest.matchAll(/x-id: (\w+)\r\n/g)].map(([, id]) => id);
        assert.deepEqual(named, named.length === 0 ? [] : [request.id], where);
        this.#count("broken");
        return;
      }
      // A reset overtakes what has not been read yet.
      const mayBeNone = line.slow && requests.some(({ ending }) => ending === "broken");
      let parsed: ReturnType<typeof parseResponse>;
      const probe = () => {
        parsed = parseResponse(line.received(), at, request.method, false);
        if (mayBeNone && line.ended) return true;
        return parsed !== undefined;
      };
      await within(until(line, probe, where), where, () => `: ${latin1(line.received().subarray(at, at + 300))}`);
      if (parsed === undefined) return this.#count("none");
      at = parsed.end;
      this.#compare(parsed.response, request, where);
      this.#count(request.behaviour);
      if (request.ending === "answered") continue;
      await within(
        until(line, () => line.ended, where),
        `the end behind ${where}`,
      );
      break;
    }
    assert.equal(latin1(line.received().subarray(at)), "", "nothing behind the answers");
  }

  #compare(response: Response, request: Planned, where: string): void {
    const { id } = request;
    if (request.ending === "refused") {
      assert.equal(response.status, 500, where);
      assert.equal(field(response, "x-id"), undefined, where);
      return;
    }
    assert.equal(response.status, 200, where);
    assert.equal(field(response, "x-id"), id, where);
    assert.equal(latin1(response.body), request.body, where);
    assert.ok(
      response.trailers.every(([, value]) => value === id),
      where,
    );
    const hints = response.interim.filter(({ status }) => status === 103).map((hint) => field(hint, "link"));
    assert.deepEqual(hints, request.behaviour === "hints" ? [`</${id}>`] : [], where);
  }
}

async function until(line: Line, probe: () => boolean, what: string): Promise<void> {
  while (!probe()) {
    if (line.ended) throw new Error(`the connection has ended before ${what}`);
    await line.changed();
  }
}

// ---- over a network ------------------------------------------------------------------------------------------------

class NetworkLine implements Line {
  ended = false;
  readonly slow = true;
  readonly #socket: Socket;
  #pieces: Buffer[] = [];
  #wake: () => void = () => {};

  private constructor(socket: Socket) {
    this.#socket = socket;
    const wake = () => this.#wake();
    const end = () => {
      this.ended = true;
      wake();
    };
    socket.on("data", (piece: Buffer) => {
      this.#pieces.push(piece);
      wake();
    });
    socket.on("end", end).on("error", end).on("close", end);
  }

  static open(port: number): Promise<NetworkLine> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
      socket.setNoDelay(true);
      const line = new NetworkLine(socket);
      socket.once("connect", () => resolve(line)).once("error", reject);
    });
  }

  send(bytes: string): void {
    if (!this.#socket.destroyed) this.#socket.write(bytes, "latin1");
  }

  finish(): void {
    if (!this.#socket.destroyed) this.#socket.end();
  }

  reset(): void {
    if (!this.#socket.destroyed) this.#socket.resetAndDestroy();
  }

  received(): Uint8Array {
    if (this.#pieces.length > 1) this.#pieces = [Buffer.concat(this.#pieces)];
    return this.#pieces[0] ?? new Uint8Array(0);
  }

  changed(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, 5);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

async function overNetwork(app: Application, round: Round, use: (open: () => Promise<Line>) => Promise<void>) {
  const logger = { enabled: (level: string) => level === "info" } as Record<string, unknown>;
  for (const level of ["critical", "error", "warning", "info", "debug", "trace"]) {
    logger[level] = (text: string) => round.logged(level, text);
  }
  const options = { ...DEFAULT_OPTIONS, port: 0, limits: { ...DEFAULT_LIMITS, ...LIMITS } };
  const server = await startServer(app, options, {
    runtime: await currentRuntime(),
    logger: logger as never,
    access: { request: (_client, method, target, _version, status) => round.accessed(method, target, status) },
  });
  try {
    await use(() => NetworkLine.open(server.address.port));
    while (server.connections > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  } finally {
    await within(server.stop(), "the server's stop");
  }
}

// ---- without one ---------------------------------------------------------------------------------------------------

class FakeLine implements Line {
  readonly slow: boolean;
  readonly #client: Client;
  readonly #dice: Dice;

  constructor(client: Client, dice: Dice) {
    this.#client = client;
    this.#dice = dice;
    const most = dice.pick([Number.POSITIVE_INFINITY, 5000, 300]);
    this.slow = most !== Number.POSITIVE_INFINITY;
    client.socket.take = (offered) => (offered > most ? dice.roll(most) : offered);
  }

  get ended(): boolean {
    return this.#client.socket.ending !== "open";
  }

  send(bytes: string): void {
    if (this.#client.socket.ending !== "closed" && this.#client.socket.ending !== "reset") this.#client.feed(bytes);
  }

  finish(): void {
    if (this.#client.socket.ending === "open" || this.#client.socket.ending === "fin") this.#client.fin();
  }

  reset(): void {
    const { ending } = this.#client.socket;
    if (ending === "open" || ending === "fin") this.#client.gone();
    this.#client.socket.ending = "reset";
  }

  received(): Uint8Array {
    return this.#client.socket.bytes;
  }

  async changed(): Promise<void> {
    await settle(1 + this.#dice.roll(3));
    const { socket } = this.#client;
    if (!socket.short || (socket.ending !== "open" && socket.ending !== "fin")) return;
    socket.short = false;
    socket.handler.onDrain();
  }
}

async function withoutNetwork(
  app: Application,
  round: Round,
  setting: Setting,
  use: (open: () => Promise<Line>) => Promise<void>,
) {
  const wired = new Wired(app, { ownsChunks: setting.place === "fake", accessLog: true, limits: LIMITS });
  const dice = new Dice(setting.seed + 1);
  await use(() => Promise.resolve(new FakeLine(wired.connect(), dice)));
  await settle(20);
  for (const line of wired.accessed) {
    const [, method, target, , status] = line.split(" ");
    round.accessed(method, target, Number(status));
  }
  for (const { level, text } of wired.logged) round.logged(level, text);
  assert.equal(wired.connections.size, 0, "connections are left");
  assert.equal(wired.context.inFlight, 0, "requests in flight");
  assert.equal(wired.context.pool.lent, 0, "exchanges are not given back");
}

/** @param goOn whether another connection is to be made, asked for each of the lanes that work side by side */
export async function crosstalk(setting: Setting, goOn: () => boolean, lanes = 16): Promise<Counts> {
  const round = new Round(setting);
  const use = async (open: () => Promise<Line>) => {
    const lane = async () => {
      while (goOn()) {
        await round.connection(await open());
        round.check();
      }
    };
    await Promise.all(Array.from({ length: lanes }, lane));
  };
  try {
    const { application } = round.application;
    if (setting.place === "network") await overNetwork(application, round, use);
    else await withoutNetwork(application, round, setting, use);
    round.check();
  } catch (cause) {
    throw new Error(`cross-talk: ${JSON.stringify(setting)}`, { cause });
  }
  return round.counts;
}

async function main(): Promise<void> {
  const totals: Counts = new Map();
  const { first, last } = await fuzzFor(async (seed) => {
    const place = (["network", "fake", "fake, reusing"] as const)[seed % 3];
    let left = 150;
    const counts = await crosstalk({ seed, calls: (seed & 1) === 0, place }, () => left-- > 0);
    for (const [what, count] of counts) totals.set(what, (totals.get(what) ?? 0) + count);
  });
  console.log(`Seeds ${first} to ${last}: every request got its own.`, Object.fromEntries(totals));
}

if (import.meta.main) await main();
