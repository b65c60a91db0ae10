/** Options that people bring along from uvicorn and that are not here: what to do instead. docs/migrating-from-uvicorn.md. */

const TLS = "Ringcorn speaks no TLS yet: let nginx or a load balancer in front of it do that";

const ADVICE: Readonly<Record<string, string>> = {
  "--fd": "a descriptor can't be passed on yet: use --host and --port, or --uds",
  "--h11-max-incomplete-event-size": "--limit-head is what bounds a request's head here",
  "--http": "there is one parser: leave it out",
  "--no-use-colors": "colours follow the terminal: set NO_COLOR=1 in the environment",
  "--reload-delay": "changes are gathered by themselves: leave it out",
  "--timeout-worker-healthcheck": "--timeout-worker is its name here",
  "--use-colors": "colours follow the terminal: leave it out",
  "--ws": "there is one implementation of WebSocket: leave it out",
};

/** @returns what to do instead of an option that only uvicorn has, or undefined */
export function uvicornAdvice(flag: string): string | undefined {
  return flag.startsWith("--ssl-") ? TLS : Object.hasOwn(ADVICE, flag) ? ADVICE[flag] : undefined;
}
