/** What the test apps saw, by token, so that a test can wait for an event by a request of its own. */

const entries = new Map<string, string[]>();
const waiting = new Map<string, (() => void)[]>();
const gates = new Map<string, { open: boolean; waiters: (() => void)[] }>();

export function note(token: string, what: string): void {
  if (token === "") return;
  const list = entries.get(token) ?? [];
  list.push(what);
  entries.set(token, list);
  const waiters = waiting.get(token) ?? [];
  waiting.delete(token);
  for (const wake of waiters) wake();
}

export function noted(token: string): readonly string[] {
  return entries.get(token) ?? [];
}

/** Resolves once an entry of `token` starts with `what`. */
export async function awaitNote(token: string, what: string): Promise<void> {
  while (!noted(token).some((entry) => entry.startsWith(what))) {
    await new Promise<void>((resolve) => {
      waiting.set(token, [...(waiting.get(token) ?? []), resolve]);
    });
  }
}

function gate(name: string) {
  let found = gates.get(name);
  if (found === undefined) {
    found = { open: false, waiters: [] };
    gates.set(name, found);
  }
  return found;
}

export function openGate(name: string): void {
  const found = gate(name);
  found.open = true;
  for (const wake of found.waiters.splice(0)) wake();
}

/** Waits until a request to `/open?g=name` arrives. */
export function passGate(name: string): Promise<void> {
  const found = gate(name);
  return found.open ? Promise.resolve() : new Promise((resolve) => found.waiters.push(resolve));
}
