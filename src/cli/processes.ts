/** How many processes serve, and how: decided from the options, the kind of application and the cores. */
import { AUTO, type Config, DEFAULT_COMMAND } from "./config.ts";
import { UsageError } from "./resolve.ts";

/**
 * `--fronts auto`: one for so many workers. For a route of FastAPI that does nothing, a front takes a third to a half of
 * the time that a worker takes, and less for each request the busier it is; for what asks a database, hardly any. With
 * `--pin` one for each core: a front and a worker that share a core need no other to be woken.
 */
export const WORKERS_PER_FRONT = 4;

/**
 * The configuration with its numbers of processes.
 * @throws UsageError when they contradict each other
 */
export function decideProcesses(config: Config, isPython: boolean, cores: number): Config {
  const { command, server } = config;
  const workers = command.workers === AUTO ? Math.max(cores, command.fronts) : command.workers;
  const enough = command.pin ? Math.min(workers, cores) : Math.ceil(workers / WORKERS_PER_FRONT);
  const asked = command.fronts === AUTO ? enough : command.fronts;
  const fronts = isPython && !command.reload ? asked : 1;
  if (fronts > workers) {
    throw new UsageError(`--fronts ${fronts} needs as many workers; add --workers ${fronts} or more.`);
  }
  if (server.uds !== undefined && (isPython ? fronts : workers) > 1) {
    const option = isPython ? "--fronts" : "--workers";
    throw new UsageError(`${option} can't share a Unix socket: use --port with ${option}, or --uds without it.`);
  }
  return { ...config, command: { ...command, workers, fronts } };
}

/** So many of the workers are each front's; the first ones have one more where they can't be divided. */
export function sharesOf(workers: number, fronts: number): number[] {
  return Array.from({ length: fronts }, (_, i) => Math.floor(workers / fronts) + (i < workers % fronts ? 1 : 0));
}

/**
 * Whether the processes that serve are children of a supervisor, or this process serves itself. A Python application's
 * one front supervises its workers itself.
 */
export function needsSupervisor({ command }: Config, isPython: boolean): boolean {
  if (isPython) return command.fronts > 1;
  return command.workers > 1 || command.reload || command.maxRequests > 0;
}

/** Options that this kind of application, or this way to serve it, leaves without effect. */
export function processAdvice({ command }: Config, isPython: boolean): string[] {
  if (isPython) {
    if (command.reload) {
      const given = [["--fronts", command.fronts > 1] as const, ["--pin", command.pin] as const].filter(([, is]) => is);
      return given.map(([option]) => `${option} has no effect with --reload: one front serves.`);
    }
    const alone = command.pin && command.fronts === 1;
    return alone ? ["--pin has no effect with one front: --workers auto --fronts auto start one for each core."] : [];
  }
  const given = (
    [
      ["--interface", "interface"],
      ["--python", "python"],
      ["--loop", "loop"],
      ["--threads", "threads"],
      ["--log-config", "logConfig"],
      ["--fronts", "fronts"],
      ["--limit-max-rss", "maxRssBytes"],
      ["--worker-lifetime", "lifetimeMs"],
      ["--timeout-worker", "workerTimeoutMs"],
      ["--limit-queue", "queueLength"],
    ] as const
  ).filter(([, field]) => command[field] !== DEFAULT_COMMAND[field]);
  const advice = given.map(([option]) => `${option} has an effect with Python applications only.`);
  if (command.pin && command.workers === 1) advice.push("--pin has no effect with one process: add --workers auto.");
  return advice;
}
