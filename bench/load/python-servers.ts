/**
 * The servers of the Python rows, each in its best production configuration: uvloop, httptools, no access log, and as many
 * workers as pay on its cores. `--servers 'granian*1,granian*2'` compares other numbers of workers.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { program, ROOT } from "./programs.ts";
import type { Launch, RowServer, Site } from "./row-servers.ts";
import type { Workload } from "./workloads.ts";

const APPS = join(ROOT, "bench/apps/python");
const TARGETS: Readonly<Record<Workload["app"], string>> = {
  plain: "plain:app",
  fastapi: "fastapi_app:app",
  starlette: "starlette_app:app",
  flask: "flask_app:app",
  web: "",
  socket: "",
  "python-socket": "sockets:app",
};
/** Seconds; longer than any row, so that no server closes what the others keep. */
const KEEP_ALIVE = "75";
export const BACKLOG = "2048";
/** granian's connections at once: left alone it accepts no more than its backlog has places. */
export const BACKPRESSURE = ["--backpressure", "16384"] as const;
/** Threads of a WSGI worker: the routes only compute, so that more would wait for the interpreter's lock. */
const WSGI_THREADS = "1";
/** gunicorn's gthread has a thread that accepts besides; with fewer it leaves its core idle. */
const GTHREAD_THREADS = "4";
const UWSGI_THREADS = "2";
const RSGI_TARGET = "plain_rsgi:app";

const isWsgi = (workload: Workload) => workload.app === "flask";
const isAsgi = ({ app }: Workload) => app === "plain" || app === "fastapi" || app === "starlette";

/** One worker a core: what every peer's own documentation advises for applications that compute. */
export const peerWorkers = (site: Site) => String(site.workers ?? site.cores);

/**
 * Ours has a front and a worker on each core, bound to it; where a row or a variant names the workers, one front beside
 * them unless it names those too. See docs/benchmarks.md for how this was chosen.
 */
function ourProcesses({ workers, fronts, cores }: Site): string[] {
  const count = fronts ?? (workers === undefined ? cores : 1);
  const pin = count > 1 ? ["--pin"] : [];
  return ["--workers", String(workers ?? cores), "--fronts", String(count), ...pin];
}

const python = (site: Site) => join(site.directory, "venv/bin/python");
export const address = (site: Site) => `127.0.0.1:${site.port}`;

export function peer(site: Site, module: string, ...args: string[]): Launch {
  return { command: [python(site), "-m", module, ...args, TARGETS[site.workload.app]], cwd: APPS };
}

const uvicorn = (site: Site, parser: "httptools" | "h11"): Launch =>
  peer(
    site,
    "uvicorn",
    ...["--host", "127.0.0.1", "--port", String(site.port), "--workers", peerWorkers(site)],
    ...["--loop", "uvloop", "--http", parser, "--ws", "none", "--backlog", BACKLOG],
    ...["--timeout-keep-alive", KEEP_ALIVE, "--no-access-log", "--log-level", "warning"],
  );

/** Its router keeps the connections and shares the requests out; a worker by itself serves one connection a thread. */
const uwsgi = (site: Site): Launch => ({
  command: [
    ...[join(site.directory, "venv/bin/uwsgi"), "--http", address(site), "--http-keepalive", "--master"],
    ...["--processes", peerWorkers(site), "--threads", UWSGI_THREADS, "--listen", String(listenBacklog())],
    ...["--die-on-term", "--need-app", "--disable-logging", "--virtualenv", join(site.directory, "venv")],
    ...["--module", TARGETS[site.workload.app]],
  ],
  cwd: APPS,
});

/** uWSGI refuses to start when it is to have more than the kernel grants. */
function listenBacklog(): number {
  try {
    return Math.min(Number(BACKLOG), Number(readFileSync("/proc/sys/net/core/somaxconn", "utf8")));
  } catch {
    return 128;
  }
}

/** The last word of a peer's command is its application. */
function replaceTarget(launch: Launch, target: string): Launch {
  return { ...launch, command: [...launch.command.slice(0, -1), target] };
}

const RUNTIMES = {
  bun: ["--no-env-file", "--no-install"],
  deno: ["run", "-A", "--unstable-net"],
} as const;

export function ours(runtime: "bun" | "deno", site: Site): Launch {
  const threads = isWsgi(site.workload) ? ["--threads", WSGI_THREADS] : [];
  return {
    command: [
      program(runtime),
      ...RUNTIMES[runtime],
      join(ROOT, "src/cli/main.ts"),
      TARGETS[site.workload.app],
      ...["--app-dir", APPS, "--python", python(site), ...ourProcesses(site), ...threads],
      ...["--host", "127.0.0.1", "--port", String(site.port), "--no-access-log", "--log-level", "warning"],
      ...["--no-exit-with-parent"],
    ],
  };
}

