/**
 * Where a consumer is parked when there is nothing to take. One waiter is the rule and costs one promise;
 * further ones (an application that calls `receive` twice at once) queue behind it in order.
 */
export class Waiters<T> {
  #first: ((value: T) => void) | null = null;
  #rest: ((value: T) => void)[] | null = null;

  get any(): boolean {
    return this.#first !== null;
  }

  park(): Promise<T> {
    return new Promise<T>((resolve) => {
      if (this.#first === null) this.#first = resolve;
      else (this.#rest ??= []).push(resolve);
    });
  }

  /** Hands the value to the waiter that came first. */
  wake(value: T): void {
    const resolve = this.#first;
    if (resolve === null) return;
    this.#first = this.#rest?.shift() ?? null;
    resolve(value);
  }

  /** Hands the value to every waiter. */
  wakeAll(value: T): void {
    while (this.#first !== null) this.wake(value);
  }
}
