/** Turns a failed `listen` into one plain sentence that says what to do, and resolves host names beforehand. */
import { type ListenOptions, PlainError } from "./types.ts";

const FIRST_UNPRIVILEGED_PORT = 1024;

const DEFAULT_HOST = "127.0.0.1";

/** No host name has a colon, and none is four numbers. */
const NUMERIC = /:|^\d+\.\d+\.\d+\.\d+$/;

function place(options: ListenOptions): string {
  if (options.path !== undefined) return options.path;
  const host = options.host ?? DEFAULT_HOST;
  return `${host.includes(":") ? `[${host}]` : host}:${options.port ?? 0}`;
}

function portRefused(options: ListenOptions): string {
  if ((options.port ?? 0) < FIRST_UNPRIVILEGED_PORT) {
    return `Ports below ${FIRST_UNPRIVILEGED_PORT} need privileges, so ${place(options)} was refused; choose a port from ${FIRST_UNPRIVILEGED_PORT} up, or give the program CAP_NET_BIND_SERVICE.`;
  }
  return `The system refused to let this user listen on ${place(options)}; choose another port.`;
}

/** The sentence for the error code of `bind` or `listen`; undefined for one that no user causes. */
export function listenSentence(code: string | undefined, options: ListenOptions): string | undefined {
  const where = place(options);
  const unix = options.path !== undefined;
  switch (code) {
    case "EADDRINUSE":
      return unix
        ? `Another program is already using the socket ${where}; stop it or choose another path.`
        : `Another program is already listening on ${where}; stop it or choose another port.`;
    case "EACCES":
    case "EPERM":
      return unix
        ? `This user may not create a socket at ${where}; choose a directory it may write to.`
        : portRefused(options);
    case "EADDRNOTAVAIL":
      return `${options.host ?? DEFAULT_HOST} is not an address of this machine; use one of its own addresses, or 0.0.0.0 or :: for all of them.`;
    case "EAFNOSUPPORT":
      return `This machine does not support the kind of address that ${options.host ?? DEFAULT_HOST} is; use an address of the other kind (IPv4 or IPv6).`;
    case "ENOENT":
    case "ENOTDIR":
      return unix ? `The directory of the socket ${where} does not exist; create it first.` : undefined;
    case "EROFS":
      return unix ? `The socket ${where} lies on a read-only file system; choose another path.` : undefined;
    case "EMFILE":
    case "ENFILE":
      return `No file descriptor is left to listen on ${where}; raise the limit with "ulimit -n".`;
    default:
      return undefined;
  }
}

/** A PlainError where `listenSentence` knows one, else the error itself. */
export function listenError(error: unknown, options: ListenOptions): Error {
  const code = error instanceof Error ? (error as Error & { code?: string }).code : undefined;
  const sentence = listenSentence(code, options);
  if (sentence !== undefined) return new PlainError(sentence);
  return error instanceof Error ? error : new Error(String(error));
}

/**
 * The numeric address to bind to: IPv4 first where a name has both, as clients that get a name try both anyway.
 * @throws PlainError for a name that is not known.
 */
export async function numericHost(host: string | undefined): Promise<string> {
  const name = host ?? DEFAULT_HOST;
  if (NUMERIC.test(name)) return name;
  try {
    // Only here, since the module costs memory that few servers need.
    const { lookup } = await import("node:dns/promises");
    const found = await lookup(name, { all: true });
    const chosen = found.find((entry) => entry.family === 4) ?? found[0];
    if (chosen !== undefined) return chosen.address;
  } catch {
    // The sentence below says it.
  }
  throw new PlainError(`The host name "${name}" is not known on this machine; use a numeric address or another name.`);
}
