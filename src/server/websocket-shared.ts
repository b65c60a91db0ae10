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
import { type DecoderOptions, FrameDecoder } from "../protocol/websocket/frames.ts";
import type { TextCodec } from "../protocol/websocket/utf8.ts";
import { deflateTools } from "../runtime/deflate.ts";
import { runtimeText } from "../runtime/text.ts";
import type { ServerContext } from "./context.ts";

/** Decoders kept for the next that need one: more connections than this are seldom in the middle of a message. */
const MOST_SPARE = 256;

/** The codec's parts for the connections that have agreed upon the same; for one, where a compressor remembers what was said. */
export class ConnectionCodec {
  readonly encoder: MessageEncoder;
  readonly #decoding: DecoderOptions;
  readonly #inflater: MessageInflater | undefined;
  readonly #ownDeflater: MessageDeflater | undefined;
  readonly #spare: FrameDecoder[] = [];

  constructor(
    encoder: MessageEncoder,
    decoding: DecoderOptions,
    inflater?: MessageInflater,
    ownDeflater?: MessageDeflater,
  ) {
    this.encoder = encoder;
    this.#decoding = decoding;
    this.#inflater = inflater;
    this.#ownDeflater = ownDeflater;
  }

  /** A decoder at the start of a frame. */
  takeDecoder(): FrameDecoder {
    return this.#spare.pop() ?? new FrameDecoder(this.#decoding, this.#inflater);
  }

  /** @param decoder is idle, and nobody's any more */
  giveDecoder(decoder: FrameDecoder): void {
    if (this.#spare.length < MOST_SPARE) this.#spare.push(decoder);
  }

  /** A connection has ended. What others share does not close. */
  close(): void {
    this.#inflater?.close();
    this.#ownDeflater?.close();
  }
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
  /** By their inflater, for each of these encoders. */
  readonly #codecs = new Map<MessageEncoder, Map<MessageInflater, ConnectionCodec>>();

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
    this.#plain = new ConnectionCodec(new MessageEncoder(this.#text), this.decoding);
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
      const own = new MessageEncoder(this.#text, deflater, this.#thresholdBytes);
      return new ConnectionCodec(own, this.decoding, inflater, deflater);
    }
    let encoder = this.#encoders.get(deflater);
    if (encoder === undefined) {
      encoder = new MessageEncoder(this.#text, deflater, this.#thresholdBytes);
      this.#encoders.set(deflater, encoder);
    }
    return clientContextTakeover
      ? new ConnectionCodec(encoder, this.decoding, inflater)
      : this.#sharedCodec(encoder, inflater);
  }

  #sharedCodec(encoder: MessageEncoder, inflater: MessageInflater): ConnectionCodec {
    let codecs = this.#codecs.get(encoder);
    if (codecs === undefined) {
      codecs = new Map();
      this.#codecs.set(encoder, codecs);
    }
    let codec = codecs.get(inflater);
    if (codec === undefined) {
      codec = new ConnectionCodec(encoder, this.decoding, inflater);
      codecs.set(inflater, codec);
    }
    return codec;
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
