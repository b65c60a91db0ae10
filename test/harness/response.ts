/**
 * A response parser for tests, independent of the server's code and strict (RFC 9112): a status line, field lines that
 * end in CRLF, exactly one framing. What it does not expect is an error, not a guess.
 */

export interface Response {
  readonly version: string;
  readonly status: number;
  readonly reason: string;
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array;
  readonly framing: "none" | "length" | "chunked" | "close";
  /** Sizes of the chunks, where chunked. */
  readonly chunks: readonly number[];
  readonly trailers: readonly (readonly [name: string, value: string])[];
  /** 1xx responses before this one. */
  readonly interim: readonly Response[];
}

export interface Parsed {
  readonly response: Response;
  /** Index of the first byte behind it. */
  readonly end: number;
}

const STATUS_LINE = /^HTTP\/(1\.[01]) ([1-5]\d\d) ([\t\x20-\x7e\x80-\xff]*)$/;
const FIELD_LINE =
  /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*((?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?)[ \t]*$/;

export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

/** The values of `name`, joined by `, `; undefined when it is absent. */
export function field(response: Response, name: string): string | undefined {
  const values = response.fields.filter(([n]) => n.toLowerCase() === name.toLowerCase()).map(([, value]) => value);
  return values.length === 0 ? undefined : values.join(", ");
}

export function text(response: Response): string {
  return Buffer.from(response.body).toString("utf8");
}

/**
 * The next response in `bytes` from `start` on, or undefined when it is not complete yet.
 * @param method of the request it answers: HEAD has no body.
 * @param ended no more bytes follow: completes a body that the close delimits, and makes anything cut short an error.
 */
export function parseResponse(bytes: Uint8Array, start: number, method: string, ended: boolean): Parsed | undefined {
  const interim: Response[] = [];
  for (let at = start; ; ) {
    const one = parseOne(bytes, at, method, ended);
    if (one === undefined) return undefined;
    at = one.end;
    if (one.response.status >= 200) return { response: { ...one.response, interim }, end: at };
    interim.push(one.response);
  }
}

function parseOne(bytes: Uint8Array, start: number, method: string, ended: boolean): Parsed | undefined {
  const cut = (where: string): undefined => {
    if (ended) throw new Error(`the response is cut short in its ${where}: ${excerpt(bytes, start)}`);
    return undefined;
  };
  const headEnd = indexOf(bytes, "\r\n\r\n", start);
  if (headEnd < 0) return cut("head");
  const [statusLine, ...lines] = latin1(bytes.subarray(start, headEnd)).split("\r\n");
  const status = STATUS_LINE.exec(statusLine);
  if (status === null) throw new Error(`not a status line: ${JSON.stringify(statusLine)}`);
  const fields = lines.map(parseField);
  const head = { version: status[1], status: Number(status[2]), reason: status[3], fields, interim: [] };
  const bodyStart = headEnd + 4;
  const lengths = valuesOf(fields, "content-length");
  const codings = valuesOf(fields, "transfer-encoding");
  if (lengths.length > 1 || (lengths.length > 0 && codings.length > 0)) {
    throw new Error(`two framings: ${JSON.stringify(fields)}`);
  }
  if (head.status < 200 || head.status === 204) {
    if (lengths.length + codings.length > 0) throw new Error(`${head.status} with a framing field`);
  }
  if (method === "HEAD" || head.status < 200 || head.status === 204 || head.status === 304) {
    const none = { body: new Uint8Array(), framing: "none" as const, chunks: [], trailers: [] };
    return { response: { ...head, ...none }, end: bodyStart };
  }
  if (codings.length > 0) {
    if (codings.length > 1 || codings[0] !== "chunked") throw new Error(`Transfer-Encoding: ${codings.join(", ")}`);
    const chunked = parseChunked(bytes, bodyStart);
    if (chunked === undefined) return cut("chunked body");
    const { end, ...body } = chunked;
    return { response: { ...head, ...body, framing: "chunked" }, end };
  }
  if (lengths.length > 0) {
    if (!/^\d+$/.test(lengths[0])) throw new Error(`Content-Length: ${lengths[0]}`);
    const end = bodyStart + Number(lengths[0]);
    if (end > bytes.length) return cut("sized body");
    const body = bytes.slice(bodyStart, end);
    return { response: { ...head, body, framing: "length", chunks: [], trailers: [] }, end };
  }
  if (!ended) return undefined;
  const body = bytes.slice(bodyStart);
  return { response: { ...head, body, framing: "close", chunks: [], trailers: [] }, end: bytes.length };
}

function parseChunked(bytes: Uint8Array, start: number) {
  const chunks: number[] = [];
  const parts: Uint8Array[] = [];
  for (let at = start; ; ) {
    const lineEnd = indexOf(bytes, "\r\n", at);
    if (lineEnd < 0) return undefined;
    const line = latin1(bytes.subarray(at, lineEnd));
    if (!/^[0-9a-fA-F]{1,8}$/.test(line)) throw new Error(`not a chunk size line: ${JSON.stringify(line)}`);
    const size = Number.parseInt(line, 16);
    at = lineEnd + 2;
    if (size === 0) return parseTrailers(bytes, at, chunks, parts);
    if (at + size + 2 > bytes.length) return undefined;
    if (latin1(bytes.subarray(at + size, at + size + 2)) !== "\r\n") throw new Error("no CRLF behind a chunk");
    chunks.push(size);
    parts.push(bytes.subarray(at, at + size));
    at += size + 2;
  }
}

function parseTrailers(bytes: Uint8Array, start: number, chunks: number[], parts: Uint8Array[]) {
  const trailers: (readonly [string, string])[] = [];
  for (let at = start; ; ) {
    const lineEnd = indexOf(bytes, "\r\n", at);
    if (lineEnd < 0) return undefined;
    if (lineEnd === at) return { body: new Uint8Array(Buffer.concat(parts)), chunks, trailers, end: at + 2 };
    trailers.push(parseField(latin1(bytes.subarray(at, lineEnd))));
    at = lineEnd + 2;
  }
}

function parseField(line: string): readonly [string, string] {
  const match = FIELD_LINE.exec(line);
  if (match === null) throw new Error(`not a field line: ${JSON.stringify(line)}`);
  return [match[1], match[2]];
}

function valuesOf(fields: readonly (readonly [string, string])[], name: string): string[] {
  return fields.filter(([n]) => n.toLowerCase() === name).map(([, value]) => value);
}

function indexOf(bytes: Uint8Array, what: string, from: number): number {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).indexOf(what, from, "latin1");
}

/** A short piece of what arrived, for messages. */
export function excerpt(bytes: Uint8Array, start = 0): string {
  const shown = latin1(bytes.subarray(start, start + 400));
  return `${JSON.stringify(shown)}${bytes.length - start > 400 ? ` and ${bytes.length - start - 400} bytes more` : ""}`;
}
