/**
 * The opening handshake, as the server reads it: RFC 6455 sections 4.2 (requirements), 4.4 (versions), 9.1 (extensions).
 * A pure function: the facts of a request in; what to answer out.
 */
import { type DeflateAgreement, type DeflateOptions, negotiateDeflate } from "./deflate.ts";
import { isToken, listElements, listHas, parseExtensions } from "./extensions.ts";

/** What the handshake must know of a request. `requestOf` reads it from the HTTP/1 parser. */
export interface HandshakeRequest {
  readonly method: string;
  /** Of HTTP/1.x: 0 or 1. */
  readonly minor: number;
  /** Chunked, or a Content-Length above 0. */
  readonly hasBody: boolean;
  /** The values of all field lines with this name (lower case), as ISO 8859-1, in the order of their arrival. */
  values(name: string): readonly string[];
}

/** The handshake is in order; the application decides. */
export interface HandshakeAccepted {
  readonly accepted: true;
  /** The value of Sec-WebSocket-Accept. */
  readonly accept: string;
  /** What the client offers, in its order of preference. */
  readonly subprotocols: readonly string[];
  /** Undefined: no compression. */
  readonly deflate: DeflateAgreement | undefined;
}

/** Not a handshake that can be answered with 101. */
export interface HandshakeRefused {
  readonly accepted: false;
  readonly status: 400 | 405 | 426;
  /** Stable, for logs, metrics and tests. */
  readonly code: string;
  /** One sentence. */
  readonly message: string;
  /** Field lines that the answer must carry. */
  readonly fields: readonly (readonly [name: string, value: string])[];
}

export type Handshake = HandshakeAccepted | HandshakeRefused;

/** The only version there is (section 4.1, item 9). */
const VERSION = "13";
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/**
 * 16 bytes in base64. Of the last of 22 characters 2 bits count; its others should be zero, and are not looked at (RFC 4648
 * section 3.5 allows that): there are clients that write 22 characters by chance, and other servers take them.
 */
const KEY = /^[0-9A-Za-z+/]{22}==$/;
/** SHA-1 of an ASCII text, in base64: the runtime's. RFC 6455 section 10.8 does not rely on its security. */
export type Sha1Base64 = (text: string) => string;

function refusal(
  status: HandshakeRefused["status"],
  code: string,
  message: string,
  fields: HandshakeRefused["fields"] = [],
): HandshakeRefused {
  return Object.freeze({ accepted: false, status, code, message, fields });
}

// RFC 9110 section 15.5.22 wants Upgrade in a 426, section 7.8 its name in Connection; RFC 6455 section 4.4 the versions.
const WANTED = [
  ["upgrade", "websocket"],
  ["connection", "upgrade"],
  ["sec-websocket-version", VERSION],
] as const;

export const NOT_GET = refusal(405, "handshake-method", "A WebSocket handshake must be a GET request.", [
  ["allow", "GET"],
]);
export const NOT_HTTP_1_1 = refusal(400, "handshake-http-version", "A WebSocket handshake needs HTTP/1.1.");
export const BAD_HOST = refusal(400, "handshake-host", "A WebSocket handshake needs exactly one Host field.");
export const NO_UPGRADE = refusal(426, "handshake-upgrade", "The Upgrade field does not ask for websocket.", WANTED);
export const NO_CONNECTION = refusal(
  426,
  "handshake-connection",
  "The Connection field does not list upgrade: a proxy that passes WebSockets on must send it.",
  WANTED,
);
export const WITH_BODY = refusal(400, "handshake-body", "A WebSocket handshake must not have content.");
export const BAD_VERSION = refusal(426, "handshake-version", "The Sec-WebSocket-Version is not 13.", WANTED);
export const REPEATED_VERSION = refusal(400, "handshake-version-repeated", "Sec-WebSocket-Version occurs twice.");
export const BAD_KEY = refusal(400, "handshake-key", "Sec-WebSocket-Key must be one field of 16 bytes in base64.");
export const BAD_PROTOCOL = refusal(
  400,
  "handshake-protocol",
  "Sec-WebSocket-Protocol must list tokens, each of them once.",
);
export const BAD_EXTENSIONS = refusal(400, "handshake-extensions", "Sec-WebSocket-Extensions is malformed.");

/**
 * Whether the request asks for a WebSocket at all, so that `readHandshake` should answer it. Any other one is an
 * ordinary request: an Upgrade may be ignored (RFC 9110 section 7.8), and must be in HTTP/1.0.
 */
export function wantsWebSocket(request: HandshakeRequest): boolean {
  return (
    request.minor >= 1 &&
    listHas(request.values("upgrade"), "websocket") &&
    listHas(request.values("connection"), "upgrade")
  );
}

/** Every check of section 4.2.1. @param deflate what compression to agree to; undefined for none */
export function readHandshake(
  request: HandshakeRequest,
  deflate: DeflateOptions | undefined,
  sha1Base64: Sha1Base64,
): Handshake {
  const flaw = findFlaw(request);
  if (flaw !== undefined) return flaw;
  const subprotocols = readSubprotocols(request.values("sec-websocket-protocol"));
  if (subprotocols === undefined) return BAD_PROTOCOL;
  const offers = parseExtensions(request.values("sec-websocket-extensions"));
  if (offers === undefined) return BAD_EXTENSIONS;
  return {
    accepted: true,
    // Section 4.2.2, item 5.4.
    accept: sha1Base64(request.values("sec-websocket-key")[0] + GUID),
    subprotocols,
    deflate: deflate === undefined ? undefined : negotiateDeflate(offers, deflate),
  };
}

function findFlaw(request: HandshakeRequest): HandshakeRefused | undefined {
  if (request.method !== "GET") return NOT_GET;
  if (request.minor < 1) return NOT_HTTP_1_1;
  if (request.values("host").length !== 1) return BAD_HOST;
  if (!listHas(request.values("upgrade"), "websocket")) return NO_UPGRADE;
  if (!listHas(request.values("connection"), "upgrade")) return NO_CONNECTION;
  // What follows the head are frames: a request whose content could be taken for them, or they for it, is refused.
  if (request.hasBody) return WITH_BODY;
  const versions = request.values("sec-websocket-version");
  if (versions.length > 1) return REPEATED_VERSION;
  if (versions[0] !== VERSION) return BAD_VERSION;
  const keys = request.values("sec-websocket-key");
  if (keys.length !== 1 || !KEY.test(keys[0])) return BAD_KEY;
  return undefined;
}

/** Section 4.1, item 10: tokens, each of them once. */
function readSubprotocols(values: readonly string[]): string[] | undefined {
  const listed = listElements(values);
  if (values.length > 0 && listed.length === 0) return undefined;
  if (!listed.every(isToken) || new Set(listed).size !== listed.length) return undefined;
  return listed;
}
