/** Child processes with a message pipe: one JSON document per line, both ways, on descriptor 3. */
import process from "node:process";
import { CHANNEL_DESCRIPTOR, startChild } from "./child.ts";
import type { Child, ParentLink, SpawnOptions } from "./types.ts";

/** Tells a child that its descriptor 3 is the message pipe. */
const CHANNEL_VARIABLE = "RINGCORN_CHANNEL_FD";

/** A byte pipe as `parentLink` needs it; each runtime opens descriptor 3 in its own way. */
export interface Pipe {
  /** False when the pipe is gone. */
  write(text: string): boolean;
}

/** Opens the inherited descriptor. It must not keep the process alive. `onEnd` is called once. */
export type OpenPipe = (descriptor: number, onBytes: (bytes: Uint8Array) => void, onEnd: () => void) => Pipe;

/** Cuts a byte stream into messages; a line that is no JSON document is left out. */
class MessageReader {
  private readonly decoder = new TextDecoder();
  private readonly deliver: (message: unknown) => void;
  private rest = "";

  constructor(deliver: (message: unknown) => void) {
    this.deliver = deliver;
  }

  push(bytes: Uint8Array): void {
    const lines = (this.rest + this.decoder.decode(bytes, { stream: true })).split("\n");
    this.rest = lines.pop() ?? "";
    for (const line of lines) {
      let message: unknown;
      try {
        message = JSON.parse(line);
      } catch {
        continue;
      }
      this.deliver(message);
    }
  }
}

function line(message: unknown): string {
  return `${JSON.stringify(message)}\n`;
}

/** Starts a child; see `Runtime.spawn`. */
export function spawn(options: SpawnOptions): Child {
  const env = { ...options.env, [CHANNEL_VARIABLE]: String(CHANNEL_DESCRIPTOR) };
  const { pid, channel, isOver, kill } = startChild(options.command, env, options.onExit);
  const reader = new MessageReader(options.onMessage);
  channel.on("data", (bytes: Uint8Array) => reader.push(bytes));
  // A child that dies takes its end with it; `exit` tells.
  channel.on("error", () => {});
  return {
    pid,
    send: (message) => {
      if (isOver() || channel.destroyed || !channel.writable) return false;
      channel.write(line(message));
      return true;
    },
    kill,
  };
}

let link: ParentLink | undefined;

/** The child's end; see `Runtime.parentLink`. The variable is taken away so that no grandchild inherits it. */
export function parentLink(open: OpenPipe): ParentLink | undefined {
  const value = process.env[CHANNEL_VARIABLE];
  if (link !== undefined || value === undefined) return link;
  delete process.env[CHANNEL_VARIABLE];
  const listeners: ((message: unknown) => void)[] = [];
  /** Messages from before the first listener. */
  const early: unknown[] = [];
  const deliver = (message: unknown): void => {
    if (listeners.length === 0) early.push(message);
    for (const listener of listeners) listener(message);
  };
  const reader = new MessageReader(deliver);
  const pipe = open(
    Number(value),
    (bytes) => reader.push(bytes),
    () => deliver(undefined),
  );
  link = {
    send: (message) => pipe.write(line(message)),
    onMessage: (listener) => {
      listeners.push(listener);
      for (const message of early.splice(0)) listener(message);
    },
  };
  return link;
}
