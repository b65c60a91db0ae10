/** Cases of what the parser refuses and accepts, each registered as a test of its own. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { byteByByte, bytesOf, eventsOf, plainEvents } from "./events.ts";

/** The refusal's status and code, or "" for none; the same for the bytes at once and one by one. */
export function refusal(text: string): string {
  const atOnce = eventsOf(text);
  assert.deepEqual(plainEvents(byteByByte(bytesOf(text))), atOnce);
  const last = atOnce.at(-1);
  return last?.event === "error" ? `${last.status} ${last.code}` : "";
}

export const escaped = (text: string) => JSON.stringify(text.length > 90 ? `${text.slice(0, 90)}...` : text);

export function refused(expected: string, text: string): void {
  test(`refused with ${expected}: ${escaped(text)}`, () => assert.equal(refusal(text), expected));
}

export function accepted(text: string, facts: Record<string, unknown> = {}): void {
  test(`accepted: ${escaped(text)} ${JSON.stringify(facts)}`, () => {
    assert.equal(refusal(text), "");
    const [head] = eventsOf(text);
    assert.equal(head.event, "head");
    for (const [fact, value] of Object.entries(facts)) assert.deepEqual(head[fact], value, fact);
  });
}

export const line = (requestLine: string) => `${requestLine}\r\nHost: x\r\n\r\n`;
export const field = (fieldLine: string) => `GET / HTTP/1.1\r\nHost: x\r\n${fieldLine}\r\n\r\n`;
export const body = (content: string) => `PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${content}`;
