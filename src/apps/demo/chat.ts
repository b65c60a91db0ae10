/** `/chat`: what one says, all hear who are connected to this process. ASGI WebSocket specification. */
import type { Receive, Send, WebSocketScope } from "../../asgi/types.ts";

/** Longer messages are cut: they are read by people. */
const MOST_CHARACTERS = 2000;
/** Messages that one client may be behind; more, and it misses some. */
const MOST_BEHIND = 100;

interface Guest {
  readonly send: Send;
  behind: number;
}

const guests = new Set<Guest>();

function say(text: string): void {
  for (const guest of guests) {
    if (guest.behind >= MOST_BEHIND) continue;
    guest.behind++;
    const done = () => {
      guest.behind--;
    };
    // Who has gone hears nothing, and leaves by its own `receive`.
    guest.send({ type: "websocket.send", text }).then(done, done);
  }
}

function presence(): string {
  return guests.size === 1 ? "1 is here" : `${guests.size} are here`;
}

export async function chat(_scope: WebSocketScope, receive: Receive, send: Send): Promise<void> {
  await receive();
  await send({ type: "websocket.accept" });
  const guest: Guest = { send, behind: 0 };
  guests.add(guest);
  say(`(someone came; ${presence()})`);
  for (;;) {
    const event = await receive();
    if (event.type === "websocket.disconnect") break;
    if (event.type === "websocket.receive" && event.text !== null) say(event.text.slice(0, MOST_CHARACTERS));
  }
  guests.delete(guest);
  say(`(someone left; ${presence()})`);
}
