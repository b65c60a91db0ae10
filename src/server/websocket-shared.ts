/** What the WebSockets of one server share: what decoders and encoders are made with. */

import { webSocketCallOf } from "../asgi/websocket-call.ts";
import { giveBack } from "../channel/memory.ts";
import type {
  DeflateAgreement,
  DeflateOptions,
  DeflateTools,
  MessageDeflater,
  MessageInflater,
} from "../protocol/websocket/deflate.ts";
import { MessageEncoder } from "../protocol/websocket/encoder.ts";
import type { DecoderOptions } from "../protocol/websocket/frames.ts";
import type { TextCodec } from "../protocol/websocket/utf8.ts";
import { deflateTools } from "../runtime/deflate.ts";
import { runtimeText } from "../runtime/text.ts";
import type { ServerContext } from "./context.ts";

/** The codec's parts for one connection. */
export interface ConnectionCodec {
  readonly encoder: MessageEncoder;
  readonly inflater: MessageInflater | undefined;
  /** One of this connection alone, to be closed with it. */
  readonly ownDeflater: MessageDeflater | undefined;
}

export class WebSocketShared {
  readonly decoding: DecoderOptions;
  /** Undefined: no compression is agreed to. */
  readonly deflate: DeflateOptions | undefined;
  readonly #text: TextCodec;
  readonly #tools: DeflateTools | undefined;
  readonly #thresholdBytes: number;
  readonly #plain: ConnectionCodec;
  /** By their deflater, which several connections share. */
  readonly #encoders = new Map<MessageDeflater, MessageEncoder>();

  constructor({ runtime, options, app }: Pick<ServerContext, "runtime" | "options" | "app">) {
    this.#text = runtimeText(runtime);
    this.decoding = {
      limits: {
        messageBytes: options.wsMessageBytes,
        frameBytes: options.wsFrameBytes,
        fragments: options.wsFragments,
      },
      text: this.#text,
      // An application that is part of the server passes texts on as bytes.
      strings: webSocketCallOf(app) === undefined,
      release: giveBack,
    };
    this.#tools = options.wsDeflate ? deflateTools() : undefined;
    this.#thresholdBytes = options.wsDeflateThresholdBytes;
    this.deflate =
      this.#tools === undefined
        ? undefined
        : {
            serverContextTakeover: options.wsDeflateServerTakeover,
            clientContextTakeover: options.wsDeflateClientTakeover,
            serverMaxWindowBits: options.wsDeflateServerBits,
            clientMaxWindowBits: options.wsDeflateClientBits,
            level: options.wsDeflateLevel,
            memoryLevel: options.wsDeflateMemory,
            thresholdBytes: options.wsDeflateThresholdBytes,
          };
    this.#plain = { encoder: new MessageEncoder(this.#text), inflater: undefined, ownDeflater: undefined };
  }

  /** Encoders keep nothing of a connection's: only one whose compressor remembers belongs to one connection. */
  codec(agreement: DeflateAgreement | undefined): ConnectionCodec {
    const { deflate } = this;
    const tools = this.#tools;
    if (agreement === undefined || deflate === undefined || tools === undefined) return this.#plain;
    const { serverContextTakeover, clientContextTakeover, serverWindowBits, clientWindowBits } = agreement;
    const deflater = tools.deflater(serverWindowBits, serverContextTakeover, deflate.level, deflate.memoryLevel);
    const inflater = tools.inflater(clientWindowBits, clientContextTakeover);
    if (serverContextTakeover) {
      return {
        encoder: new MessageEncoder(this.#text, deflater, this.#thresholdBytes),
        inflater,
        ownDeflater: deflater,
      };
    }
    let encoder = this.#encoders.get(deflater);
    if (encoder === undefined) {
      encoder = new MessageEncoder(this.#text, deflater, this.#thresholdBytes);
      this.#encoders.set(deflater, encoder);
    }
    return { encoder, inflater, ownDeflater: undefined };
  }
}

const known = new WeakMap<ServerContext, WebSocketShared>();

/** Made when a server is first asked for a WebSocket: loading zlib takes a while. */
export function sharedOf(context: ServerContext): WebSocketShared {
  let shared = known.get(context);
  if (shared === undefined) {
    shared = new WebSocketShared(context);
    known.set(context, shared);
  }
  return shared;
}
