/**
 * Rows that have their place and can't be run yet, since the server does not speak their protocol: what will be asked, by
 * what, and of whom beside it. When it does, each becomes a workload.
 */

export interface PlannedRow {
  readonly name: string;
  readonly about: string;
  /** Load generators that can speak it. */
  readonly tools: string;
  readonly peers: string;
}

const TLS = { tools: "wrk, oha, autocannon", peers: "Bun.serve, Deno.serve, node:https; uvicorn, hypercorn, granian" };
const HTTP2 = { tools: "h2load, oha", peers: "Deno.serve, node:http2; hypercorn, granian" };
const HTTP3 = { tools: "h2load where it is built with HTTP/3, oha", peers: "Bun.serve; hypercorn" };

export const PLANNED_ROWS: readonly PlannedRow[] = [
  { ...TLS, name: "tls/hello", about: "GET, 13 bytes, over TLS 1.3 on connections that last" },
  { ...TLS, name: "tls/100kb", about: "GET, 100 KB, over TLS 1.3 on connections that last" },
  { ...TLS, name: "tls/short", about: "GET, 13 bytes, a TLS handshake for each request" },
  { ...HTTP2, name: "http2/hello", about: "GET, 13 bytes, one stream at a time on each connection" },
  { ...HTTP2, name: "http2/streams", about: "GET, 10 KB, 100 streams on each connection" },
  { ...HTTP2, name: "http2/upload", about: "POST, 500 KB, counted as it comes" },
  { ...HTTP3, name: "http3/hello", about: "GET, 13 bytes, 100 streams on each connection" },
  { ...HTTP3, name: "http3/100kb", about: "GET, 100 KB" },
];

export const NOT_SPOKEN = "not spoken yet";

/** What `--list` says of them. */
export function plannedText(rows: readonly PlannedRow[] = PLANNED_ROWS): string {
  if (rows.length === 0) return "";
  const lines = rows.map(
    ({ name, about, tools, peers }) => `  ${name.padEnd(26)} ${about}; by ${tools}; beside ${peers}\n`,
  );
  return `Rows ${NOT_SPOKEN} (${rows.length}), for their protocols are not:\n${lines.join("")}`;
}