const gunicorn = (site: Site, ...args: string[]): Launch =>
  peer(
    site,
    "gunicorn",
    ...["--bind", address(site), "--workers", peerWorkers(site), "--backlog", BACKLOG, "--keep-alive", KEEP_ALIVE],
    ...["--log-level", "warning", "--worker-tmp-dir", "/dev/shm", ...args],
  );

const granian = (site: Site, ...args: string[]): Launch =>
  peer(
    site,
    "granian",
    ...["--host", "127.0.0.1", "--port", String(site.port), "--workers", peerWorkers(site), "--backlog", BACKLOG],
    ...BACKPRESSURE,
    ...["--http", "1", "--no-ws", "--no-access-log", "--log-level", "warning", ...args],
  );

const PEER = { group: "python", ours: false } as const;

export const PYTHON_SERVERS: readonly RowServer[] = [
  {
    ...{ id: "ringcorn-bun-python", title: "Ringcorn on Bun", group: "python", ours: true, needs: ["uvloop"] },
    serves: (workload) => isAsgi(workload) || isWsgi(workload),
    launch: (site) => ours("bun", site),
  },
  {
    ...{ id: "ringcorn-deno-python", title: "Ringcorn on Deno", group: "python", ours: true, needs: ["uvloop"] },
    serves: (workload) => isAsgi(workload) || isWsgi(workload),
    launch: (site) => ours("deno", site),
  },
  {
    ...{ ...PEER, id: "uvicorn", title: "uvicorn", needs: ["uvicorn", "uvloop", "httptools"] },
    serves: isAsgi,
    launch: (site) => uvicorn(site, "httptools"),
  },
  {
    ...{ ...PEER, id: "uvicorn-h11", title: "uvicorn, h11", needs: ["uvicorn", "uvloop"] },
    serves: isAsgi,
    launch: (site) => uvicorn(site, "h11"),
  },
  {
    ...{ ...PEER, id: "granian", title: "granian", needs: ["granian", "uvloop"] },
    serves: isAsgi,
    launch: (site) => granian(site, "--interface", "asgi", "--loop", "uvloop"),
  },
  {
    ...{ ...PEER, id: "granian-rsgi", title: "granian, RSGI", needs: ["granian", "uvloop"] },
    // Its own interface: no framework of the rows speaks it.
    serves: (workload) => workload.app === "plain",
    launch: (site) => replaceTarget(granian(site, "--interface", "rsgi", "--loop", "uvloop"), RSGI_TARGET),
  },
  {
    ...{ ...PEER, id: "gunicorn-uvicorn", title: "gunicorn, uvicorn's worker", needs: ["gunicorn", "uvicorn-worker"] },
    serves: isAsgi,
    launch: (site) => gunicorn(site, "--worker-class", "uvicorn_worker.UvicornWorker"),
  },
  {
    ...{ ...PEER, id: "gunicorn-asgi", title: "gunicorn, its ASGI worker", needs: ["gunicorn", "uvloop"] },
    serves: isAsgi,
    launch: (site) => gunicorn(site, "--worker-class", "asgi", "--asgi-loop", "uvloop"),
  },
  {
    ...{ ...PEER, id: "hypercorn", title: "hypercorn", needs: ["hypercorn", "uvloop"] },
    serves: isAsgi,
    launch: (site) =>
      peer(
        site,
        "hypercorn",
        ...["--bind", address(site), "--workers", peerWorkers(site), "--worker-class", "uvloop"],
        ...["--backlog", BACKLOG, "--keep-alive", KEEP_ALIVE, "--log-level", "warning"],
        ...["--config", `file:${join(ROOT, "bench/peers/hypercorn_config.py")}`],
      ),
  },
  {
    ...{ ...PEER, id: "daphne", title: "daphne", needs: ["daphne"], workers: 1 },
    serves: isAsgi,
    // It is one process, on asyncio's own loop, whatever cores there are; it has no option for the backlog.
    launch: (site) => peer(site, "daphne", ...["--bind", "127.0.0.1", "--port", String(site.port), "--verbosity", "0"]),
  },
  {
    ...{ ...PEER, id: "granian-wsgi", title: "granian, WSGI", needs: ["granian", "flask"] },
    serves: isWsgi,
    launch: (site) => granian(site, "--interface", "wsgi", "--blocking-threads", WSGI_THREADS),
  },
  {
    ...{ ...PEER, id: "gunicorn-gthread", title: "gunicorn, gthread", needs: ["gunicorn", "flask"] },
    serves: isWsgi,
    launch: (site) => gunicorn(site, "--worker-class", "gthread", "--threads", GTHREAD_THREADS),
  },
  {
    ...{ ...PEER, id: "uwsgi", title: "uWSGI", needs: ["uwsgi", "flask"] },
    serves: isWsgi,
    launch: uwsgi,
  },
];
