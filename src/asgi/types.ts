/**
 * The ASGI 3 types for TypeScript: HTTP and WebSocket message format 2.5, lifespan 2.0.
 * https://asgi.readthedocs.io/en/latest/specs/main.html
 *
 * Byte strings of the specification are `Uint8Array`, unicode strings are `string`.
 */

/** Any bytes an application may hand over. */
export type Bytes = Uint8Array;

/** A field line: `[name, value]`. Names that arrive are lowercased. */
export type HeaderPair = readonly [name: Uint8Array, value: Uint8Array];

/** Field lines in the order of their arrival; repeated names stay repeated. Read it as any iterable. */
export type Headers = Iterable<HeaderPair>;

/** A field line that an application sends: bytes, or strings of ISO 8859-1 characters. */
export type SentHeader = readonly [name: Uint8Array | string, value: Uint8Array | string];

/** ASGI main specification, "Applications": the versions in use. */
export interface AsgiVersions {
  /** Version of the ASGI specification: "3.0". */
  readonly version: "3.0";
  /** Version of the message format: "2.5" for HTTP and WebSocket, "2.0" for lifespan. */
  readonly spec_version: "2.5" | "2.0";
}

/** Values that lifespan startup leaves for the requests; each scope gets a shallow copy. */
export type State = Record<string, unknown>;

/** Extensions that the server offers; a key is present when it can be used. */
export interface Extensions {
  /** `http.response.trailers` may be sent after the body. */
  readonly "http.response.trailers"?: Readonly<Record<string, unknown>>;
  /** `http.response.pathsend`: the server sends a file by its absolute path. */
  readonly "http.response.pathsend"?: Readonly<Record<string, unknown>>;
  /** `http.response.early_hint`: 103 with `Link` fields. */
  readonly "http.response.early_hint"?: Readonly<Record<string, unknown>>;
  /** `http.response.debug`: facts for test clients; never sent to the peer. */
  readonly "http.response.debug"?: Readonly<Record<string, unknown>>;
  /** The last `http.request` event carries the request's trailers in its `trailers`. */
  readonly "http.request.trailers"?: Readonly<Record<string, unknown>>;
  /** Those of other servers. */
  readonly [name: string]: Readonly<Record<string, unknown>> | undefined;
}

/** HTTP connection scope: one per request. ASGI HTTP specification, "HTTP Connection Scope". */
export interface HttpScope {
  readonly type: "http";
  /** The versions of ASGI and of these messages. */
  readonly asgi: AsgiVersions;
  /** "1.0", "1.1", "2" or "3". */
  readonly http_version: "1.0" | "1.1" | "2" | "3";
  /** The method's name as it was sent: its case matters (RFC 9110 section 9.1), and all registered ones are uppercase. */
  readonly method: string;
  /** "http" or "https". */
  readonly scheme: string;
  /** The target's path, percent-decoded as UTF-8 (invalid sequences become U+FFFD). */
  readonly path: string;
  /** The target's path as it arrived, without the query, behind `root_path`. */
  readonly raw_path: Uint8Array;
  /** What follows the `?`, as it arrived; empty when there is none. */
  readonly query_string: Uint8Array;
  /** The path the application is mounted at; `path` includes it. */
  readonly root_path: string;
  /** Field lines as they arrived, names lowercased; `host` is the target's where that has an authority. */
  readonly headers: Headers;
  /** The client's address, or null when it has none (a Unix socket). */
  readonly client: readonly [host: string, port: number] | null;
  /** The server's address; port null for a Unix socket. */
  readonly server: readonly [host: string, port: number | null] | null;
  /** A copy of what lifespan startup left. */
  readonly state: State;
  /** What the server offers beside the required events. */
  readonly extensions: Extensions;
}

