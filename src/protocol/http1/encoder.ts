/**
 * Encodes HTTP/1.1 responses: RFC 9112 sections 4 (status line), 5 (field lines), 7.1 (chunked coding).
 * Every byte that an application supplies is checked here, so that no value can end its line.
 */
import type { OutBuffer } from "../buffer.ts";

/** A response cannot be encoded as asked; the message says why, without the offending bytes. */
export class EncodeError extends Error {
  override readonly name = "EncodeError";
}

/** What the encoder must know of a field that it wrote, as bits of a set. */
export const SEEN_CONTENT_LENGTH = 1;
export const SEEN_DATE = 2;
export const SEEN_SERVER = 4;
export const SEEN_CONNECTION_CLOSE = 8;
/** The field is the server's own business and was left out. */
export const SEEN_HOP_BY_HOP = 16;

const REASONS: Readonly<Record<number, string>> = {
  100: "Continue",
  101: "Switching Protocols",
  102: "Processing",
  103: "Early Hints",
  200: "OK",
  201: "Created",
  202: "Accepted",
  203: "Non-Authoritative Information",
  204: "No Content",
  205: "Reset Content",
  206: "Partial Content",
  207: "Multi-Status",
  208: "Already Reported",
  226: "IM Used",
  300: "Multiple Choices",
  301: "Moved Permanently",
  302: "Found",
  303: "See Other",
  304: "Not Modified",
  305: "Use Proxy",
  307: "Temporary Redirect",
  308: "Permanent Redirect",
  400: "Bad Request",
  401: "Unauthorized",
  402: "Payment Required",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  406: "Not Acceptable",
  407: "Proxy Authentication Required",
  408: "Request Timeout",
  409: "Conflict",
  410: "Gone",
  411: "Length Required",
  412: "Precondition Failed",
  413: "Content Too Large",
  414: "URI Too Long",
  415: "Unsupported Media Type",
  416: "Range Not Satisfiable",
  417: "Expectation Failed",
  418: "I'm a Teapot",
  421: "Misdirected Request",
  422: "Unprocessable Content",
  423: "Locked",
  424: "Failed Dependency",
  425: "Too Early",
  426: "Upgrade Required",
  428: "Precondition Required",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  451: "Unavailable For Legal Reasons",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  505: "HTTP Version Not Supported",
  506: "Variant Also Negotiates",
  507: "Insufficient Storage",
  508: "Loop Detected",
  510: "Not Extended",
  511: "Network Authentication Required",
};

const ASCII = new TextEncoder();

/** The registered reason phrase (RFC 9110 section 15), empty for a status that has none. */
export function reasonPhrase(status: number): string {
  return REASONS[status] ?? "";
}

const STATUS_LINES: (Uint8Array | undefined)[] = new Array(600).fill(undefined);

/** `HTTP/1.1 200 OK` and its CRLF. The version is the server's own, also to a 1.0 client (RFC 9112 section 2.3). */
export function statusLine(status: number): Uint8Array {
  const known = STATUS_LINES[status];
  if (known !== undefined) return known;
  const made = ASCII.encode(`HTTP/1.1 ${status} ${reasonPhrase(status)}\r\n`);
  STATUS_LINES[status] = made;
  return made;
}

const NO_CONTENT = 204;
const NAME_BYTE = 1;
const VALUE_BYTE = 2;

/** Classes of bytes: RFC 9110 section 5.6.2 `tchar` for names; section 5.5 `field-vchar`, SP and HTAB for values. */
const CLASSES = (() => {
  const classes = new Uint8Array(256);
  for (let byte = 0x20; byte < 256; byte++) if (byte !== 0x7f) classes[byte] |= VALUE_BYTE;
  classes[0x09] |= VALUE_BYTE;
  for (const char of "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") {
    classes[char.charCodeAt(0)] |= NAME_BYTE;
  }
  return classes;
})();

/** The greatest length that `parseLength` accepts: what a double counts exactly. */
const MAX_LENGTH = Number.MAX_SAFE_INTEGER;

/**
 * Appends field lines one by one and remembers what they were. One per connection in use; `begin` starts a head.
 */
export class HeadEncoder {
  /** SEEN_ bits of the fields so far. */
  seen = 0;
  /** The value of Content-Length, -1 while there is none. */
  contentLength = -1;
  #status = 0;

