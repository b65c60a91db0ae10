/** What the handshake asks of a request, read from the HTTP/1 parser's offsets. */
import type { RequestHead } from "../http1/head.ts";
import { HEADER_NAMES, METHODS } from "../http1/tables.ts";
import type { HandshakeRequest } from "./handshake.ts";

const IDS = new Map(HEADER_NAMES.map((name, id) => [name, id]));

/** ISO 8859-1. Handshakes are rare and their fields short. */
function textOf(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i]);
  return text;
}

/** Valid as long as the parser's head is. */
export function requestOf(head: RequestHead): HandshakeRequest {
  return {
    method: head.methodId >= 0 ? METHODS[head.methodId] : textOf(head.head, head.methodStart, head.methodEnd),
    minor: head.minor,
    hasBody: head.hasBody,
    values(name) {
      const id = IDS.get(name);
      // Names that the parser does not know have no id of their own, and the handshake needs none of them.
      if (id === undefined || id === 0) throw new Error(`The parser does not intern the field name ${name}.`);
      const found: string[] = [];
      for (let i = 0; i < head.fieldCount; i++) {
        if (head.fieldIds[i] !== id) continue;
        found.push(textOf(head.head, head.fields[4 * i + 2], head.fields[4 * i + 3]));
      }
      return found;
    },
  };
}
