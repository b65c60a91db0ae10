/** Turns a failed `listen` into one plain sentence that says what to do, and resolves host names beforehand. */
import { type ListenOptions, PlainError } from "./types.ts";

const FIRST_UNPRIVILEGED_PORT = 1024;

const DEFAULT_HOST = "127.0.0.1";

/** Four numbers up to 255, without the leading zeros that some programs read as octal. */
const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;
/** What else than digits an IPv6 address is made of; the rest of its grammar is the URL parser's to check. */
const IPV6_CHARACTERS = /^[0-9a-f:.]+$/i;
/** Letters of all languages: what a resolver takes is its own matter. */
const HOST_NAME = /^[\p{L}\p{N}._-]+$/u;

function isNumeric(host: string): boolean {
  return IPV4.test(host) || (IPV6_CHARACTERS.test(host) && URL.canParse(`http://[${host}]/`));
}

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
    case "EINVAL":
      return unix
        ? undefined
        : `No server can listen on ${options.host ?? DEFAULT_HOST}, an address of a group or of one link; use another one of this machine.`;
    case "ENOENT":
    case "ENOTDIR":
    case "ELOOP":
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
 * @throws PlainError for a name that is not known, and for what is no name.
 */
export async function numericHost(host: string | undefined): Promise<string> {
  const name = host ?? DEFAULT_HOST;
  if (isNumeric(name)) return name;
  if (!HOST_NAME.test(name)) {
    throw new PlainError(
      `"${name}" is neither an address nor a host name; give one without http://, brackets, port or zone.`,
    );
  }
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
