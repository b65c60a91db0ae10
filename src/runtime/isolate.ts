/**
 * Keeps asynchronous context (AsyncLocalStorage) from one request to the next apart: what an application sets with
 * `enterWith`, and the context that a completed request's stack carries.
 */
import { AsyncLocalStorage } from "node:async_hooks";

type Task<A, B> = (a: A, b: B) => void;

/** Deno's own switch: `AsyncLocalStorage.snapshot()` costs half a microsecond a call there, this a hundredth of it. */
interface ContextSwitch {
  getAsyncContext(): unknown;
  setAsyncContext(context: unknown): void;
}

function denoSwitch(): ContextSwitch | undefined {
  const deno = Reflect.get(globalThis, "Deno") as Record<PropertyKey, unknown> | undefined;
  const internal = deno?.[deno.internal as PropertyKey] as { core?: Partial<ContextSwitch> } | undefined;
  const core = internal?.core;
  if (typeof core?.getAsyncContext !== "function" || typeof core.setAsyncContext !== "function") return undefined;
  return core as ContextSwitch;
}

function makeIsolate(): <A, B>(task: Task<A, B>, a: A, b: B) => void {
  const own = denoSwitch();
  if (own === undefined) return AsyncLocalStorage.snapshot();
  const { getAsyncContext, setAsyncContext } = own;
  const nobodys = getAsyncContext();
  return (task, a, b) => {
    const before = getAsyncContext();
    if (before !== nobodys) setAsyncContext(nobodys);
    try {
      task(a, b);
    } finally {
      if (getAsyncContext() !== before) setAsyncContext(before);
    }
  };
}

/** See `Runtime.isolate`. */
export const isolate = makeIsolate();
