/** What a worker carries: a request (exchange.ts) or a WebSocket (socket.ts), as host, dispatcher and pool know both. */
import type { HttpScope, SentHeader, WebSocketScope } from "../asgi/types.ts";
import type { WorkerHost } from "./host.ts";
import { HEADER_BYTES, MORE, MOST_PAYLOAD_BYTES, type RecordBuffer } from "./wire.ts";

export interface Carried {
  readonly scope: HttpScope | WebSocketScope;
  id: number;
  /** The worker's stream has taken the head, or a part of it. */
  written: boolean;
  /** It waits in its host's round of bodies. */
  inRound: boolean;
  readonly isOver: boolean;
  readonly isSocket: boolean;
  /** Writes the head into `out`, which leaves at the end of this turn. */
  begin(host: WorkerHost, id: number, out: RecordBuffer): void;
  /** No worker may take it yet. `onGone` is called when its client goes meanwhile. */
  wait(onGone: () => void): void;
  /** Appends a record of what waits; returns whether more could be sent now. */
  putBody(out: RecordBuffer): boolean;
  /**
   * @param records it came in, of a message
   * @throws WireError for what no worker sends
   */
  took(type: number, flags: number, bytes: Uint8Array, start: number, end: number, records: number): void;
  /** The worker died. Returns whether another one may have it. */
  orphaned(): boolean;
  /** Its worker is to leave, and the patience with it is over: ends a WebSocket that is open. Returns whether it was one. */
  outstay(): boolean;
  /** Answers in the worker's stead. */
  answer(status: number, text: string, more: readonly SentHeader[], type?: string): void;
}

/** For the log: what a worker had, "" for nothing. */
export function loadOf(carried: readonly Carried[]): string {
  const sockets = carried.filter(({ isSocket }) => isSocket).length;
  return loadText(carried.length - sockets, sockets);
}

export function loadText(requests: number, sockets: number): string {
  const open = sockets === 0 ? "" : `${sockets} WebSockets`;
  if (requests === 0) return open;
  return `${requests} request${requests === 1 ? "" : "s"} in flight${open === "" ? "" : ` and ${open}`}`;
}

/** Completes the record at `start`, whose payload reaches to the end of `out`: several, where it is too long for one. */
export function completeHead(
  out: RecordBuffer,
  start: number,
  type: number,
  flags: number,
  id: number,
  generation: number,
): void {
  const length = out.length - start - HEADER_BYTES;
  if (length <= MOST_PAYLOAD_BYTES) {
    out.header(start, length, type, flags, id, generation);
    return;
  }
  const payload = out.bytes.slice(start + HEADER_BYTES, out.length);
  out.length = start;
  for (let at = 0; at < payload.length; at += MOST_PAYLOAD_BYTES) {
    const end = Math.min(payload.length, at + MOST_PAYLOAD_BYTES);
    const more = end < payload.length ? MORE : 0;
    out.record(type, flags | more, id, generation, payload, at, end);
  }
}
