/** What a cycle asks of the connection that it serves. */
import type { ByteRing } from "../channel/ring.ts";
import type { OutBuffer } from "../protocol/buffer.ts";
import type { HeadEncoder } from "../protocol/http1/encoder.ts";
import type { HttpCycle } from "./cycle.ts";
import type { DefaultFields } from "./default-fields.ts";

/** A file that `http.response.pathsend` sends. */
export interface SendableFile {
  readonly sizeBytes: number;
  read(into: Uint8Array, position: number): Promise<number>;
  /** As `read`, at once, into `into[start, start + length)`: for what is short. */
  readNow(into: Uint8Array, start: number, length: number, position: number): number;
  close(): void;
}

/** The connection, as a cycle sees it. */
export interface CycleHost {
  readonly out: OutBuffer;
  readonly encoder: HeadEncoder;
  readonly ring: ByteRing;
  readonly fields: DefaultFields;
  /** The socket takes nothing now; `drained` settles when it does again. */
  readonly blocked: boolean;
  /** Rejects with ClientDisconnected when the socket is gone. */
  drained(): Promise<void>;
  /** Writes what is committed, now. */
  flush(): void;
  /** Writes what is committed at the end of this turn. */
  flushSoon(): void;
  /** Offers bytes to the socket past the empty buffer; returns how many it took. */
  writeDirect(bytes: Uint8Array, start: number, end: number): number;
  /** The application has taken body pieces, or the client has been told to send them: more may be read. */
  bodyTaken(): void;
  /** Whether the connection must end with this response (besides what the cycle knows itself). */
  mustClose(): boolean;
  openFile(path: string): Promise<SendableFile>;
  /** The response is complete and committed. */
  responseDone(cycle: HttpCycle): void;
  /** The application ended without a complete response; `error` when it threw. */
  responseFailed(cycle: HttpCycle, error: unknown): void;
  /** The application threw, or sent wrongly, although its response is complete or cut. */
  reportError(cycle: HttpCycle, error: unknown): void;
  debug(cycle: HttpCycle, info: unknown): void;
  /** The application has been called, and it has returned or failed; not told of one that is part of the server. */
  applicationBegan(): void;
  applicationEnded(): void;
}
