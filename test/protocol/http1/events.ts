/**
 * Runs the parser over pieces of a byte stream and writes down what it says, in two ways: exactly, with every offset
 * (`exactEvents`), and as text that must not depend on how the stream was cut (`plainEvents`).
 */
import { DEFAULT_HTTP1_LIMITS } from "../../../src/protocol/http1/limits.ts";
import {
  BODY,
  END,
  ERROR,
  HEAD,
  HEADER_NAMES,
  type Http1Limits,
  Http1Parser,
  NEED_DATA,
} from "../../../src/protocol/http1/parser.ts";

/** A string of code units 0 to 255 as bytes. */
export function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

/** `bytes[start, end)` as a string of code units 0 to 255. */
export function textOf(bytes: Uint8Array, start = 0, end = bytes.length): string {
  let text = "";
  for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i]);
  return text;
}

export function parserWith(limits: Partial<Http1Limits> = {}): Http1Parser {
  return new Http1Parser({ ...DEFAULT_HTTP1_LIMITS, ...limits });
}

const FORMS = ["origin", "absolute", "asterisk", "authority"];

function pairs(bytes: Uint8Array, offsets: Int32Array, count: number): [string, string][] {
  const list: [string, string][] = [];
  for (let i = 0; i < count; i++) {
    const [nameStart, nameEnd, valueStart, valueEnd] = offsets.subarray(i * 4, i * 4 + 4);
    list.push([textOf(bytes, nameStart, nameEnd), textOf(bytes, valueStart, valueEnd)]);
  }
  return list;
}

/** What the head says, without offsets. */
export function headFacts(p: Http1Parser) {
  const { head } = p;
  return {
    method: textOf(head, p.methodStart, p.methodEnd),
    methodId: p.methodId,
    target: textOf(head, p.targetStart, p.targetEnd),
    form: FORMS[p.targetForm],
    path: textOf(head, p.pathStart, p.pathEnd),
    percent: p.pathHasPercent,
    query: textOf(head, p.queryStart, p.queryEnd),
    authority: p.authorityStart < 0 ? null : textOf(head, p.authorityStart, p.authorityEnd),
    minor: p.minor,
    fields: pairs(head, p.fields, p.fieldCount),
    names: [...p.fieldIds.subarray(0, p.fieldCount)].map((id) => HEADER_NAMES[id]),
    section: textOf(head, p.fieldsStart, p.headEnd),
    contentLength: p.contentLength,
    chunked: p.chunked,
    keepAlive: p.keepAlive,
    expectContinue: p.expectContinue,
    upgrade: p.upgrade,
    hasBody: p.hasBody,
  };
}

export interface PlainEvent {
  readonly event: "head" | "body" | "end" | "error" | "idle" | "busy";
  readonly [fact: string]: unknown;
}

/** The events of `pieces`, fed one after the other. Adjacent pieces of content are joined. */
export function plainEvents(
  pieces: readonly Uint8Array[],
  limits?: Partial<Http1Limits>,
  parser?: Http1Parser,
): PlainEvent[] {
  const p = parser ?? parserWith(limits);
  const events: PlainEvent[] = [];
  let content = "";
  const flush = () => {
    if (content !== "") events.push({ event: "body", content });
    content = "";
  };
  for (const piece of pieces) {
    p.feed(piece, 0, piece.length);
    for (let event = p.next(); event !== NEED_DATA; event = p.next()) {
      if (event === BODY) {
        if (p.bodyStart >= p.bodyEnd) throw new Error("an empty piece of content");
        content += textOf(p.chunk, p.bodyStart, p.bodyEnd);
        continue;
      }
      flush();
      if (event === HEAD) events.push({ event: "head", ...headFacts(p) });
      if (event === END) events.push({ event: "end", trailers: pairs(p.trailer, p.trailers, p.trailerCount) });
      if (event === ERROR) {
        events.push({ event: "error", code: p.error?.code, status: p.error?.status });
        return events;
      }
    }
    if (p.position !== p.limit) throw new Error("NEED_DATA with bytes left over");
  }
  flush();
  events.push({ event: p.idle ? "idle" : "busy" });
  return events;
}

/** The events of a text fed at once. */
export function eventsOf(text: string, limits?: Partial<Http1Limits>): PlainEvent[] {
  return plainEvents([bytesOf(text)], limits);
}

/** The code and status of the refusal that ends the events, "" when there is none. */
export function refusalOf(text: string, limits?: Partial<Http1Limits>): string {
  const last = eventsOf(text, limits).at(-1);
  return last?.event === "error" ? `${last.status} ${last.code}` : "";
}

/** Cuts `bytes` behind each of `cuts` (ascending offsets). Each piece is a copy, as from a socket. */
export function cutAt(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let from = 0;
  for (const cut of [...cuts, bytes.length]) {
    if (cut <= from && cut !== bytes.length) continue;
    pieces.push(bytes.slice(from, cut));
    from = cut;
  }
  return pieces;
}

export function byteByByte(bytes: Uint8Array): Uint8Array[] {
  return Array.from(bytes, (byte) => Uint8Array.of(byte));
}

/** One line per event, with the offsets as the parser gives them. */
export function exactEvents(text: string, start = 0): string[] {
  const p = parserWith();
  const bytes = bytesOf(text);
  p.feed(bytes, start, bytes.length);
  const lines: string[] = [];
  const span = (name: string, from: number, to: number) => `${name}=${from},${to}`;
  for (;;) {
    const event = p.next();
    if (event === NEED_DATA) return [...lines, `NEED_DATA at ${p.position}`];
    if (event === ERROR) return [...lines, `ERROR ${p.error?.status} ${p.error?.code} at ${p.position}`];
    if (event === BODY) lines.push(`BODY ${p.bodyStart},${p.bodyEnd}`);
    if (event === HEAD) {
      const { fields } = p;
      const spans = Array.from({ length: p.fieldCount }, (_, i) => fields.subarray(i * 4, i * 4 + 4).join());
      const target = [
        span("method", p.methodStart, p.methodEnd),
        span("target", p.targetStart, p.targetEnd),
        span("path", p.pathStart, p.pathEnd),
        span("query", p.queryStart, p.queryEnd),
        span("authority", p.authorityStart, p.authorityEnd),
      ];
      lines.push(`HEAD ${p.headStart},${p.headEnd} ${target.join(" ")} fields=${spans.join(" ")}`);
    }
    if (event === END) {
      const { trailers } = p;
      const spans = Array.from({ length: p.trailerCount }, (_, i) => ` ${trailers.subarray(i * 4, i * 4 + 4).join()}`);
      lines.push(`END${spans.join("")} at ${p.position}`);
    }
  }
}
