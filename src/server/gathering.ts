/**
 * What the connections of a server put off so that it is done for many at once: output that leaves together, and
 * pipelined requests that start in a context of their own. Both are microtasks, so that they belong to the turn of the
 * event loop that caused them.
 */
import type { Runtime } from "../runtime/types.ts";

/**
 * Output leaves after this many rounds of microtasks in which no request was started and no output was announced: what
 * the applications of one turn answer at once then leaves connection by connection, with the caches warm.
 */
const QUIET_ROUNDS = 6;
/**
 * And after about this many milliseconds, by a look at the clock each so many rounds: who computes between its events is
 * read meanwhile. The first look is sooner, and the one behind it follows at once: a single round may take longer than that.
 */
const MOST_GATHERING_MS = 5;
const ROUNDS_A_LOOK = 16;
const ROUNDS_TO_FIRST_LOOK = 8;

/** Requests of one connection that start from microtasks before the event loop gets a turn. */
const WAKES_PER_TURN = 128;
/** Those of all connections: then timers and other sockets have their turn, and what is answered leaves. */
const WAKES_TOGETHER = 2048;

/** A connection, as it is put off. */
export interface Gathered {
  /** It waits to be flushed already. */
  flushQueued: boolean;
  /** It waits to be woken already. */
  wakeQueued: boolean;
  /** Requests that have been started since bytes last arrived. */
  wakes: number;
  flushGathered(): void;
  resumePump(): void;
  /** Ends at once. */
  abort(): void;
}

export class Gathering {
  readonly #runtime: Pick<Runtime, "defer" | "now">;
  readonly #broken: (connection: Gathered, error: unknown) => void;
  #flushQueue: Gathered[] = [];
  #quietRounds = 0;
  #rounds = 0;
  #since = 0;
  /** Requests started since output last left. */
  #started = 0;
  readonly #wakeQueue: Gathered[] = [];
  /** Those that have had their share of this turn. */
  #nextTurnQueue: Gathered[] = [];
  readonly #round = () => this.#countRound();
  readonly #serveWoken = () => this.#resumeWoken();

  /** @param broken is told what a connection throws, which is a mistake of the server's own */
  constructor(runtime: Pick<Runtime, "defer" | "now">, broken: (connection: Gathered, error: unknown) => void) {
    this.#runtime = runtime;
    this.#broken = broken;
  }

  /** Its output leaves with that of the others, once nobody announces more. */
  flushLater(connection: Gathered): void {
    this.#quietRounds = 0;
    if (connection.flushQueued) return;
    connection.flushQueued = true;
    if (this.#flushQueue.push(connection) > 1) return;
    this.#rounds = 0;
    queueMicrotask(this.#round);
  }

  wake(connection: Gathered): void {
    if (connection.wakeQueued) return;
    connection.wakeQueued = true;
    this.#quietRounds = 0;
    // A long pipeline must not starve the other connections; nor may the others' make this one wait.
    if (++connection.wakes >= WAKES_PER_TURN || ++this.#started >= WAKES_TOGETHER) {
      connection.wakes = 0;
      if (this.#nextTurnQueue.push(connection) === 1) this.#runtime.defer(() => this.#resumeNextTurn());
    } else if (this.#wakeQueue.push(connection) === 1) queueMicrotask(this.#serveWoken);
  }

  #countRound(): void {
    if (++this.#quietRounds >= QUIET_ROUNDS || this.#isLate()) this.#flushAll();
    else queueMicrotask(this.#round);
  }

  /** Asks for the time only where there are many rounds. */
  #isLate(): boolean {
    const beyond = ++this.#rounds - ROUNDS_TO_FIRST_LOOK;
    if (beyond !== 0 && beyond !== 1 && this.#rounds % ROUNDS_A_LOOK !== 0) return false;
    const now = this.#runtime.now();
    if (beyond === 0) this.#since = now;
    return now - this.#since > MOST_GATHERING_MS;
  }

  #flushAll(): void {
    const queue = this.#flushQueue;
    this.#flushQueue = [];
    this.#started = 0;
    for (let i = 0; i < queue.length; i++) {
      const connection = queue[i];
      connection.flushQueued = false;
      try {
        connection.flushGathered();
      } catch (error) {
        this.#broken(connection, error);
      }
    }
  }

  #resumeWoken(): void {
    const queue = this.#wakeQueue;
    for (let i = 0; i < queue.length; i++) this.#resume(queue[i]);
    queue.length = 0;
  }

  #resumeNextTurn(): void {
    const queue = this.#nextTurnQueue;
    this.#nextTurnQueue = [];
    this.#started = 0;
    for (const connection of queue) this.#resume(connection);
  }

  #resume(connection: Gathered): void {
    connection.wakeQueued = false;
    try {
      connection.resumePump();
    } catch (error) {
      this.#broken(connection, error);
    }
  }
}
