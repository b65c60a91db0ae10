/**
 * A worker process whose stream is two rings in shared memory; descriptor 3 carries doorbells and tells of its end.
 * It stands in for `spawnStream`, so that the real WorkerHost drives both. Bun only.
 */
import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import { type SpawnStreamOptions, type StreamChild, spawnStream } from "../../../src/runtime/stream-child.ts";
import { ALWAYS_BELL, FILE_BYTES, RingError, RingReader, RingWriter } from "./ring.ts";

const BELL = new Uint8Array(1);
/** The worker takes the name away when it has mapped the file. */
const MEMORY_FILES = "/dev/shm/rings-";
/** Turns that find nothing before the other side is asked to ring. */
const EMPTY_LOOKS = Number(process.env.RING_LOOKS ?? 1);

/** A file of zeros that occupies its pages: a page that a full file system can't give would end the process. */
function makeFile(): { path: string; remove(): void } {
  const path = `${MEMORY_FILES}${crypto.randomUUID()}`;
  const file = openSync(path, "wx", 0o600);
  writeSync(file, new Uint8Array(FILE_BYTES));
  closeSync(file);
  return { path, remove: () => rmSync(path, { force: true }) };
}

export interface BellCount {
  sent: number;
  heard: number;
}

class RingChild {
  readonly #options: SpawnStreamOptions;
  readonly #count: BellCount;
  readonly #writer: RingWriter;
  readonly #reader: RingReader;
  readonly #child: StreamChild;
  readonly #look = (): void => this.#lookAgain();
  #bellDue = false;
  #blocked = false;
  #lookQueued = false;
  #emptyLooks = 0;
  #over = false;

  constructor(options: SpawnStreamOptions, count: BellCount) {
    this.#options = options;
    this.#count = count;
    const file = makeFile();
    const map = Bun.mmap(file.path, { shared: true });
    this.#writer = new RingWriter(map, 0);
    this.#reader = new RingReader(map, 1);
    this.#child = spawnStream({
      command: [...options.command, file.path],
      env: options.env,
      onData: (chunk) => {
        count.heard += chunk.length;
        if (!this.#lookQueued) this.#lookAgain();
      },
      onDrain: () => this.#ring(),
      onEnd: () => {
        // What it wrote before its end counts.
        this.#lookAgain();
        this.#over = true;
        file.remove();
        options.onEnd();
      },
      onExit: options.onExit,
    });
    this.#queueLook();
  }

  stream(): StreamChild {
    return {
      pid: this.#child.pid,
      write: (bytes, start, end) => this.#write(bytes, start, end),
      kill: (signal) => this.#child.kill(signal),
      close: () => {
        this.#over = true;
        this.#child.close();
      },
    };
  }

  #write(bytes: Uint8Array, start: number, end: number): number {
    if (this.#over) return -1;
    try {
      const taken = this.#writer.write(bytes, start, end);
      this.#blocked = taken < end - start;
      if (this.#writer.owesBell()) this.#sendBell();
      return taken;
    } catch (error) {
      this.#broken(error);
      return -1;
    }
  }

  #sendBell(): void {
    this.#bellDue = true;
    this.#ring();
  }

  #ring(): void {
    if (!this.#bellDue || this.#child.write(BELL, 0, 1) !== 1) return;
    this.#bellDue = false;
    this.#count.sent += 1;
  }

  #queueLook(): void {
    this.#lookQueued = true;
    setImmediate(this.#look);
  }

  #lookAgain(): void {
    this.#lookQueued = false;
    if (this.#over) return;
    try {
      if (this.#blocked) this.#options.onDrain();
      if (this.#reader.read(this.#options.onData)) {
        this.#emptyLooks = 0;
        if (this.#reader.owesBell()) this.#sendBell();
      } else this.#emptyLooks += 1;
      if (ALWAYS_BELL) return;
      if (this.#emptyLooks < EMPTY_LOOKS || !this.#reader.sleep()) this.#queueLook();
    } catch (error) {
      this.#broken(error);
    }
  }

  /** The host sees a worker that ended; its requests are answered for it. */
  #broken(error: unknown): void {
    if (!(error instanceof RingError)) throw error;
    this.#over = true;
    this.#child.kill("SIGKILL");
  }
}

/** As `spawnStream`, over rings. The command is that of `ring_worker.py`. */
export function spawnRings(options: SpawnStreamOptions, count: BellCount = { sent: 0, heard: 0 }): StreamChild {
  return new RingChild(options, count).stream();
}
