/**
 * How a worker is started: from its file; or, by an executable, with its modules sent over the stream ahead of the records,
 * since Python can't open what lies within the executable. So nothing is written, cleaned up, or missing an hour later.
 * unpack.py is the other half.
 */
import { type SpawnStreamOptions, type StreamChild, spawnStream } from "../runtime/stream-child.ts";

/** It takes the others from the stream. */
const UNPACK = "unpack.py";
/**
 * What `python -c` is given, short since lists of processes show it: runs the text that the stream holds up to a NUL, and
 * reads no byte more. `os` is there before the working directory can answer an import. Which Python is too old, start.py
 * tells; one that is too old for that lacks `set_blocking`.
 */
const BOOTSTRAP =
  '"ringcorn/start.py"; import os, sys; ' +
  'hasattr(os, "set_blocking") or sys.exit("This Python is too old; take 3.9 or later, with --python."); ' +
  "os.set_blocking(3, True); " +
  'exec(b"".join(iter(lambda: os.read(3, 1) or sys.exit(), b"\\0")))';
const LENGTH_BYTES = 4;
const UTF8 = new TextEncoder();

type Spawn = (options: SpawnStreamOptions) => StreamChild;

export interface WorkerStart {
  /** What follows the Python program on its command line. */
  readonly args: readonly string[];
  /** Undefined: the usual one. */
  readonly spawn: Spawn | undefined;
}

/**
 * @param script the file that starts the worker, where there are files
 * @param sources the modules' texts by file name, where there are none
 * @param executable what tracebacks name as the modules' folder: nothing can lie below a file
 */
export function workerStart(
  script: URL,
  sources: Readonly<Record<string, string>> | undefined,
  executable: string,
): WorkerStart {
  if (sources === undefined) return { args: [decodeURIComponent(script.pathname)], spawn: undefined };
  const { [UNPACK]: unpack, ...modules } = sources;
  const first = (): Uint8Array => packed(unpack, JSON.stringify({ folder: executable, modules }));
  return { args: ["-c", BOOTSTRAP], spawn: ahead(spawnStream, first) };
}

/** `unpack`, NUL, the length of what follows, `json`. */
function packed(unpack: string, json: string): Uint8Array {
  const program = UTF8.encode(`${unpack}\0`);
  const text = UTF8.encode(json);
  const bytes = new Uint8Array(program.length + LENGTH_BYTES + text.length);
  bytes.set(program);
  new DataView(bytes.buffer).setUint32(program.length, text.length, true);
  bytes.set(text, program.length + LENGTH_BYTES);
  return bytes;
}

/** Children of `spawn` that are sent `first()` before all that is written to them. */
export function ahead(spawn: Spawn, first: () => Uint8Array): Spawn {
  return (options) => {
    let rest = first();
    let child: StreamChild | undefined;
    /** Whether all of it has left. */
    const sent = (): boolean => {
      while (rest.length > 0) {
        const count = child === undefined ? 0 : child.write(rest, 0, rest.length);
        // Of a stream that is gone, `onEnd` tells.
        if (count <= 0) return false;
        rest = rest.subarray(count);
      }
      return true;
    };
    const onDrain = (): void => {
      if (sent()) options.onDrain();
    };
    const made = spawn({ ...options, onDrain });
    child = made;
    // A spare is written nothing else for a long time.
    sent();
    return {
      pid: made.pid,
      write: (bytes, start, end) => (sent() ? made.write(bytes, start, end) : 0),
      kill: (signal) => made.kill(signal),
      close: () => made.close(),
    };
  };
}