/** WebSocket connection scope. ASGI HTTP specification, "WebSocket Connection Scope". */
export interface WebSocketScope {
  readonly type: "websocket";
  /** The versions of ASGI and of these messages. */
  readonly asgi: AsgiVersions;
  /** Of the request that asked for the WebSocket. */
  readonly http_version: "1.1" | "2" | "3";
  /** "ws" or "wss". */
  readonly scheme: string;
  /** The target's path, percent-decoded as UTF-8 (invalid sequences become U+FFFD). */
  readonly path: string;
  /** The target's path as it arrived, without the query, behind `root_path`. */
  readonly raw_path: Uint8Array;
  /** What follows the `?`, as it arrived; empty when there is none. */
  readonly query_string: Uint8Array;
  /** The path the application is mounted at; `path` includes it. */
  readonly root_path: string;
  /** Field lines as they arrived, names lowercased; `host` is the target's where that has an authority. */
  readonly headers: Headers;
  /** The client's address, or null when it has none (a Unix socket). */
  readonly client: readonly [host: string, port: number] | null;
  /** The server's address; port null for a Unix socket. */
  readonly server: readonly [host: string, port: number | null] | null;
  /** Subprotocols that the client offers, in its order of preference. */
  readonly subprotocols: readonly string[];
  /** A copy of what lifespan startup left. */
  readonly state: State;
  /** What the server offers beside the required events. */
  readonly extensions: Extensions;
}

/** Lifespan scope: one per process. ASGI lifespan specification. */
export interface LifespanScope {
  readonly type: "lifespan";
  /** The versions of ASGI and of these messages. */
  readonly asgi: AsgiVersions;
  /** Fill it during startup; requests get a shallow copy. */
  readonly state: State;
}

export type Scope = HttpScope | WebSocketScope | LifespanScope;

/** A part of the request body. */
export interface HttpRequestEvent {
  readonly type: "http.request";
  /** The application's to keep and change; may be empty. */
  readonly body: Uint8Array;
  /** More of the body follows. */
  readonly more_body: boolean;
  /** Extension `http.request.trailers`: on the last event, when the request had a trailer section. */
  readonly trailers?: readonly HeaderPair[];
}

/** The client is gone, or the response is complete, or the server is about to stop. */
export interface HttpDisconnectEvent {
  readonly type: "http.disconnect";
}

/** A client asks for a WebSocket: accept or refuse it. */
export interface WebSocketConnectEvent {
  readonly type: "websocket.connect";
}

/** A whole message: exactly one of `bytes` and `text` is not null. */
export interface WebSocketReceiveEvent {
  readonly type: "websocket.receive";
  /** A binary message, else null. */
  readonly bytes: Uint8Array | null;
  /** A text message, else null. */
  readonly text: string | null;
}

/** The connection has ended, or was never accepted. */
export interface WebSocketDisconnectEvent {
  readonly type: "websocket.disconnect";
  /** RFC 6455 section 7.4 close code; 1005 when none was given, 1006 without a closing handshake. */
  readonly code: number;
  /** What the client's close frame said, at most 123 bytes of UTF-8; null when there was none. */
  readonly reason: string | null;
}

/** The server starts: open what the requests need, then say that it is complete, or has failed. */
export interface LifespanStartupEvent {
  readonly type: "lifespan.startup";
}

/** The last request has ended: close what was opened. */
export interface LifespanShutdownEvent {
  readonly type: "lifespan.shutdown";
}

export type HttpReceiveEvent = HttpRequestEvent | HttpDisconnectEvent;
export type WebSocketReceivedEvent = WebSocketConnectEvent | WebSocketReceiveEvent | WebSocketDisconnectEvent;
export type LifespanReceiveEvent = LifespanStartupEvent | LifespanShutdownEvent;
export type ReceiveEvent = HttpReceiveEvent | WebSocketReceivedEvent | LifespanReceiveEvent;

/** Starts the response; it leaves with the first body event. */
export interface HttpResponseStartEvent {
  readonly type: "http.response.start";
  /** 200 to 599, a whole number. */
  readonly status: number;
  /** Field lines in their order. Default: none. */
  readonly headers?: Iterable<SentHeader>;
  /** `http.response.trailers` will follow the body. */
  readonly trailers?: boolean;
}

/** A part of the response's body. */
export interface HttpResponseBodyEvent {
  readonly type: "http.response.body";
  /** Bytes of the body; the array may be reused once `send` has resolved. Default: none. */
  readonly body?: Uint8Array;
  /** More body events follow. Default: false. */
  readonly more_body?: boolean;
}

/** Extension `http.response.trailers`. */
export interface HttpResponseTrailersEvent {
  readonly type: "http.response.trailers";
  /** Field lines of the trailer section, in their order. Default: none. */
  readonly headers?: Iterable<SentHeader>;
  /** More trailer events follow. Default: false. */
  readonly more_trailers?: boolean;
}

