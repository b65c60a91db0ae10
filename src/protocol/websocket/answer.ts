/** The server's answer to a handshake that is accepted: RFC 6455 section 4.2.2, items 5 and 6. */
import type { OutBuffer } from "../buffer.ts";
import { EncodeError, type HeadEncoder, putHeadEnd, putPrepared, SEEN_CONTENT_LENGTH } from "../http1/encoder.ts";
import type { HandshakeAccepted } from "./handshake.ts";

const SWITCHING_PROTOCOLS = 101;
const ascii = new TextEncoder();
const UPGRADE = ascii.encode("upgrade: websocket\r\nconnection: Upgrade\r\n");
/** These fields are the handshake's own; an application that sends one has not understood its event. */
const OWN_PREFIX = "sec-websocket-";
const OWN_FIELD =
  "fields of the handshake (sec-websocket-...) may not be among the headers; the subprotocol is a part of the event";

type FieldPart = Uint8Array | string;

/**
 * Appends the whole head of the answer.
 * @param subprotocol one of those that the client offers; undefined or empty for none
 * @param headers the application's field lines
 * @param prepared the server's own field lines (Server, Date)
 * @throws EncodeError when the application asks for what can't be sent; the caller takes back what stands in `out`
 */
export function putAcceptance(
  out: OutBuffer,
  encoder: HeadEncoder,
  handshake: HandshakeAccepted,
  subprotocol: string | undefined,
  headers: Iterable<readonly [name: FieldPart, value: FieldPart]>,
  prepared: readonly Uint8Array[],
): void {
  const chosen = subprotocol === "" ? undefined : subprotocol;
  if (chosen !== undefined && !handshake.subprotocols.includes(chosen)) {
    throw new EncodeError("the subprotocol is not one that the client offers");
  }
  encoder.begin(out, SWITCHING_PROTOCOLS);
  putPrepared(out, UPGRADE);
  encoder.field(out, "sec-websocket-accept", handshake.accept);
  if (chosen !== undefined) encoder.field(out, "sec-websocket-protocol", chosen);
  if (handshake.deflate !== undefined) encoder.field(out, "sec-websocket-extensions", handshake.deflate.header);
  for (const [name, value] of headers) {
    if (isOwn(name)) throw new EncodeError(OWN_FIELD);
    const before = out.end;
    encoder.field(out, name, value);
    // RFC 9110 section 8.6: none in a 101.
    if ((encoder.seen & SEEN_CONTENT_LENGTH) !== 0) {
      out.end = before;
      encoder.seen &= ~SEEN_CONTENT_LENGTH;
    }
  }
  for (const line of prepared) putPrepared(out, line);
  putHeadEnd(out);
}

function isOwn(name: FieldPart): boolean {
  if (name.length < OWN_PREFIX.length) return false;
  for (let i = 0; i < OWN_PREFIX.length; i++) {
    const code = typeof name === "string" ? name.charCodeAt(i) : name[i];
    if ((code | 0x20) !== OWN_PREFIX.charCodeAt(i)) return false;
  }
  return true;
}
