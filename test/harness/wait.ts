/** Waiting for events in tests. The bound only guards against hanging: no test measures time with it. */

/** Generous for a machine under load; reached only when the awaited event never comes. */
export const GUARD_MS = 20_000;

/** Resolves as `promise` does, or rejects naming what was awaited; `detail` adds what is known then. */
export function within<T>(
  promise: Promise<T>,
  what: string,
  detail: () => string = () => "",
  ms = GUARD_MS,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const guard = setTimeout(() => reject(new Error(`waited in vain for ${what}${detail()}`)), ms);
    promise.then(
      (value) => {
        clearTimeout(guard);
        resolve(value);
      },
      (error: unknown) => {
        clearTimeout(guard);
        reject(error);
      },
    );
  });
}

/** Tries `probe` again and again until it gives something other than undefined or false. */
export async function until<T>(probe: () => T | Promise<T>, what: string, ms = GUARD_MS): Promise<NonNullable<T>> {
  const deadline = performance.now() + ms;
  for (;;) {
    const value = await probe();
    if (value !== undefined && value !== null && value !== false) return value;
    if (performance.now() > deadline) throw new Error(`waited in vain until ${what}`);
    await pause(5);
  }
}

/** Lets other things happen. Never a condition of a test, only between two looks. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
