/**
 * Standard output and error: whole, in order, and never waited for while the event loop has other work.
 *
 * A pipe whose reader is slow would block a plain write. So a pipe is opened once more without blocking (its other
 * users keep their own mode), what it does not take waits in a queue, and `flush` empties that before the process ends.
 */
import { Buffer } from "node:buffer";
import { constants, fstatSync, openSync, writeSync } from "node:fs";
import process from "node:process";

/** A queue longer than this belongs to a reader that has stopped; further text is counted and dropped. */
const QUEUE_LIMIT_BYTES = 4 * 1024 * 1024;
/** A full pipe is tried again after this time: its reader empties 64 KB much faster. */
const RETRY_MS = 5;
/**
 * PIPE_BUF: a pipe takes this much whole or not at all. Deno's writeSync goes on after a short write and does not say
 * how much it wrote when the pipe is full then, so nothing larger is offered.
 */
const PIPE_WRITE_BYTES = process.platform === "linux" ? 4096 : 512;
/** A full disk or quota: what is written now is lost, what is written later may not be. */
const FULL_CODES: ReadonlySet<string | undefined> = new Set(["ENOSPC", "EDQUOT"]);
/** How long the end of the process waits for the reader. */
const FLUSH_LIMIT_MS = 5_000;

function errorCode(error: unknown): string | undefined {
  return (error as { code?: string } | null)?.code;
}

function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** One of the two standard streams. */
export class OutputStream {
  private readonly standard: 1 | 2;
  private descriptor = -1;
  private queue: Uint8Array[] = [];
  private queuedBytes = 0;
  private droppedBytes = 0;
  private dropReason = "";
  private timer: ReturnType<typeof setTimeout> | undefined;
  private gone = false;
  private writeBytes = Number.POSITIVE_INFINITY;

  constructor(standard: 1 | 2) {
    this.standard = standard;
  }

  write(text: string): void {
    if (this.gone || text === "") return;
    if (this.queue.length === 0 && this.droppedBytes > 0) this.tellDropped();
    const bytes = Buffer.from(text);
    const taken = this.queue.length > 0 ? 0 : this.offer(bytes);
    if (taken < bytes.length && !this.gone) this.enqueue(bytes.subarray(taken));
  }

  /** Waits until the queue is written, at most FLUSH_LIMIT_MS; then nothing more is written. */
  flush(): void {
    const deadline = performance.now() + FLUSH_LIMIT_MS;
    while (this.queue.length > 0) {
      this.drain();
      if (this.queue.length === 0) return;
      if (performance.now() >= deadline) this.abandon();
      else sleep(RETRY_MS);
    }
  }

  private open(): number {
    this.descriptor = this.standard;
    try {
      if (fstatSync(this.standard).isFIFO()) {
        this.writeBytes = PIPE_WRITE_BYTES;
        this.descriptor = openSync(`/dev/fd/${this.standard}`, constants.O_WRONLY | constants.O_NONBLOCK);
      }
    } catch {
      // No /dev/fd, or no right to open it: the blocking descriptor does as well.
    }
    return this.descriptor;
  }

  /** Returns how many bytes are settled: written, or lost to a full disk. */
  private offer(bytes: Uint8Array): number {
    const descriptor = this.descriptor === -1 ? this.open() : this.descriptor;
    let taken = 0;
    try {
      while (taken < bytes.length) {
        taken += writeSync(descriptor, bytes, taken, Math.min(bytes.length - taken, this.writeBytes));
      }
    } catch (error) {
      const code = errorCode(error);
      if (FULL_CODES.has(code)) {
        this.drop(bytes.length - taken, "the disk was full");
        return bytes.length;
      }
      // EPIPE and the like: nobody reads any more, which must not stop a server.
      if (code !== "EAGAIN") this.abandon();
    }
    return taken;
  }

  private drop(count: number, reason: string): void {
    this.droppedBytes += count;
    this.dropReason = reason;
  }

  /** Before anything else is written, when nothing waits. */
  private tellDropped(): void {
    const lost = this.droppedBytes;
    this.droppedBytes = 0;
    const note = Buffer.from(`[${lost} bytes of output were dropped: ${this.dropReason}]\n`);
    const taken = this.offer(note);
    // The disk is still full: the note itself is no loss.
    if (this.droppedBytes > 0) this.droppedBytes = lost;
    else if (taken < note.length && !this.gone) this.enqueue(note.subarray(taken));
  }

  private abandon(): void {
    this.gone = true;
    this.queue = [];
    this.queuedBytes = 0;
  }

  private enqueue(bytes: Uint8Array): void {
    if (this.queuedBytes > QUEUE_LIMIT_BYTES) {
      this.drop(bytes.length, "nobody was reading");
      return;
    }
    this.queue.push(bytes);
    this.queuedBytes += bytes.length;
    this.timer ??= setTimeout(() => this.retry(), RETRY_MS);
  }

  private retry(): void {
    this.timer = undefined;
    this.drain();
    if (this.queue.length > 0) this.timer = setTimeout(() => this.retry(), RETRY_MS);
  }

  private drain(): void {
    let done = 0;
    for (; done < this.queue.length; done++) {
      const bytes = this.queue[done]!;
      const taken = this.offer(bytes);
      if (this.gone) return;
      this.queuedBytes -= taken;
      if (taken < bytes.length) {
        this.queue[done] = bytes.subarray(taken);
        break;
      }
    }
    this.queue.splice(0, done);
    if (this.queue.length === 0 && this.droppedBytes > 0) this.tellDropped();
  }
}

export const standardOutput = new OutputStream(1);
export const standardError = new OutputStream(2);

/** Writes out what is still queued; for the end of the process. */
export function flushOutput(): void {
  standardOutput.flush();
  standardError.flush();
}

process.on("exit", flushOutput);
