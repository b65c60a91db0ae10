/** Defaults that the command line shows; apart, so that it need not load the rest. */

/** Requests that wait for a worker, in order; more are refused. A second's worth for a fast application. */
export const DEFAULT_QUEUE_LENGTH = 1024;
/** gunicorn ends a worker that is silent for 30 s, but it can't tell a busy one; a slow database needs more. */
export const DEFAULT_WORKER_TIMEOUT_MS = 60_000;
