/**
 * Step 3 of 3: an ASGI server. It runs an echo application, or the one it is given. See docs/from-scratch/3-asgi.md.
 *
 *   bun examples/from-scratch/3-asgi.ts 7000
 *   curl -d hello http://127.0.0.1:7000/
 *   bun examples/from-scratch/3-asgi.ts 7000 examples/hello.ts
 */
import { HttpCycle } from "../../src/asgi/cycle.ts";
import type { CycleHost, SendableFile } from "../../src/asgi/cycle-host.ts";
import { DefaultFields } from "../../src/asgi/default-fields.ts";
import { ClientDisconnected } from "../../src/asgi/errors.ts";
import { Lifespan } from "../../src/asgi/lifespan.ts";
import { ScopeBuilder } from "../../src/asgi/scope.ts";
import type { Application, HeaderPair } from "../../src/asgi/types.ts";
import { ByteRing } from "../../src/channel/ring.ts";
import { OutBuffer } from "../../src/protocol/buffer.ts";
import { closingResponse, HeadEncoder } from "../../src/protocol/http1/encoder.ts";
import { DEFAULT_HTTP1_LIMITS } from "../../src/protocol/http1/limits.ts";
import { BODY, END, ERROR, HEAD, Http1Parser, NEED_DATA } from "../../src/protocol/http1/parser.ts";
import { currentRuntime } from "../../src/runtime/current.ts";
import type { Socket, SocketHandler } from "../../src/runtime/types.ts";

/** The application: it knows of requests and responses, and nothing of sockets, chunks on the wire or HTTP's syntax. */
const echo: Application = async (scope, receive, send) => {
  if (scope.type !== "http") return;
  await send({ type: "http.response.start", status: 200, headers: [["content-type", "application/octet-stream"]] });
  for (;;) {
    const event = await receive();
    if (event.type !== "http.request") return;
    await send({ type: "http.response.body", body: event.body, more_body: event.more_body });
    if (!event.more_body) return;
  }
};

/** Bytes received that nobody has taken yet: beyond it the connection stops reading. */
const WATERMARK_BYTES = 256 * 1024;

const runtime = await currentRuntime();
const [portText = "7000", appPath] = runtime.arguments();
const app =
  appPath === undefined ? echo : ((await runtime.importModule(runtime.resolvePath(appPath))).default as Application);
const lifespan = new Lifespan(app, "auto");
const startup = await lifespan.startup();
if (startup.kind === "failed") throw new Error(startup.message);
const scopes = new ScopeBuilder(runtime.latin1, true, "", lifespan.state, undefined);
/** `Server` and `Date`, which every response gets. */
const fields = new DefaultFields(true, true, []);

/**
 * A connection stands between a socket and a cycle: it feeds the parser from the one (SocketHandler) and does what the
 * other needs of the wire (CycleHost). One cycle is one request and its response.
 */
class Connection implements SocketHandler, CycleHost {
  readonly out = new OutBuffer();
  readonly encoder = new HeadEncoder();
  readonly ring = new ByteRing();
  readonly fields = fields;
  /** The socket took less than it was offered: nothing more until it drains. */
  blocked = false;

  readonly #socket: Socket;
  readonly #parser = new Http1Parser(DEFAULT_HTTP1_LIMITS);
  /** Received and not parsed: the next request waits here while the current one is being answered. */
  readonly #inbox: Uint8Array[] = [];
  #inboxBytes = 0;
  #cycle: HttpCycle | undefined;
  #requestRead = false;
  #responseSent = false;
  #reading = false;
  #peerEnded = false;
  #closing = false;
  #flushPlanned = false;
  #waiting: { resolve: () => void; reject: (error: Error) => void }[] = [];

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  // ---- from the socket to the application -------------------------------------------------------------------

