/**
 * Self time by function, from a profile in the Chrome DevTools format ("Profiler.Profile" of the DevTools protocol),
 * which V8 and Bun both write, and from stacks in speedscope's format, which py-spy writes.
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

/** A file of speedscope's (its "sampled" profiles; one for each thread). */
export interface Speedscope {
  readonly shared: {
    readonly frames: readonly { readonly name: string; readonly file?: string | null; readonly line?: number | null }[];
  };
  readonly profiles: readonly {
    readonly unit: string;
    /** Frames of each sample, the outermost first. */
    readonly samples: readonly (readonly number[])[];
    readonly weights: readonly number[];
  }[];
}

const MICROSECONDS: Readonly<Record<string, number>> = { seconds: 1e6, milliseconds: 1e3, microseconds: 1 };

/** Functions by descending self time, of all threads together. py-spy leaves idle time out. */
export function selfTimesOfStacks({ shared, profiles }: Speedscope): SelfTime[] {
  const byFunction = new Map<string, { name: string; where: string; microseconds: number }>();
  let total = 0;
  for (const { unit, samples, weights } of profiles) {
    samples.forEach((stack, index) => {
      const frame = shared.frames[stack.at(-1) ?? -1];
      if (frame === undefined) return;
      const microseconds = weights[index] * (MICROSECONDS[unit] ?? 1);
      total += microseconds;
      const where = frame.file ? `${frame.file}:${frame.line ?? "?"}` : "";
      const key = `${frame.name} ${where}`;
      const entry = byFunction.get(key) ?? { name: frame.name, where, microseconds: 0 };
      entry.microseconds += microseconds;
      byFunction.set(key, entry);
    });
  }
  return [...byFunction.values()]
    .map((entry) => ({ ...entry, share: total === 0 ? 0 : entry.microseconds / total }))
    .sort((a, b) => b.microseconds - a.microseconds);
}
