/**
 * Self time by function, from a profile in the Chrome DevTools format ("Profiler.Profile" of the DevTools protocol),
 * which V8 and Bun both write.
 */

export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  /** Node id of each sample. */
  readonly samples: readonly number[];
  /** Microseconds before each sample. */
  readonly timeDeltas: readonly number[];
}

export interface SelfTime {
  readonly name: string;
  /** `file:line`, empty for native code. */
  readonly where: string;
  readonly microseconds: number;
  /** Of all time that was not idle. */
  readonly share: number;
}

/** Functions by descending self time; a function called from several places is one. */
export function selfTimes(profile: CpuProfile): SelfTime[] {
  const frames = new Map(profile.nodes.map((node) => [node.id, node.callFrame]));
  const byFunction = new Map<string, { name: string; where: string; microseconds: number }>();
  let total = 0;
  profile.samples.forEach((id, index) => {
    // A sample's own time is the one up to the next sample.
    const microseconds = Math.max(0, profile.timeDeltas[index + 1] ?? 0);
    const frame = frames.get(id);
    if (frame === undefined) return;
    const name = frame.functionName || "(anonymous)";
    if (name === "(idle)" || name === "(root)") return;
    total += microseconds;
    const where = frame.url === "" ? "" : `${frame.url}:${frame.lineNumber + 1}`;
    const key = `${name} ${where}`;
    const entry = byFunction.get(key) ?? { name, where, microseconds: 0 };
    entry.microseconds += microseconds;
    byFunction.set(key, entry);
  });
  return [...byFunction.values()]
    .map((entry) => ({ ...entry, share: total === 0 ? 0 : entry.microseconds / total }))
    .sort((a, b) => b.microseconds - a.microseconds);
}
