/** A pool of reusable objects: made ahead, lent out, taken back up to a bound. */

export class Pool<T> {
  readonly #free: T[] = [];
  readonly #make: () => T;
  readonly #keep: number;
  #lent = 0;

  /**
   * @param make makes one more when the pool is empty
   * @param ahead how many are made at once
   * @param keep how many free ones are kept at most; the rest is left to the collector
   */
  constructor(make: () => T, ahead: number, keep: number) {
    this.#make = make;
    this.#keep = keep;
    for (let i = 0; i < ahead; i++) this.#free.push(make());
  }

  /** How many are lent out now. */
  get lent(): number {
    return this.#lent;
  }

  get free(): number {
    return this.#free.length;
  }

  borrow(): T {
    this.#lent++;
    return this.#free.pop() ?? this.#make();
  }

  giveBack(item: T): void {
    this.#lent--;
    if (this.#free.length < this.#keep) this.#free.push(item);
  }
}
