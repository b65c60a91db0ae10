/**
 * Connections above the cap: answered 503 and closed. A few may linger so that the answer arrives although their
 * request was not read; the rest is closed at once, since descriptors are what is scarce.
 */
import { closingResponse } from "../protocol/http1/encoder.ts";
import type { Socket, SocketHandler } from "../runtime/types.ts";

/** How many refused connections may wait for their peer's FIN. */
const REFUSED_LINGERING = 16;
const REFUSED_LINGER_MS = 1000;

export class Refusals {
  #lingering = 0;

  /** @param fields the server's default field lines */
  handler(socket: Socket, fields: Uint8Array): SocketHandler {
    const response = closingResponse(503, fields, "retry-after: 1\r\n");
    socket.write(response, 0, response.length);
    if (this.#lingering >= REFUSED_LINGERING) {
      socket.close();
      return IGNORE;
    }
    this.#lingering++;
    socket.shutdown();
    const timer = setTimeout(() => socket.close(), REFUSED_LINGER_MS);
    return {
      onData() {},
      onDrain() {},
      onEnd: () => socket.close(),
      onEndUnread() {},
      onClose: () => {
        clearTimeout(timer);
        this.#lingering--;
      },
    };
  }
}

const IGNORE: SocketHandler = {
  onData() {},
  onDrain() {},
  onEnd() {},
  onEndUnread() {},
  onClose() {},
};