  /** Starts a head with its status line. */
  begin(out: OutBuffer, status: number): void {
    this.seen = 0;
    this.contentLength = -1;
    this.#status = status;
    const line = statusLine(status);
    room(out, line.length);
    out.append(line, 0, line.length);
  }

  /**
   * Appends one field line of the application's.
   * @throws EncodeError when the name is not a token or the value has a control byte
   */
  field(out: OutBuffer, name: Uint8Array | string, value: Uint8Array | string): void {
    const nameLength = name.length;
    room(out, nameLength + value.length + 4);
    const bytes = out.bytes;
    const lineStart = out.end;
    const nameEnd = typeof name === "string" ? putNameText(bytes, lineStart, name) : putName(bytes, lineStart, name);
    bytes[nameEnd] = 0x3a;
    bytes[nameEnd + 1] = 0x20;
    const valueStart = nameEnd + 2;
    const valueEnd =
      typeof value === "string" ? putValueText(bytes, valueStart, value) : putValue(bytes, valueStart, value);
    this.#endLine(out, lineStart, nameLength, valueStart, valueEnd);
  }

  /**
   * Appends the field lines of `bytes[start, end)`: name NUL value NUL name ..., which no field can hold.
   * @throws EncodeError when a name is not a token, a value has a control byte or the last name has no value
   */
  separated(out: OutBuffer, bytes: Uint8Array, start: number, end: number): void {
    let at = start;
    while (at < end) {
      const nameAt = at;
      while (at < end && bytes[at] !== 0) at++;
      const nameEnd = at++;
      if (nameEnd >= end) throw new EncodeError("a header name has no value");
      const valueAt = at;
      while (at < end && bytes[at] !== 0) at++;
      room(out, at - nameAt + 4);
      const into = out.bytes;
      const lineStart = out.end;
      const valueStart = putNamePart(into, lineStart, bytes, nameAt, nameEnd) + 2;
      into[valueStart - 2] = 0x3a;
      into[valueStart - 1] = 0x20;
      this.#endLine(out, lineStart, nameEnd - nameAt, valueStart, putValuePart(into, valueStart, bytes, valueAt, at));
      at++;
    }
  }

  /** Ends the line whose value ends at `valueEnd`, or takes it back. */
  #endLine(out: OutBuffer, lineStart: number, nameLength: number, valueStart: number, valueEnd: number): void {
    const { bytes } = out;
    bytes[valueEnd] = 0x0d;
    bytes[valueEnd + 1] = 0x0a;
    const bit = recognise(bytes, lineStart, nameLength);
    out.end = bit === 0 || this.#special(bytes, bit, valueStart, valueEnd) ? valueEnd + 2 : lineStart;
  }

  /** Decides about a field that matters to the server; false leaves it out. */
  #special(bytes: Uint8Array, bit: number, valueStart: number, valueEnd: number): boolean {
    if (bit === SEEN_CONTENT_LENGTH) {
      if (this.seen & SEEN_CONTENT_LENGTH) throw new EncodeError("Content-Length is given twice");
      this.contentLength = parseLength(bytes, valueStart, valueEnd);
      this.seen |= bit;
      // RFC 9110 section 8.6: none in a 204.
      return this.#status !== NO_CONTENT;
    }
    if (bit === SEEN_HOP_BY_HOP) return false;
    if (bit === SEEN_CONNECTION_CLOSE) {
      if (listHas(bytes, valueStart, valueEnd, "close")) this.seen |= bit;
      return false;
    }
    this.seen |= bit;
    return true;
  }
}

function room(out: OutBuffer, count: number): void {
  if (!out.ensure(count)) throw new EncodeError("the response head is over 64 KiB");
}

/** Appends bytes known to be right, such as prepared field lines. */
export function putPrepared(out: OutBuffer, prepared: Uint8Array): void {
  room(out, prepared.length);
  out.append(prepared, 0, prepared.length);
}

/** Checks a field line given as text and encodes it for `putPrepared`. @throws EncodeError */
export function prepareField(name: string, value: string): Uint8Array {
  const bytes = new Uint8Array(name.length + value.length + 4);
  const nameEnd = putNameText(bytes, 0, name);
  bytes[nameEnd] = 0x3a;
  bytes[nameEnd + 1] = 0x20;
  const valueEnd = putValueText(bytes, nameEnd + 2, value);
  bytes[valueEnd] = 0x0d;
  bytes[valueEnd + 1] = 0x0a;
  return bytes;
}

