/**
 * Taking and leaving the path of a Unix socket.
 *
 * A listener binds to a temporary name beside the path, gets its mode there and is then renamed over the path: clients
 * meet either the old socket or the new one with its final mode, never nothing.
 */
import { Buffer } from "node:buffer";
import { chmodSync, lstatSync, renameSync, type Stats, unlinkSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import process from "node:process";
import { listenError } from "./listen-errors.ts";
import { type ListenOptions, PlainError } from "./types.ts";

/** `sun_path` has 108 bytes with its final NUL on Linux and 104 on the BSDs and macOS. */
const PATH_LIMIT_BYTES = process.platform === "linux" ? 107 : 103;
/** uvicorn's mode: whoever reaches the directory may connect. */
const DEFAULT_MODE = 0o666;
const TEMPORARY_NAME_CHARS = 10;

function statOf(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") return undefined;
    throw error;
  }
}

function lookAt(options: ListenOptions & { path: string }): Stats | undefined {
  try {
    return statOf(options.path);
  } catch (error) {
    throw listenError(error, options);
  }
}

/** Whether somebody accepts connections there. */
async function isLive(path: string): Promise<boolean> {
  const { createConnection } = await import("node:net");
  return new Promise((resolve) => {
    const probe = createConnection({ path });
    const settle = (live: boolean): void => {
      probe.destroy();
      resolve(live);
    };
    probe.once("connect", () => settle(true));
    // A full accept queue (EAGAIN) or a socket of another user (EACCES) belongs to somebody.
    probe.once("error", (error: Error & { code?: string }) => {
      settle(error.code !== "ECONNREFUSED" && error.code !== "ENOENT");
    });
  });
}

/** A name beside `path` that is no longer than what `sun_path` takes. */
function temporaryBeside(path: string): string {
  const directory = dirname(path);
  const room = PATH_LIMIT_BYTES - Buffer.byteLength(join(directory, "x")) + 1;
  const length = Math.min(TEMPORARY_NAME_CHARS, Math.max(room, 1));
  for (;;) {
    let name = "";
    while (name.length < length) name += Math.random().toString(36).slice(2);
    name = name.slice(0, length);
    if (name !== basename(path) && statOf(join(directory, name)) === undefined) return join(directory, name);
  }
}

/** A path that a listener of this process has been renamed to. */
export interface OwnedPath {
  /** Removes the file unless a successor has renamed its own over it. Call before the listening socket closes. */
  remove(): void;
}

/**
 * Checks that `options.path` may be taken.
 * @returns the temporary path to bind to, for `publishUnixPath` afterwards
 * @throws PlainError when something that is not a dead socket is in the way
 */
export async function claimUnixPath(options: ListenOptions & { path: string }): Promise<string> {
  const { path } = options;
  const length = Buffer.byteLength(path);
  if (length > PATH_LIMIT_BYTES) {
    throw new PlainError(
      `The socket path ${path} has ${length} bytes but the system allows ${PATH_LIMIT_BYTES}; choose a shorter one.`,
    );
  }
  if (path === "" || path.endsWith("/")) {
    throw new PlainError(`The socket path "${path}" has no name at its end; add one.`);
  }
  const found = lookAt(options);
  if (found !== undefined && !found.isSocket()) {
    throw new PlainError(`${path} exists and is not a socket; remove it or choose another path for the socket.`);
  }
  if (found !== undefined && options.replaceLive !== true && (await isLive(path))) {
    throw new PlainError(`Another server is already listening on ${path}; stop it or choose another path.`);
  }
  return temporaryBeside(path);
}

/** Gives the bound socket at `temporary` its mode and its real name. */
export function publishUnixPath(temporary: string, options: ListenOptions & { path: string }): OwnedPath {
  const { path } = options;
  chmodSync(temporary, options.pathMode ?? DEFAULT_MODE);
  const own = lstatSync(temporary);
  renameSync(temporary, path);
  return {
    remove: () => {
      // The inode can't have been given to a successor's file: this listener still holds it.
      const now = statOf(path);
      if (now !== undefined && now.ino === own.ino && now.dev === own.dev) unlinkSync(path);
    },
  };
}
