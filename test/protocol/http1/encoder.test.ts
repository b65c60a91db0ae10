/** The response encoder: golden bytes, what it refuses, and that an independent parser reads back what was put in. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BUFFER_MAX_BYTES, OutBuffer } from "../../../src/protocol/buffer.ts";
import {
  CHUNK_LINE_BYTES,
  closingResponse,
  EncodeError,
  HeadEncoder,
  prepareField,
  putChunkedFraming,
  putChunkLine,
  putConnection,
  putContentLength,
  putHeadEnd,
  reasonPhrase,
  SEEN_CONNECTION_CLOSE,
  SEEN_CONTENT_LENGTH,
  SEEN_DATE,
  SEEN_SERVER,
  statusLine,
} from "../../../src/protocol/http1/encoder.ts";
import { latin1, parseResponse } from "../../harness/response.ts";

type Value = Uint8Array | string;

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

function written(out: OutBuffer): string {
  return latin1(out.bytes.subarray(out.start, out.end));
}

/** The head with these fields, without framing. */
function head(status: number, fields: readonly (readonly [Value, Value])[]): { text: string; encoder: HeadEncoder } {
  const out = new OutBuffer();
  const encoder = new HeadEncoder();
  encoder.begin(out, status);
  for (const [name, value] of fields) encoder.field(out, name, value);
  putHeadEnd(out);
  return { text: written(out), encoder };
}

// ---- golden bytes ----------------------------------------------------------------------------------------------

test("a head is its status line, its field lines as given, and an empty line", () => {
  const fields: [Value, Value][] = [
    ["Content-Type", "text/plain"],
    [bytesOf("x-empty"), new Uint8Array()],
    ["x-latin", "caf\xe9"],
    [bytesOf("X-Tab"), bytesOf("a\tb")],
  ];
  assert.equal(
    head(200, fields).text,
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nx-empty: \r\nx-latin: caf\xe9\r\nX-Tab: a\tb\r\n\r\n",
  );
});

for (const [status, line] of [
  [200, "HTTP/1.1 200 OK\r\n"],
  [404, "HTTP/1.1 404 Not Found\r\n"],
  [299, "HTTP/1.1 299 \r\n"],
  [599, "HTTP/1.1 599 \r\n"],
] as const) {
  test(`status line of ${status}`, () => assert.equal(latin1(statusLine(status)), line));
}

