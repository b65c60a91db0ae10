/** What the slow clients share: each takes its turn once an interval, and the program ends when its input does. */

/** All clients take their turn within an interval, spread evenly, so that they are not in step. */
const TICK_MS = 10;

/** Calls `step` for each of `clients` once in `intervalMs`. */
export function takeTurns(clients, intervalMs, step) {
  const count = clients.length;
  const startedMs = performance.now();
  let turns = 0;
  setInterval(() => {
    const due = Math.floor(((performance.now() - startedMs) / intervalMs) * count);
    for (; turns < due; turns++) step(clients[turns % count]);
  }, TICK_MS);
}

/** At the end of the input prints what `report` says, and leaves. */
export function reportAtEnd(report) {
  process.stdin.on("data", () => {});
  process.stdin.on("end", () => {
    console.log(report());
    process.exit(0);
  });
}
