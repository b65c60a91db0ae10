/** What `send` and `receive` throw. ASGI specification, "Error Handling". */

/** The application sent an event out of order, or one that can't be put on the wire. */
export class ProtocolViolation extends Error {
  override readonly name = "ProtocolViolation";
}

/** The peer is gone: what is sent can't arrive. ASGI HTTP specification 2.4: `send` raises after disconnect. */
export class ClientDisconnected extends Error {
  override readonly name = "ClientDisconnected";
  constructor() {
    super("the client has disconnected");
  }
}