test("every reason phrase is text of one line", () => {
  for (let status = 100; status < 600; status++) assert.match(reasonPhrase(status), /^[A-Za-z' -]*$/);
});

for (const length of [0, 1, 9, 10, 99, 100, 65_535, 2 ** 31, 2 ** 32, 2 ** 32 + 1, 999_999_999_999, 2 ** 53 - 1]) {
  test(`Content-Length ${length}`, () => {
    const out = new OutBuffer();
    putContentLength(out, length);
    assert.equal(written(out), `content-length: ${length}\r\n`);
  });
}

for (let bits = 0; bits <= 52; bits++) {
  test(`chunk-size lines around 2^${bits}`, () => {
    for (const size of [2 ** bits - 1, 2 ** bits, 2 ** bits + 1]) {
      const out = new OutBuffer();
      out.ensure(CHUNK_LINE_BYTES);
      putChunkLine(out, size);
      assert.equal(written(out), `${size.toString(16)}\r\n`);
      assert.ok(out.end <= CHUNK_LINE_BYTES);
    }
  });
}

test("framing lines", () => {
  const out = new OutBuffer();
  putChunkedFraming(out);
  putConnection(out, true);
  putConnection(out, false);
  assert.equal(written(out), "transfer-encoding: chunked\r\nconnection: close\r\nconnection: keep-alive\r\n");
});

for (const [status, withBody] of [
  [503, true],
  [400, true],
  [408, false],
] as const) {
  test(`a closing response ${status} (body: ${withBody}) reads as one`, () => {
    const response = closingResponse(status, prepareField("server", "x"), "retry-after: 1\r\n", withBody);
    const parsed = parseResponse(response, 0, withBody ? "GET" : "HEAD", true);
    assert.equal(parsed?.end, response.length);
    assert.equal(parsed?.response.status, status);
    assert.deepEqual(
      parsed?.response.fields.map(([name]) => name),
      ["content-type", "content-length", "retry-after", "connection", "server"],
    );
  });
}

// ---- what is refused -------------------------------------------------------------------------------------------

const TCHAR = /[!#$%&'*+\-.^_`|~0-9A-Za-z]/;
for (let code = 0; code < 256; code++) {
  const char = String.fromCharCode(code);
  const nameOk = TCHAR.test(char);
  const valueOk = code === 9 || (code >= 0x20 && code !== 0x7f);
  test(`byte 0x${code.toString(16).padStart(2, "0")}: name ${nameOk ? "yes" : "no"}, value ${valueOk ? "yes" : "no"}`, () => {
    for (const text of [char, `a${char}`, `${char}b`, `a${char}b`]) {
      for (const given of [text, bytesOf(text)]) {
        const asName = () => head(200, [[given, "v"]]).text;
        const asValue = () => head(200, [["x-n", given]]).text;
        if (nameOk) assert.equal(asName(), `HTTP/1.1 200 OK\r\n${text}: v\r\n\r\n`);
        else assert.throws(asName, EncodeError);
        if (valueOk) assert.equal(asValue(), `HTTP/1.1 200 OK\r\nx-n: ${text}\r\n\r\n`);
        else assert.throws(asValue, EncodeError);
      }
      if (nameOk) assert.equal(latin1(prepareField(text, "v")), `${text}: v\r\n`);
      else assert.throws(() => prepareField(text, "v"), EncodeError);
      if (!valueOk) assert.throws(() => prepareField("n", text), EncodeError);
    }
  });
}

for (const char of ["\u0100", "\u010a", "\u010d", "\u560a", "\u560d", "\u2028", "\ud83d\ude00", "\uff0d"]) {
  test(`U+${char.codePointAt(0)?.toString(16)} is refused in names and values, and never cut down to a byte`, () => {
    assert.throws(() => head(200, [[`x${char}`, "v"]]), EncodeError);
    assert.throws(() => head(200, [["x", `v${char}`]]), EncodeError);
  });
}

test("an empty name is refused", () => {
  assert.throws(() => head(200, [["", "v"]]), EncodeError);
  assert.throws(() => head(200, [[new Uint8Array(), "v"]]), EncodeError);
});

for (const value of ["", " 5", "5 ", "+5", "-1", "0x5", "5,5", "1e3", "5.0", "9007199254740992", "9".repeat(400)]) {
  test(`Content-Length ${JSON.stringify(value.slice(0, 20))} is refused`, () => {
    assert.throws(() => head(200, [["Content-Length", value]]), EncodeError);
  });
}

test("Content-Length is known whatever its case, and taken once", () => {
  for (const name of ["content-length", "Content-Length", "CONTENT-LENGTH"]) {
    const { encoder } = head(200, [[name, "42"]]);
    assert.equal(encoder.contentLength, 42);
    assert.ok(encoder.seen & SEEN_CONTENT_LENGTH);
  }
  assert.throws(() => head(200, [["content-length", "1"] as const, ["Content-Length", "1"] as const]), EncodeError);
  assert.equal(head(200, [["content-length", "9007199254740991"]]).encoder.contentLength, Number.MAX_SAFE_INTEGER);
});

for (const name of ["Transfer-Encoding", "keep-alive", "Proxy-Connection", "UPGRADE", "Connection"]) {
  test(`${name} is the server's own business and left out`, () => {
    assert.equal(head(200, [[name, "x"]]).text, "HTTP/1.1 200 OK\r\n\r\n");
  });
}

for (const [value, closes] of [
  ["close", true],
  ["Close", true],
  ["keep-alive, close", true],
  ["keep-alive", false],
  ["closed", false],
] as const) {
  test(`Connection: ${value} is heard`, () => {
    assert.equal((head(200, [["connection", value]]).encoder.seen & SEEN_CONNECTION_CLOSE) !== 0, closes);
  });
}

test("Date and Server are seen and kept; names that only look like them are not", () => {
  const { encoder, text } = head(200, [["DATE", "x"] as const, ["Server", "y"] as const]);
  assert.equal(encoder.seen, SEEN_DATE | SEEN_SERVER);
  assert.match(text, /DATE: x\r\nServer: y/);
  assert.equal(head(200, [["d\x41t\x05".slice(0, 3), "x"] as const]).encoder.seen, 0);
  assert.equal(head(200, [["content\x0dlength".replace("\r", "_"), "5"] as const]).encoder.seen, 0);
});

test("a head beyond the buffer is refused", () => {
  assert.throws(() => head(200, [["x", "v".repeat(BUFFER_MAX_BYTES)]]), EncodeError);
});

// ---- properties ------------------------------------------------------------------------------------------------

const token = fc.string({ unit: fc.constantFrom(..."abzAZ09!#$%&'*+-.^_`|~"), minLength: 1, maxLength: 20 });
const vchar = fc.string({
  unit: fc.integer({ min: 0x21, max: 0xff }).map((c) => String.fromCharCode(c === 0x7f ? 0x80 : c)),
  maxLength: 30,
});
const either = (text: fc.Arbitrary<string>) =>
  fc.tuple(text, fc.boolean()).map(([t, raw]): Value => (raw ? bytesOf(t) : t));

test("an independent parser reads back the fields that went in", () => {
  const field = fc.tuple(either(token.map((name) => `x-${name}`)), either(vchar));
  fc.assert(
    fc.property(fc.array(field, { maxLength: 30 }), fc.integer({ min: 200, max: 599 }), (fields, status) => {
      const out = new OutBuffer();
      const encoder = new HeadEncoder();
      encoder.begin(out, status);
      for (const [name, value] of fields) encoder.field(out, name, value);
      putHeadEnd(out);
      const parsed = parseResponse(out.bytes.subarray(0, out.end), 0, "HEAD", true);
      assert.equal(parsed?.response.status, status);
      const plain = (value: Value) => (typeof value === "string" ? value : latin1(value));
      assert.deepEqual(
        parsed?.response.fields,
        fields.map(([name, value]) => [plain(name), plain(value)]),
      );
    }),
    { numRuns: 300 },
  );
});

test("whatever is put in, a field is one line or an error", () => {
  const anything = either(
    fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((c) => String.fromCharCode(c)), maxLength: 12 }),
  );
  fc.assert(
    fc.property(anything, anything, (name, value) => {
      const out = new OutBuffer();
      const encoder = new HeadEncoder();
      encoder.begin(out, 200);
      const before = out.end;
      try {
        encoder.field(out, name, value);
      } catch (error) {
        assert.ok(error instanceof EncodeError);
        assert.equal(out.end, before, "nothing of it is left");
        return;
      }
      assert.match(latin1(out.bytes.subarray(before, out.end)), /^(?:[^\r\n\0]+\r\n)?$/);
    }),
    { numRuns: 2000 },
  );
});
