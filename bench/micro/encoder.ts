/**
 * Micro benchmark: a response head of eight field lines through the encoder, every byte of it checked, against the
 * usual ways with strings, which check nothing.
 */
import { OutBuffer } from "../../src/protocol/buffer.ts";
import {
  HeadEncoder,
  prepareField,
  putContentLength,
  putHeadEnd,
  putPrepared,
} from "../../src/protocol/http1/encoder.ts";
import { type MicroCase, runMicro } from "./harness.ts";

const DATE = "Tue, 15 Nov 1994 08:12:31 GMT";
const FIELDS: readonly (readonly [name: string, value: string])[] = [
  ["content-type", "text/html; charset=utf-8"],
  ["content-length", "5120"],
  ["cache-control", "private, max-age=0, must-revalidate"],
  ["etag", '"33a64df551425fcc55e4d42a148795d9f25f89d4"'],
  ["vary", "Accept-Encoding, Cookie"],
  ["x-request-id", "7f0c5c52-2f3e-4dd8-9d3f-0f2a3cf4a9ad"],
];

const text = new TextEncoder();
const asBytes = FIELDS.map(([name, value]) => [text.encode(name), text.encode(value)] as const);
const own = text.encode(`server: ringcorn\r\ndate: ${DATE}\r\n`);
// Prepared lines are what `--header` and the cached Server and Date use.
const prepared = [prepareField("server", "ringcorn"), prepareField("date", DATE)];

const encoder = new HeadEncoder();
const out = new OutBuffer();

function finish(): number {
  for (const line of prepared) putPrepared(out, line);
  if (encoder.contentLength >= 0) putContentLength(out, encoder.contentLength);
  putHeadEnd(out);
  return out.end;
}

function headFromBytes(): number {
  out.clear();
  encoder.begin(out, 200);
  for (const [name, value] of asBytes) encoder.field(out, name, value);
  return finish();
}

function headFromText(): number {
  out.clear();
  encoder.begin(out, 200);
  for (const [name, value] of FIELDS) encoder.field(out, name, value);
  return finish();
}

function joined(): string {
  let head = "HTTP/1.1 200 OK\r\n";
  for (const [name, value] of FIELDS) head += `${name}: ${value}\r\n`;
  return `${head}server: ringcorn\r\ndate: ${DATE}\r\n\r\n`;
}

const target = new Uint8Array(4096);

/** What a server pays that takes byte strings from the application and copies them unchecked. */
function copied(): number {
  let at = 0;
  const put = (piece: Uint8Array) => {
    target.set(piece, at);
    at += piece.length;
  };
  for (const [name, value] of asBytes) {
    put(name);
    put(value);
    at += 4;
  }
  put(own);
  return at;
}

const bytes = headFromBytes();
const CASES: MicroCase[] = [
  { name: "encoder, fields as bytes", run: headFromBytes, bytes },
  { name: "encoder, fields as text", run: headFromText, bytes },
  { name: "string and encode, unchecked", run: () => text.encode(joined()), bytes },
  { name: "string and encodeInto, unchecked", run: () => text.encodeInto(joined(), target).written, bytes },
  { name: "copies with set, unchecked", run: copied, bytes },
];

await runMicro("encoder, per head", CASES);
