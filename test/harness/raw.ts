/** A bare socket for tests: sends exactly the bytes it is told, and reads until a response, the end or a reset. */
import { connect, type Socket } from "node:net";
import { excerpt, latin1, parseResponse, type Response } from "./response.ts";
import { within } from "./wait.ts";

/** Host and port, or the path of a Unix socket. */
export type Address = { readonly host: string; readonly port: number } | { readonly path: string };

/** How the server ended the connection: with FIN, or with RST (or another socket error). */
export type Ending = "fin" | "reset";

export class RawClient {
  readonly socket: Socket;
  private received = Buffer.alloc(0);
  private parsed = 0;
  private ending: Ending | undefined;
  private wake: (() => void)[] = [];

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => {
      this.received = Buffer.concat([this.received, chunk]);
      this.notify();
    });
    socket.on("end", () => this.endWith("fin"));
    socket.on("error", () => this.endWith("reset"));
    socket.on("close", () => this.endWith("fin"));
  }

  /** Half-open: the server's FIN does not close the client's side by itself. */
  static connect(address: Address): Promise<RawClient> {
    const connecting = new Promise<RawClient>((resolve, reject) => {
      const socket = connect({ ...address, allowHalfOpen: true });
      const client = new RawClient(socket);
      socket.once("connect", () => resolve(client));
      socket.once("error", reject);
    });
    return within(connecting, "a connection");
  }

  /** Sends each piece in a write of its own, one turn of the event loop apart. */
  async send(...pieces: (string | Uint8Array)[]): Promise<void> {
    for (const piece of pieces) {
      if (this.ending === "reset") return;
      this.socket.write(typeof piece === "string" ? Buffer.from(piece, "latin1") : piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Sends FIN; reading goes on. */
  finish(): void {
    this.socket.end();
  }

  /** Ends with RST. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  close(): void {
    this.socket.destroy();
  }

  /** The next response, interim ones inside it. `method` is that of the request it answers. */
  async response(method = "GET"): Promise<Response> {
    for (;;) {
      if (this.ending === "reset" && this.parsed === this.received.length) throw new Error("the connection was reset");
      const found = parseResponse(this.received, this.parsed, method, this.ending !== undefined);
      if (found !== undefined) {
        this.parsed = found.end;
        return found.response;
      }
      await this.more("a response");
    }
  }

  /** Waits until at least `text` has arrived behind what was parsed. */
  async sees(text: string): Promise<void> {
    while (!this.received.includes(text, this.parsed, "latin1")) {
      if (this.ending !== undefined) throw new Error(`the connection ended before ${text}: ${excerpt(this.received)}`);
      await this.more(JSON.stringify(text));
    }
  }

  /** Waits for the server's end of the connection, and then ends the client's own, as clients do. */
  async ended(): Promise<Ending> {
    while (this.ending === undefined) await this.more("the end of the connection");
    if (this.ending === "fin") this.socket.end();
    return this.ending;
  }

  /** What has arrived and was not parsed. */
  unparsed(): string {
    return latin1(this.received.subarray(this.parsed));
  }

  /** All that arrives until the server ends the connection. */
  async all(): Promise<string> {
    await this.ended();
    return latin1(this.received);
  }

  get endedAs(): Ending | undefined {
    return this.ending;
  }

  private endWith(ending: Ending): void {
    this.ending ??= ending;
    this.notify();
  }

  private notify(): void {
    const woken = this.wake;
    this.wake = [];
    for (const wake of woken) wake();
  }

  private more(what: string): Promise<void> {
    const arrival = new Promise<void>((resolve) => this.wake.push(resolve));
    return within(arrival, what, () => `; so far: ${excerpt(this.received)}`);
  }
}

/** One connection, the given bytes, everything the server sends until it closes. */
export async function exchange(address: Address, ...pieces: (string | Uint8Array)[]): Promise<string> {
  const client = await RawClient.connect(address);
  await client.send(...pieces);
  const all = await client.all();
  client.close();
  return all;
}

/** One request on a connection of its own; adds Host, and `Connection: close`. */
export async function request(
  address: Address,
  target: string,
  options: { method?: string; fields?: string; body?: string | Uint8Array } = {},
): Promise<Response> {
  const { method = "GET", fields = "", body = "" } = options;
  const client = await RawClient.connect(address);
  const length = body.length > 0 ? `Content-Length: ${Buffer.byteLength(body)}\r\n` : "";
  const head = `${method} ${target} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n${length}${fields}\r\n`;
  await client.send(Buffer.concat([Buffer.from(head, "latin1"), Buffer.from(body as string)]));
  try {
    return await client.response(method);
  } finally {
    client.close();
  }
}