/** Extension `http.response.pathsend`: the whole body is this file. */
export interface HttpResponsePathsendEvent {
  readonly type: "http.response.pathsend";
  /** Absolute path of a regular file. */
  readonly path: string;
  /** An addition of this server's: called when the file is open, and may be removed. */
  readonly opened?: () => void;
}

/** Extension `http.response.early_hint`: a 103 response before the final one. */
export interface HttpResponseEarlyHintEvent {
  readonly type: "http.response.early_hint";
  /** Values of `Link` fields. */
  readonly links: Iterable<Uint8Array | string>;
}

/** Extension `http.response.debug`: ignored on the wire. */
export interface HttpResponseDebugEvent {
  readonly type: "http.response.debug";
  /** For the log at the level debug. */
  readonly info: Readonly<Record<string, unknown>>;
}

/** Completes the handshake with 101. */
export interface WebSocketAcceptEvent {
  readonly type: "websocket.accept";
  /** One of those in the scope's `subprotocols`. Default: none. */
  readonly subprotocol?: string | null;
  /** Further field lines of the 101. Default: none. */
  readonly headers?: Iterable<SentHeader>;
}

/** Exactly one of `bytes` and `text`. */
export interface WebSocketSendEvent {
  readonly type: "websocket.send";
  /** A binary message. */
  readonly bytes?: Uint8Array | null;
  /** A text message. */
  readonly text?: string | null;
}

/** Begins the closing handshake; before `websocket.accept` it refuses the connection with 403. */
export interface WebSocketCloseEvent {
  readonly type: "websocket.close";
  /** Default 1000. */
  readonly code?: number;
  /** At most 123 bytes of UTF-8. Default: none. */
  readonly reason?: string | null;
}

/** Extension `websocket.http.response`: refuse the handshake with an HTTP response. */
export interface WebSocketHttpResponseStartEvent {
  readonly type: "websocket.http.response.start";
  /** 200 to 599, a whole number. */
  readonly status: number;
  /** Field lines in their order. Default: none. */
  readonly headers?: Iterable<SentHeader>;
}

/** Extension `websocket.http.response`: a part of that response's body. */
export interface WebSocketHttpResponseBodyEvent {
  readonly type: "websocket.http.response.body";
  /** Bytes of the body. Default: none. */
  readonly body?: Uint8Array;
  /** More body events follow. Default: false. */
  readonly more_body?: boolean;
}

/** The application is ready for requests. */
export interface LifespanStartupCompleteEvent {
  readonly type: "lifespan.startup.complete";
}

/** The application can't serve: the server ends with this message. */
export interface LifespanStartupFailedEvent {
  readonly type: "lifespan.startup.failed";
  /** What the operator is told. Default: nothing. */
  readonly message?: string;
}

/** Everything is closed. */
export interface LifespanShutdownCompleteEvent {
  readonly type: "lifespan.shutdown.complete";
}

/** Something could not be closed; the server logs it and ends. */
export interface LifespanShutdownFailedEvent {
  readonly type: "lifespan.shutdown.failed";
  /** What the operator is told. Default: nothing. */
  readonly message?: string;
}

export type HttpSendEvent =
  | HttpResponseStartEvent
  | HttpResponseBodyEvent
  | HttpResponseTrailersEvent
  | HttpResponsePathsendEvent
  | HttpResponseEarlyHintEvent
  | HttpResponseDebugEvent;
export type WebSocketSentEvent =
  | WebSocketAcceptEvent
  | WebSocketSendEvent
  | WebSocketCloseEvent
  | WebSocketHttpResponseStartEvent
  | WebSocketHttpResponseBodyEvent;
export type LifespanSendEvent =
  | LifespanStartupCompleteEvent
  | LifespanStartupFailedEvent
  | LifespanShutdownCompleteEvent
  | LifespanShutdownFailedEvent;
export type SendEvent = HttpSendEvent | WebSocketSentEvent | LifespanSendEvent;

/** Awaits the next event. After the last one it goes on answering with the disconnect event. */
export type Receive = () => Promise<ReceiveEvent>;

/**
 * Sends an event. Resolves when the server has room for more; throws on an event out of order,
 * a bad name or value, or a connection that is gone.
 */
export type Send = (event: SendEvent) => Promise<void>;

/** An ASGI 3 application. It narrows `scope.type` before anything else. */
export type Application = (scope: Scope, receive: Receive, send: Send) => Promise<void> | void;
