/** Requests for the parser's benchmark. */

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

const BROWSER_FIELDS = [
  "Host: www.kittyhell.com",
  "User-Agent: Mozilla/5.0 (Macintosh; U; Intel Mac OS X 10.6; ja-JP-mac; rv:1.9.2.3) Gecko/20100401 Firefox/3.6.3 Pathtraq/0.9",
  "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
  "Accept-Language: ja,en-us;q=0.7,en;q=0.3",
  "Accept-Encoding: gzip,deflate",
  "Accept-Charset: Shift_JIS,utf-8;q=0.7,*;q=0.7",
  "Keep-Alive: 115",
  "Connection: keep-alive",
  "Cookie: wp_ozh_wsa_visits=2; wp_ozh_wsa_visit_lasttime=xxxxxxxxxx; __utma=xxxxxxxxx.xxxxxxxxxx.xxxxxxxxxx.xxxxxxxxxx.xxxxxxxxxx.x; __utmz=xxxxxxxxx.xxxxxxxxxx.x.x.utmccn=(referral)|utmcsr=reader.livedoor.com|utmcct=/reader/|utmcmd=referral",
];
const BROWSER_LINE = "GET /wp-content/uploads/2010/03/hello-kitty-darth-vader-pink.jpg HTTP/1.1";

function request(line: string, fields: readonly string[]): Uint8Array {
  return bytesOf(`${line}\r\n${fields.map((field) => `${field}\r\n`).join("")}\r\n`);
}

/** The request that picohttpparser, llhttp and others are measured with: nine field lines, 703 bytes. */
export const BROWSER: Uint8Array = request(BROWSER_LINE, BROWSER_FIELDS);
export const BROWSER_BYTES = 703;
/** The same lines the other way round: after BROWSER, a guess from the last head is wrong for nearly all of them. */
export const BROWSER_REVERSED: Uint8Array = request(BROWSER_LINE, [...BROWSER_FIELDS].reverse());
/** What a load generator sends. */
export const SMALL: Uint8Array = request("GET / HTTP/1.1", ["Host: localhost:8000"]);
export const SMALL_PIPELINED = 16;
/** As many of SMALL in one chunk. */
export const PIPELINED: Uint8Array = bytesOf(new TextDecoder().decode(SMALL).repeat(SMALL_PIPELINED));
/** 8 KB of cookies. */
export const COOKIES: Uint8Array = request("GET / HTTP/1.1", [
  "Host: localhost:8000",
  ...Array.from({ length: 4 }, (_, i) => `Cookie: session${i}=${"0123456789abcdef".repeat(127)}`),
]);
/** 64 chunks of 16 bytes. */
export const CHUNKED: Uint8Array = bytesOf(
  `POST / HTTP/1.1\r\nHost: localhost:8000\r\nTransfer-Encoding: chunked\r\n\r\n${"10\r\n0123456789abcdef\r\n".repeat(64)}0\r\n\r\n`,
);
