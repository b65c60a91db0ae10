/** The scanners' inner loops end where the table says, whatever byte stands where, and however memory is aligned. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { POSITION_MAX } from "../../../src/protocol/http1/limits.ts";
import { longValueRun, plainRun } from "../../../src/protocol/http1/runs.ts";
import { Spill } from "../../../src/protocol/http1/spill.ts";
import { CLASS, IP_LITERAL, PATH, REG_NAME, TARGET, TOKEN, VALUE } from "../../../src/protocol/http1/tables.ts";
import { bytesOf, eventsOf, parserWith } from "./events.ts";

const LETTER = 0x61;
const CR = 0x0d;
/** What `longValueRun` looks at byte by byte, as runs.ts has it, and the bytes that it takes at once behind that. */
const BEFORE_WORDS = 128;
const STRIDE = 16;

/** The table's word, byte by byte. */
function expectedRun(bytes: Uint8Array, from: number, stop: number, bit: number): number {
  let p = from;
  while (p < stop && (CLASS[bytes[p]] & bit) !== 0) p++;
  return p;
}

/** `length` letters that begin `shift` bytes into their memory, with `around` before and behind them. */
function letters(length: number, shift: number, around = 0): Uint8Array<ArrayBuffer> {
  const memory = new Uint8Array(length + 8).fill(around);
  return memory.subarray(shift, shift + length).fill(LETTER);
}

test("a run ends at the first byte that is not of its class, for each byte at each place of the stride", () => {
  for (const bit of [TOKEN, VALUE, PATH, TARGET, REG_NAME, IP_LITERAL]) {
    const bytes = letters(2 * STRIDE, 0);
    for (let at = 0; at < bytes.length; at++) {
      for (let byte = 0; byte < 256; byte++) {
        bytes[at] = byte;
        const expected = expectedRun(bytes, 0, bytes.length, bit);
        assert.equal(plainRun(bytes, 0, bytes.length, bit), expected, `class ${bit}, byte ${byte} at ${at}`);
      }
      bytes[at] = LETTER;
    }
  }
});

test("a run ends where it is told to, wherever it begins", () => {
  const bytes = letters(3 * STRIDE, 0);
  for (let from = 0; from <= bytes.length; from++) {
    for (let stop = from; stop <= bytes.length; stop++) assert.equal(plainRun(bytes, from, stop, VALUE), stop);
  }
});

for (let shift = 0; shift < 4; shift++) {
  test(`each byte ends a long value or not as the table says, at each place of the stride: memory begins at ${shift}`, () => {
    const bytes = letters(BEFORE_WORDS + 4 * STRIDE, shift);
    for (let at = BEFORE_WORDS - 4; at < bytes.length; at++) {
      for (let byte = 0; byte < 256; byte++) {
        bytes[at] = byte;
        const expected = expectedRun(bytes, 0, bytes.length, VALUE);
        assert.equal(longValueRun(bytes, 0, bytes.length), expected, `byte ${byte} at ${at}`);
      }
      bytes[at] = LETTER;
    }
  });

  test(`a long value ends where it is told to, wherever it begins: memory begins at ${shift}`, () => {
    const bytes = letters(BEFORE_WORDS + 4 * STRIDE, shift, CR);
    for (let from = 0; from <= STRIDE; from++) {
      for (let stop = from; stop <= bytes.length; stop++) assert.equal(longValueRun(bytes, from, stop), stop);
    }
  });
}

test("what is carried from one byte to the next hides none: pairs and neighbours of every byte", () => {
  const bytes = letters(BEFORE_WORDS + 2 * STRIDE, 0);
  const at = BEFORE_WORDS + 8;
  for (let low = 0; low < 256; low++) {
    for (let high = 0; high < 256; high++) {
      bytes[at] = low;
      bytes[at + 1] = high;
      const expected = expectedRun(bytes, 0, bytes.length, VALUE);
      if (longValueRun(bytes, 0, bytes.length) !== expected) assert.fail(`bytes ${low}, ${high}`);
      // Four of the first in a row carry all the way up to the second.
      bytes.fill(low, at - 3, at + 1);
      const next = expectedRun(bytes, 0, bytes.length, VALUE);
      if (longValueRun(bytes, 0, bytes.length) !== next) assert.fail(`bytes four times ${low}, then ${high}`);
      bytes.fill(LETTER, at - 3, at);
    }
  }
});

test("a long value that turns to other text halfway is scanned to its end", () => {
  const text = `${"a".repeat(300)}\xe4\tb\x80${"c".repeat(300)}`;
  const bytes = bytesOf(`${text}\r\n`);
  assert.equal(longValueRun(bytes, 0, bytes.length), text.length);
});

/** Lengths on both sides of what the section's scan and the long run change their way at. */
const LENGTHS = [
  0, 1, 120, 127, 128, 129, 143, 144, 145, 900, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1024, 1200, 5000,
];

for (const length of LENGTHS) {
  test(`values of ${length} bytes are found whole, and each is refused for one bad byte anywhere near its ends`, () => {
    const value = "v".repeat(length);
    const head = (first: string, second: string) =>
      `GET / HTTP/1.1\r\nHost: x\r\nA: ${first}\r\nB: ${second} \r\nC: c\r\n\r\n`;
    const [event] = eventsOf(head(value, value));
    const fields = [
      ["Host", "x"],
      ["A", value],
      ["B", value],
      ["C", "c"],
    ];
    assert.deepEqual(event.fields, fields);
    const places = Array.from({ length: Math.min(length, 2 * STRIDE) }, (_, i) => [i, length - 1 - i]).flat();
    for (const at of new Set([...places, ...[1000, 1024, 1040].filter((p) => p < length)])) {
      for (const bad of ["\0", "\x1f", "\x7f", "\n"]) {
        const broken = value.slice(0, at) + bad + value.slice(at + 1);
        for (const text of [head(broken, value), head(value, broken)]) {
          const code = bad === "\n" ? "bad-line-end" : "bad-field-value";
          assert.equal(eventsOf(text).at(-1)?.code, code, `${JSON.stringify(bad)} at ${at}`);
        }
      }
    }
  });
}

test("positions beyond what the loops can count are refused before a byte is looked at", () => {
  const bytes = bytesOf("GET / HTTP/1.1\r\n");
  assert.throws(() => parserWith().feed(bytes, 0, POSITION_MAX + 1), /less than 1 GiB/);
  assert.throws(() => new Spill().append(bytes, 0, POSITION_MAX + 1), /beyond 1 GiB/);
});
