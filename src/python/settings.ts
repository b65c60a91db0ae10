/** What a worker is told, and what it tells in return. */

/** What the worker is told to serve; HELLO's JSON. */
export interface WorkerSettings {
  readonly target: string;
  readonly appDir?: string;
  readonly factory?: boolean;
  readonly interface?: "auto" | "asgi" | "asgi2" | "wsgi";
  readonly lifespan?: "auto" | "on" | "off";
  readonly loop?: "auto" | "asyncio" | "uvloop";
  readonly threads?: number;
  readonly logConfig?: string;
  readonly workers?: number;
  /** For development: to be ready soon counts more than to be lean. */
  readonly reload?: boolean;
}

/** What a worker tells when it is ready. */
export interface WorkerFacts {
  readonly pid: number;
  readonly python: string;
  readonly loop: string;
  readonly interface: string;
  readonly app: string;
}
