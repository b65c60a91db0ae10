/**
 * What runs beside a row's load: clients that are slow, or that send nonsense. The figures are those of the load.
 */
import { startClient } from "./client.ts";
import type { BenchContext } from "./types.ts";

export interface Companion {
  /** Such as `slow clients`. */
  readonly title: string;
  /** A program in bench/load. It gets the port and `parameters`, prints "ready", and ends with its input by a line. */
  readonly file: string;
  readonly parameters: readonly (string | number)[];
}

const TIMEOUT_MS = 20_000;
const DESCRIPTORS = 4_096;

/** A slow client uploads 10 KB in ten pieces, two a second, as over a poor mobile connection, and begins again. */
export const SLOW_UPLOADS: Companion = {
  title: "slow clients",
  file: "slow-client.mjs",
  parameters: [1_000, "/echo", 10_240, 1_024, 500],
};

const SLOW_BODY_BYTES = 4 * 1024 ** 2;
/** A slow reader takes 640 KB a second of an answer of 4 MB: more than the kernel keeps for it, less than a server may hoard. */
export const SLOW_READERS: Companion = {
  title: "slow readers",
  file: "slow-reader.mjs",
  parameters: [100, `/body/${SLOW_BODY_BYTES}`, SLOW_BODY_BYTES, 65_536, 100],
};

export const NOISE: Companion = { title: "bad requests", file: "noise-client.mjs", parameters: [500] };

/** What a companion's last line counts as failures. */
export function failuresIn(line: string): number {
  return Number(/failed (\d+)/.exec(line)?.[1] ?? 0);
}

/** Runs `load` beside the companion, where there is one; its failures are added to the sample's errors. */
export async function besideCompanion<Sample extends { readonly errors: number }>(
  context: Pick<BenchContext, "signal">,
  companion: Companion | undefined,
  place: { readonly port: number; readonly cpus: readonly number[] },
  load: () => Promise<Sample>,
): Promise<Sample> {
  if (companion === undefined) return load();
  const client = startClient({
    file: companion.file,
    parameters: [place.port, ...companion.parameters],
    cpus: place.cpus,
    descriptors: DESCRIPTORS,
    signal: context.signal,
  });
  try {
    await client.line(TIMEOUT_MS);
    const sample = await load();
    const closing = client.line(TIMEOUT_MS);
    await client.finish();
    const said = await closing;
    return { ...sample, companions: `${companion.title}: ${said}`, errors: sample.errors + failuresIn(said) };
  } finally {
    await client.finish();
  }
}
