/** The floor on Deno: a bare `Deno.listen`, one read buffer a connection. */
import { answersFor } from "./floor.ts";

interface Connection {
  read(into: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
}
interface DenoListen {
  listen(options: { hostname: string; port: number }): AsyncIterable<Connection> & { addr: { port: number } };
}

async function serve(connection: Connection): Promise<void> {
  const buffer = new Uint8Array(4096);
  try {
    for (let count = await connection.read(buffer); count !== null; count = await connection.read(buffer)) {
      await connection.write(answersFor(buffer, count));
    }
  } catch {
    // The client is gone.
  }
}

const listener = (globalThis as unknown as { Deno: DenoListen }).Deno.listen({ hostname: "127.0.0.1", port: 0 });
console.error(`Listening on http://127.0.0.1:${listener.addr.port}`);
for await (const connection of listener) serve(connection);
