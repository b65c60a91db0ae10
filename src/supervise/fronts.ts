/**
 * The fronts of a Python application: how its workers are shared among them, and the order in which they replace them.
 * Decisions only; see `FrontEffects`.
 */
import type { Logger } from "../observe/log.ts";

export interface FrontEffects {
  /** Asks a front to replace its workers; `rolled` or `gone` follows. */
  roll(id: number): void;
  resize(id: number, workers: number): void;
}

export class Fronts {
  /** By place. */
  readonly #shares: number[];
  readonly #effects: FrontEffects;
  readonly #logger: Logger;
  /** The place of each front that serves. */
  readonly #serving = new Map<number, number>();
  /** Fronts that have still to replace their workers; the first one is at it. */
  #rolling: number[] = [];
  /** How often a replacement has been asked for. */
  #orders = 0;
  /** By place, of the front that has been started there last: what was known then. */
  readonly #started = new Map<number, { readonly share: number; readonly orders: number }>();

  constructor(shares: readonly number[], effects: FrontEffects, logger: Logger) {
    this.#shares = [...shares];
    this.#effects = effects;
    this.#logger = logger;
  }

  /** The workers of a front that starts at this place. */
  share(place: number): number {
    const share = this.#shares[place] ?? 1;
    this.#started.set(place, { share, orders: this.#orders });
    return share;
  }

  ready(id: number, place: number): void {
    this.#serving.set(id, place);
    const { share, orders } = this.#started.get(place) ?? { share: this.#shares[place], orders: this.#orders };
    if (share !== this.#shares[place]) this.#effects.resize(id, this.#shares[place]);
    // Its workers may have loaded the old code.
    if (orders !== this.#orders && this.#rolling.push(id) === 1) this.#next();
  }

  gone(id: number): void {
    this.#serving.delete(id);
    const [current] = this.#rolling;
    this.#rolling = this.#rolling.filter((other) => other !== id);
    if (current === id) this.#next();
  }

  /**
   * Each front replaces its workers, one front after the other. Who is at it begins anew: the workers that it waits for have
   * outdated code, which may be why their start does not end.
   */
  roll(): void {
    this.#orders += 1;
    this.#rolling = [...new Set([...this.#rolling, ...this.#serving.keys()])];
    this.#next();
  }

  rolled(id: number, done: boolean): void {
    if (this.#rolling[0] !== id) return;
    this.#rolling.shift();
    // The first failure ends it: what the others have works.
    if (!done) this.#rolling = [];
    this.#next();
  }

  /** One worker more, at the front that has the fewest. */
  grow(): void {
    this.#change(this.#shares.indexOf(Math.min(...this.#shares)), 1);
  }

  /** One worker less, at the front that has the most; each keeps one. */
  shrink(): void {
    const most = Math.max(...this.#shares);
    if (most > 1) this.#change(this.#shares.lastIndexOf(most), -1);
    else this.#logger.warning("The last worker of each front stays; SIGTERM stops the server.");
  }

  #change(place: number, by: number): void {
    this.#shares[place] += by;
    for (const [id, at] of this.#serving) if (at === place) this.#effects.resize(id, this.#shares[place]);
  }

  #next(): void {
    const [id] = this.#rolling;
    if (id !== undefined) this.#effects.roll(id);
  }
}
