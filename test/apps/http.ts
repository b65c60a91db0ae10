/** Helpers of the test apps: queries, whole bodies, short answers. */
import type { HttpScope, Receive, Send, SentHeader } from "../../src/asgi/types.ts";

export interface Call {
  readonly scope: HttpScope;
  readonly receive: Receive;
  readonly send: Send;
  readonly query: URLSearchParams;
  /** The journal's token, `?t=`; empty when there is none. */
  readonly token: string;
}

export type Handler = (call: Call) => Promise<void> | void;

export const encoder = new TextEncoder();

export function callOf(scope: HttpScope, receive: Receive, send: Send): Call {
  const query = new URLSearchParams(decode(scope.query_string));
  return { scope, receive, send, query, token: query.get("t") ?? "" };
}

/** A whole answer with its Content-Length. */
export async function answer(
  send: Send,
  body: string | Uint8Array,
  status = 200,
  headers: readonly SentHeader[] = [],
): Promise<void> {
  const bytes = typeof body === "string" ? encoder.encode(body) : body;
  const length: SentHeader = ["content-length", String(bytes.length)];
  await send({ type: "http.response.start", status, headers: [length, ...headers] });
  await send({ type: "http.response.body", body: bytes });
}

/** The whole request body, or undefined when the client went before its end. */
export async function readBody(receive: Receive): Promise<Uint8Array | undefined> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const event = await receive();
    if (event.type !== "http.request") return undefined;
    // Copied: the event's bytes may be the server's own.
    parts.push(event.body.slice());
    size += event.body.length;
    if (event.more_body) continue;
    const whole = new Uint8Array(size);
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }
}

/** Waits for `http.disconnect`, whatever arrives before it. */
export async function untilDisconnect(receive: Receive): Promise<void> {
  while ((await receive()).type !== "http.disconnect");
}

/** Each byte as the character of its value. (TextDecoder's "latin1" is windows-1252.) */
export function decode(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}
