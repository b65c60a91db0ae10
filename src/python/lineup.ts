/**
 * Which workers to start, to drain and to end: decided from what they are, without processes, timers or memory of what
 * happened. A worker is replaced only when its successor serves.
 */

export type MemberState =
  /** Its interpreter runs, and nobody has told it what to load. */
  | "spare"
  /** Importing and starting the application. */
  | "loading"
  | "ready"
  /** Finishing what it has. */
  | "draining"
  /** Its stream has ended; how, its exit tells in a moment, and then its place is free. */
  | "ending"
  | "gone";

export interface Member {
  readonly state: MemberState;
  /** Why it is to be replaced: other code is there, or it has reached a limit or asked for it. */
  readonly leaving: "outdated" | "retiring" | undefined;
}

export interface Plan<M> {
  /** So many are to be started. */
  readonly start: number;
  /** These are to finish what they have, and leave. */
  readonly drain: readonly M[];
  /** These are not needed, and serve nobody. */
  readonly drop: readonly M[];
}

/**
 * @param members oldest first
 * @param wanted how many are to serve
 * @param mayStart false while a failed start forbids another one
 */
export function plan<M extends Member>(members: readonly M[], wanted: number, mayStart: boolean): Plan<M> {
  const ready = members.filter(({ state }) => state === "ready");
  const staying = ready.filter(({ leaving }) => leaving === undefined);
  // Those with old code first, whatever their age.
  const going = [
    ...ready.filter(({ leaving }) => leaving === "outdated"),
    ...ready.filter(({ leaving }) => leaving === "retiring"),
  ];
  const stale = members.filter(({ state, leaving }) => state === "loading" && leaving === "outdated");
  const loading = members.filter(({ state, leaving }) => state === "loading" && leaving !== "outdated");
  const surplus = Math.max(0, ready.length - wanted);
  const drain = [...going, ...staying.reverse()].slice(0, surplus);
  const ending = members.filter(({ state }) => state === "ending").length;
  const left = ready.length - drain.length + ending;
  // One at a time: a replacement costs the memory of one worker more.
  const successors = drain.length < going.length ? 1 : 0;
  const short = wanted + successors - left - loading.length;
  return {
    start: mayStart ? Math.max(0, short) : 0,
    drain,
    drop: [...stale, ...loading.reverse().slice(0, Math.max(0, -short))],
  };
}