function putName(into: Uint8Array, at: number, name: Uint8Array): number {
  if (!(name instanceof Uint8Array)) throw new EncodeError("a header name is neither bytes nor a string");
  return putNamePart(into, at, name, 0, name.length);
}

function putNamePart(into: Uint8Array, at: number, name: Uint8Array, start: number, end: number): number {
  if (start === end) throw new EncodeError("a header name is empty");
  let to = at;
  for (let i = start; i < end; i++) {
    const byte = name[i];
    if ((CLASSES[byte] & NAME_BYTE) === 0) throw new EncodeError("a header name has a byte that names may not have");
    into[to++] = byte;
  }
  return to;
}

function putNameText(into: Uint8Array, at: number, name: string): number {
  const length = name.length;
  if (length === 0) throw new EncodeError("a header name is empty");
  for (let i = 0; i < length; i++) {
    const code = name.charCodeAt(i);
    if (code > 127 || (CLASSES[code] & NAME_BYTE) === 0) {
      throw new EncodeError("a header name has a character that names may not have");
    }
    into[at + i] = code;
  }
  return at + length;
}

function putValue(into: Uint8Array, at: number, value: Uint8Array): number {
  if (!(value instanceof Uint8Array)) throw new EncodeError("a header value is neither bytes nor a string");
  return putValuePart(into, at, value, 0, value.length);
}

function putValuePart(into: Uint8Array, at: number, value: Uint8Array, start: number, end: number): number {
  let to = at;
  for (let i = start; i < end; i++) {
    const byte = value[i];
    if ((CLASSES[byte] & VALUE_BYTE) === 0) throw new EncodeError("a header value has a control byte");
    into[to++] = byte;
  }
  return to;
}

function putValueText(into: Uint8Array, at: number, value: string): number {
  const length = value.length;
  for (let i = 0; i < length; i++) {
    const code = value.charCodeAt(i);
    if (code > 255 || (CLASSES[code] & VALUE_BYTE) === 0) {
      throw new EncodeError(
        code > 255 ? "a header value has a character beyond ISO 8859-1" : "a header value has a control character",
      );
    }
    into[at + i] = code;
  }
  return at + length;
}

const SPECIAL_NAMES: readonly (readonly [name: string, bit: number])[] = [
  ["content-length", SEEN_CONTENT_LENGTH],
  ["date", SEEN_DATE],
  ["server", SEEN_SERVER],
  ["connection", SEEN_CONNECTION_CLOSE],
  ["keep-alive", SEEN_HOP_BY_HOP],
  ["transfer-encoding", SEEN_HOP_BY_HOP],
  ["proxy-connection", SEEN_HOP_BY_HOP],
  ["upgrade", SEEN_HOP_BY_HOP],
];
/** Special names by their length, as lowercase bytes. */
const SPECIAL_BY_LENGTH: readonly (readonly { bytes: Uint8Array; bit: number }[])[] = Array.from(
  { length: 32 },
  (_, n) =>
    SPECIAL_NAMES.filter(([name]) => name.length === n).map(([name, bit]) => ({ bytes: ASCII.encode(name), bit })),
);

function recognise(bytes: Uint8Array, start: number, length: number): number {
  if (length >= 32) return 0;
  const candidates = SPECIAL_BY_LENGTH[length];
  for (let c = 0; c < candidates.length; c++) {
    const candidate = candidates[c];
    if (equalsLower(bytes, start, candidate.bytes)) return candidate.bit;
  }
  return 0;
}

/** Compares with lowercase letters and hyphens; 0x20 folds the case of letters and leaves a hyphen as it is. */
function equalsLower(bytes: Uint8Array, start: number, lower: Uint8Array): boolean {
  for (let i = 0; i < lower.length; i++) if ((bytes[start + i] | 0x20) !== lower[i]) return false;
  return true;
}