  onData(chunk: Uint8Array, length: number): void {
    if (this.#closing) return;
    // Bun's chunks may be kept; Deno's buffer is filled again, so its bytes are copied.
    this.#inbox.push(runtime.ownsChunks ? chunk : chunk.slice(0, length));
    this.#inboxBytes += length;
    this.#read();
  }

  /** The parser is asked for events only while there is a place for them: not asking is the backpressure. */
  #read(): void {
    // The application runs inside this loop, and what it does may lead back here.
    if (this.#reading) return;
    this.#reading = true;
    while (this.#hasRoom()) {
      const event = this.#parser.next();
      if (event === NEED_DATA) {
        if (!this.#feed()) break;
      } else this.#parsed(event);
    }
    this.#reading = false;
    if (this.#inboxBytes >= WATERMARK_BYTES) this.#socket.pause();
    else this.#socket.resume();
  }

  #hasRoom(): boolean {
    if (this.#closing || this.#requestRead) return false;
    return this.#responseSent || (!this.ring.full && this.ring.pinnedBytes < WATERMARK_BYTES);
  }

  /** Gives the parser the next chunk. False when there is none. */
  #feed(): boolean {
    const chunk = this.#inbox.shift();
    if (chunk !== undefined) {
      this.#inboxBytes -= chunk.length;
      this.#parser.feed(chunk, 0, chunk.length);
      return true;
    }
    // The client has ended, and nothing is left that would be a whole request: a request cut short can't be answered.
    if (this.#peerEnded) {
      this.#cycle?.detach();
      this.#close();
    }
    return false;
  }

  #parsed(event: number): void {
    const parser = this.#parser;
    if (event === HEAD) this.#beginRequest();
    else if (event === ERROR) this.#refuse(parser.error!.status);
    else if (event === BODY && !this.#responseSent) {
      this.ring.push(parser.chunk, parser.bodyStart, parser.bodyEnd);
      this.#cycle!.bodyArrived();
    } else if (event === END) {
      this.#requestRead = true;
      if (!this.#responseSent) this.ring.pushEnd();
      this.#cycle!.bodyArrived();
      this.#endRequest();
    }
  }

  #beginRequest(): void {
    const { host, port } = this.#socket.remote;
    const { local } = this.#socket;
    fields.refresh(Date.now());
    const scope = scopes.http(this.#parser, [host, port], [local.host, local.port], false);
    this.#cycle = HttpCycle.open(this, scope, this.#parser);
    this.#cycle.run(app);
  }

  /** When the request has been read and the response sent, whichever comes last, the next request's turn has come. */
  #endRequest(): void {
    if (!this.#requestRead || !this.#responseSent) return;
    this.#requestRead = false;
    this.#responseSent = false;
    this.#cycle = undefined;
    this.#read();
  }

  /** A request that is none: answered by the server itself, since no application can have a say in it. */
  #refuse(status: number): void {
    const cutsResponse = this.#cycle?.committed === true && !this.#responseSent;
    this.#cycle?.detach();
    this.#fail(status, cutsResponse);
  }

  #fail(status: number, cutsResponse: boolean): void {
    // Half a response can't be taken back. The reset tells the client that it is not whole.
    if (cutsResponse) {
      this.#socket.reset();
      return;
    }
    const answer = closingResponse(status, fields.all);
    this.out.rollback();
    this.out.ensure(answer.length);
    this.out.append(answer, 0, answer.length);
    this.out.commit();
    this.#close();
  }

  onEnd(): void {
    this.#peerEnded = true;
    // A client that has sent its FIN may still read. What it sent before comes first, then the application is told.
    if (this.ring.size === 0) this.#cycle?.disconnect();
    this.#read();
  }

  onEndUnread(): void {}

  onClose(): void {
    this.#closing = true;
    this.blocked = true;
    this.#cycle?.detach();
    for (const { reject } of this.#waiting.splice(0)) reject(new ClientDisconnected());
  }

  // ---- from the application to the socket -------------------------------------------------------------------

  /** Offers what is in the buffer. What the socket does not take stays there until it drains. */
  flush(): void {
    const { out } = this;
    if (this.blocked || out.start === out.committed) return;
    out.took(out.start + this.writeDirect(out.bytes, out.start, out.committed));
  }

  /** Everything that one turn of the event loop brings leaves in one write. */
  flushSoon(): void {
    if (this.#flushPlanned) return;
    this.#flushPlanned = true;
    runtime.defer(() => {
      this.#flushPlanned = false;
      this.flush();
    });
  }

  writeDirect(bytes: Uint8Array, start: number, end: number): number {
    const taken = this.#socket.write(bytes, start, end);
    if (taken < end - start) this.blocked = true;
    return Math.max(0, taken);
  }

  /** Where `await send()` waits while the client is behind. */
  drained(): Promise<void> {
    if (this.#closing) return Promise.reject(new ClientDisconnected());
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  onDrain(): void {
    this.blocked = false;
    this.flush();
    if (this.blocked) return;
    if (this.#closing) this.#socket.close();
    for (const { resolve } of this.#waiting.splice(0)) resolve();
  }

  bodyTaken(): void {
    this.#read();
  }

  responseDone(cycle: HttpCycle): void {
    this.#responseSent = true;
    this.ring.clear();
    if (!cycle.keepAlive) this.#close();
    else this.flushSoon();
    // What is left of the request's body must be read past before the next request.
    if (this.#requestRead) this.#endRequest();
    else this.#read();
  }

  responseFailed(cycle: HttpCycle, error: unknown): void {
    console.error(error ?? "the application returned without a whole response");
    this.#fail(500, cycle.committed);
  }

  reportError(_cycle: HttpCycle, error: unknown): void {
    console.error(error);
  }

  #close(): void {
    this.#closing = true;
    this.flush();
    if (!this.blocked) this.#socket.close();
  }

  mustClose(): boolean {
    return false;
  }

  requestTrailers(): readonly HeaderPair[] {
    return [];
  }

  openFile(path: string): Promise<SendableFile> {
    return runtime.openFile(path);
  }

  debug(): void {}

  // A server that stops would wait for applications that go on working behind their answers.
  applicationBegan(): void {}
  applicationEnded(): void {}
}

const address = { host: "127.0.0.1", port: Number(portText), backlog: 128 };
const listener = await runtime.listen(address, (socket) => new Connection(socket));
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  runtime.onSignal(signal, async () => {
    listener.close();
    await lifespan.shutdown();
    runtime.exit(0);
  });
}

console.log(`Listening on http://${listener.address.host}:${listener.address.port}`);
