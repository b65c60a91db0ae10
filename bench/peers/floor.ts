/**
 * What both floors share: the least that a server on a bare socket could do. They find where requests end and read
 * nothing else of them, so they are no servers, only a measure of what a runtime's sockets cost.
 */

const ANSWER = new TextEncoder().encode(
  "HTTP/1.1 200 OK\r\ncontent-type: text/plain;charset=utf-8\r\nserver: ringcorn\r\ndate: Tue, 15 Nov 1994 08:12:31 GMT\r\ncontent-length: 13\r\n\r\nHello, world!",
);
const MOST_AT_ONCE = 64;
const ANSWERS = new Uint8Array(ANSWER.length * MOST_AT_ONCE);
for (let i = 0; i < MOST_AT_ONCE; i++) ANSWERS.set(ANSWER, i * ANSWER.length);

/** As many answers as `bytes[0, length)` has ends of heads; batches that are cut in two are not expected here. */
export function answersFor(bytes: Uint8Array, length: number): Uint8Array {
  let count = 0;
  for (let i = 3; i < length; i++) if (bytes[i] === 0x0a && bytes[i - 2] === 0x0a) count++;
  return ANSWERS.subarray(0, Math.min(count, MOST_AT_ONCE) * ANSWER.length);
}
