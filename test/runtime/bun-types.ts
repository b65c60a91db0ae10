/** For `tsc` only: what Bun's own declarations promise is what ours ask for. */
import type { BunListenOptions, BunNamespace, BunSocket, BunUnixOptions } from "../../src/runtime/bun-api.ts";

export const bunFits = {
  socket: (real: Bun.Socket<string>): BunSocket<string> => real,
  tcp: (ours: BunListenOptions<string>): Bun.TCPSocketListenOptions<string> => ours,
  unix: (ours: BunUnixOptions<string>): Bun.UnixSocketOptions<string> => ours,
  facts: (real: typeof Bun): Pick<BunNamespace, "main" | "version"> => real,
};
