/** The rows of the option table that are about WebSockets. */
import { DEFAULT_OPTIONS, type ServerOptions } from "../server/options.ts";
import { type NumericOption, OPTION_RANGES } from "../server/ranges.ts";
import type { OptionRow } from "./options.ts";
import * as kinds from "./values.ts";

const size = (field: NumericOption): kinds.Kind<number> => kinds.size(...OPTION_RANGES[field]);
const integer = (placeholder: string, field: NumericOption): kinds.Kind<number> =>
  kinds.integer(placeholder, ...OPTION_RANGES[field]);
/** As uvicorn has it: with a value, `true` or `false`. */
const trueOrFalse: kinds.Kind<boolean> = { ...kinds.toggle, placeholder: "<true|false>", show: String };

function row<K extends keyof ServerOptions & string>(
  field: K,
  name: string,
  kind: kinds.Kind<ServerOptions[K]>,
  description: string,
): OptionRow {
  return {
    name,
    group: "WebSocket",
    kind: kind as kinds.Kind<unknown>,
    description,
    shownDefault: kind.show(DEFAULT_OPTIONS[field]),
    section: "server",
    field,
  };
}

export function webSocketRows(): OptionRow[] {
  return [...connectionRows(), ...deflateRows()];
}

function connectionRows(): OptionRow[] {
  return [
    row("wsMessageBytes", "ws-max-size", size("wsMessageBytes"), "A message, after decompression; beyond it 1009."),
    row("wsFrameBytes", "ws-max-frame", size("wsFrameBytes"), "A frame as it arrives; beyond it 1009."),
    row("wsFragments", "ws-max-fragments", integer("<count>", "wsFragments"), "Frames of a message; beyond it 1009."),
    row(
      "wsQueueMessages",
      "ws-max-queue",
      integer("<count>", "wsQueueMessages"),
      "Messages held for an application that does not receive; reading pauses beyond it.",
    ),
    row(
      "wsQueueBytes",
      "ws-max-queue-bytes",
      size("wsQueueBytes"),
      "Bytes of these messages; reading pauses beyond it.",
    ),
    row(
      "wsSendQueueBytes",
      "ws-max-send-queue",
      size("wsSendQueueBytes"),
      "Bytes of messages held for a client that does not read; beyond it the connection is reset.",
    ),
    row(
      "wsPingIntervalMs",
      "ws-ping-interval",
      kinds.seconds(),
      "Ping a client that is silent for this long; 0 never.",
    ),
    row(
      "wsPingTimeoutMs",
      "ws-ping-timeout",
      kinds.seconds(),
      "Leave a client that stays silent for this long behind a ping, with 1011; 0 never.",
    ),
    row(
      "wsHandshakeTimeoutMs",
      "ws-handshake-timeout",
      kinds.seconds(),
      "The application must accept or refuse within this; else 503; 0 no limit.",
    ),
    row("wsCloseTimeoutMs", "ws-close-timeout", kinds.seconds(), "Longest wait for a client's close frame."),
    row("wsLifetimeMs", "ws-lifetime", kinds.seconds(), "Close a WebSocket after this, with 1001; 0 never."),
  ];
}

function deflateRows(): OptionRow[] {
  return [
    row("wsDeflate", "ws-per-message-deflate", trueOrFalse, "Compress messages where the client offers it."),
    row(
      "wsDeflateLevel",
      "ws-deflate-level",
      integer("<level>", "wsDeflateLevel"),
      "Effort of the compressor: 1 is fast, 9 small.",
    ),
    row(
      "wsDeflateMemory",
      "ws-deflate-memory",
      integer("<level>", "wsDeflateMemory"),
      "Memory of a connection's compressor, 1 to 9; only with --ws-deflate-server-takeover.",
    ),
    row(
      "wsDeflateThresholdBytes",
      "ws-deflate-threshold",
      size("wsDeflateThresholdBytes"),
      "Messages of fewer bytes are sent as they are.",
    ),
    row(
      "wsDeflateServerTakeover",
      "ws-deflate-server-takeover",
      kinds.toggle,
      "Messages to a client refer to earlier ones: smaller, for up to 285 KB a connection.",
    ),
    row(
      "wsDeflateClientTakeover",
      "ws-deflate-client-takeover",
      kinds.toggle,
      "The same for messages from the client, for up to 42 KB a connection.",
    ),
    row(
      "wsDeflateServerBits",
      "ws-deflate-server-bits",
      integer("<bits>", "wsDeflateServerBits"),
      "Size of the server's window as a power of two.",
    ),
    row(
      "wsDeflateClientBits",
      "ws-deflate-client-bits",
      integer("<bits>", "wsDeflateClientBits"),
      "Size of the client's window as a power of two.",
    ),
  ];
}