function parseLength(bytes: Uint8Array, start: number, end: number): number {
  let length = 0;
  for (let i = start; i < end; i++) {
    const digit = bytes[i] - 0x30;
    if (digit < 0 || digit > 9) throw new EncodeError("Content-Length is not a whole number");
    length = length * 10 + digit;
    if (length > MAX_LENGTH) throw new EncodeError("Content-Length is too large");
  }
  if (start === end) throw new EncodeError("Content-Length is empty");
  return length;
}

/** Whether a comma-separated list of tokens has the token, whatever its case. */
function listHas(bytes: Uint8Array, start: number, end: number, token: string): boolean {
  let text = "";
  for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i]);
  return text.split(",").some((part) => part.trim().toLowerCase() === token);
}

const CONTENT_LENGTH = ASCII.encode("content-length: ");
const TRANSFER_CHUNKED = ASCII.encode("transfer-encoding: chunked\r\n");
const CONNECTION_CLOSE = ASCII.encode("connection: close\r\n");
const CONNECTION_KEEP_ALIVE = ASCII.encode("connection: keep-alive\r\n");
/** The last chunk and an empty trailer section. */
export const LAST_CHUNK = ASCII.encode("0\r\n\r\n");
/** The last chunk's line, trailers follow. */
export const LAST_CHUNK_LINE = ASCII.encode("0\r\n");
export const CRLF = ASCII.encode("\r\n");
export const CONTINUE_RESPONSE = ASCII.encode("HTTP/1.1 100 Continue\r\n\r\n");

/** Room that the server's own framing lines and the end of a head take at most. */
export const FRAMING_BYTES =
  CONTENT_LENGTH.length + 18 + TRANSFER_CHUNKED.length + CONNECTION_KEEP_ALIVE.length + CRLF.length;

export function putContentLength(out: OutBuffer, length: number): void {
  room(out, CONTENT_LENGTH.length + 18);
  out.append(CONTENT_LENGTH, 0, CONTENT_LENGTH.length);
  out.end = putDecimal(out.bytes, out.end, length);
  out.append(CRLF, 0, 2);
}

export function putChunkedFraming(out: OutBuffer): void {
  putPrepared(out, TRANSFER_CHUNKED);
}

export function putConnection(out: OutBuffer, close: boolean): void {
  putPrepared(out, close ? CONNECTION_CLOSE : CONNECTION_KEEP_ALIVE);
}

/** Ends the head. */
export function putHeadEnd(out: OutBuffer): void {
  putPrepared(out, CRLF);
}

function putDecimal(into: Uint8Array, at: number, value: number): number {
  let digits = 1;
  for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) digits++;
  let rest = value;
  for (let i = at + digits - 1; i >= at; i--) {
    const next = Math.floor(rest / 10);
    into[i] = 0x30 + (rest - next * 10);
    rest = next;
  }
  return at + digits;
}

/** Longest chunk-size line: 14 hex digits for 2^53 and its CRLF. */
export const CHUNK_LINE_BYTES = 16;

/** Appends a chunk-size line (RFC 9112 section 7.1); the caller has made room for CHUNK_LINE_BYTES. */
export function putChunkLine(out: OutBuffer, size: number): void {
  const bytes = out.bytes;
  let digits = 1;
  for (let rest = size; rest >= 16; rest = Math.floor(rest / 16)) digits++;
  let rest = size;
  for (let i = out.end + digits - 1; i >= out.end; i--) {
    const digit = rest % 16;
    bytes[i] = digit < 10 ? 0x30 + digit : 0x57 + digit;
    rest = (rest - digit) / 16;
  }
  out.end += digits;
  bytes[out.end++] = 0x0d;
  bytes[out.end++] = 0x0a;
}

/**
 * A whole minimal response that ends its connection, for requests that never reach an application.
 * @param fields prepared field lines (Server, Date) that every response carries
 */
export function closingResponse(status: number, fields: Uint8Array, extra = "", withBody = true): Uint8Array {
  const body = `${reasonPhrase(status)}\n`;
  const head = ASCII.encode(
    `HTTP/1.1 ${status} ${reasonPhrase(status)}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: ${body.length}\r\n${extra}connection: close\r\n`,
  );
  const tail = ASCII.encode(withBody ? `\r\n${body}` : "\r\n");
  const response = new Uint8Array(head.length + fields.length + tail.length);
  response.set(head);
  response.set(fields, head.length);
  response.set(tail, head.length + fields.length);
  return response;
}
