/**
 * Step 2 of 3: the same server reads HTTP/1 requests, prints them and answers 200. See docs/from-scratch/2-requests.md.
 *
 *   bun examples/from-scratch/2-requests.ts 7000
 *   curl -d hello http://127.0.0.1:7000/some/path
 */
import { DEFAULT_HTTP1_LIMITS } from "../../src/protocol/http1/limits.ts";
import { BODY, END, ERROR, HEAD, Http1Parser, NEED_DATA } from "../../src/protocol/http1/parser.ts";
import { currentRuntime } from "../../src/runtime/current.ts";
import type { Socket, SocketHandler } from "../../src/runtime/types.ts";
import { Sender } from "./sender.ts";

const runtime = await currentRuntime();
const encoder = new TextEncoder();

/** Field values may hold any byte from 0x80 on: latin1 shows each as one character and can't fail. */
const text = (bytes: Uint8Array, start: number, end: number): string => runtime.latin1(bytes, start, end);

class Requests implements SocketHandler {
  readonly #socket: Socket;
  readonly #sender: Sender;
  readonly #parser = new Http1Parser(DEFAULT_HTTP1_LIMITS);
  #closing = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#sender = new Sender(socket);
  }

  /** A chunk may hold half a request or ten. The parser keeps its place: feed it, and ask until it needs more. */
  onData(chunk: Uint8Array, length: number): void {
    if (this.#closing) return;
    const parser = this.#parser;
    parser.feed(chunk, 0, length);
    for (let event = parser.next(); event !== NEED_DATA; event = parser.next()) {
      if (event === HEAD) this.#head();
      else if (event === BODY)
        console.log(`  body ${JSON.stringify(text(parser.chunk, parser.bodyStart, parser.bodyEnd))}`);
      else if (event === END) this.#answer(200, "OK", parser.keepAlive);
      else if (event === ERROR) this.#answer(parser.error!.status, parser.error!.message, false);
      if (this.#closing) return;
    }
    if (this.#sender.behind) this.#socket.pause();
  }

  /** The parser copied nothing: it says where in `head` things stand. */
  #head(): void {
    const { head, fields, fieldCount, methodStart, methodEnd, targetStart, targetEnd } = this.#parser;
    console.log(`${text(head, methodStart, methodEnd)} ${text(head, targetStart, targetEnd)}`);
    for (let i = 0; i < fieldCount * 4; i += 4) {
      console.log(`  ${text(head, fields[i], fields[i + 1])}: ${text(head, fields[i + 2], fields[i + 3])}`);
    }
    // The client waits for this before it sends a large body (RFC 9110, section 10.1.1).
    if (this.#parser.expectContinue) this.#sender.send(encoder.encode("HTTP/1.1 100 Continue\r\n\r\n"));
  }

  #answer(status: number, message: string, keepAlive: boolean): void {
    const body = `${message}\n`;
    const connection = keepAlive ? "keep-alive" : "close";
    const head = `HTTP/1.1 ${status} ${message}\r\nContent-Length: ${body.length}\r\nConnection: ${connection}\r\n\r\n`;
    this.#sender.send(encoder.encode(head + body));
    if (!keepAlive) this.#close();
  }

  /** After what is waiting. */
  #close(): void {
    this.#closing = true;
    if (!this.#sender.behind) this.#socket.close();
  }

  onDrain(): void {
    if (!this.#sender.drain()) return;
    if (this.#closing) this.#socket.close();
    else this.#socket.resume();
  }

  onEnd(): void {
    this.#close();
  }

  onEndUnread(): void {}
  onClose(): void {}
}

const port = Number(runtime.arguments()[0] ?? 7000);
const listener = await runtime.listen({ host: "127.0.0.1", port, backlog: 128 }, (socket) => new Requests(socket));
console.log(`Listening on http://${listener.address.host}:${listener.address.port}`);
