/**
 * The servers of the web rows. The peers' programs lie in bench/peers/web; the suite copies them beside the frameworks
 * that it has installed in the cache, and starts them there.
 */
import { join } from "node:path";
import { type ProgramName, program, ROOT } from "./programs.ts";
import type { Launch, RowServer, Site } from "./row-servers.ts";

const DENO_FLAGS = ["run", "-A", "--unstable-net"] as const;

const serves: RowServer["serves"] = (workload) => workload.app === "web";

/** One process a core, where there are several: what each runtime's own documentation advises. */
function manyOf({ cores, workers }: Site): number {
  return workers ?? cores;
}

function ours(runtime: "bun" | "deno", site: Site): Launch {
  const count = manyOf(site);
  const flags = runtime === "bun" ? ["--no-env-file", "--no-install"] : DENO_FLAGS;
  return {
    command: [
      ...[program(runtime), ...flags, join(ROOT, "src/cli/main.ts"), join(ROOT, "bench/apps/web.ts")],
      ...["--host", "127.0.0.1", "--port", String(site.port), "--no-access-log", "--log-level", "warning"],
      ...["--no-exit-with-parent", ...(count > 1 ? ["--workers", String(count)] : [])],
    ],
  };
}

function peer(id: string, title: string, runtime: ProgramName, needs: readonly string[] = []): RowServer {
  const flags = runtime === "deno" ? DENO_FLAGS : [];
  return {
    ...{ id, title, group: "web", ours: false, needs, serves },
    launch: (site) => {
      const command = [program(runtime), ...flags, `${id}.mjs`];
      const count = manyOf(site);
      if (count === 1) return { command, cwd: site.directory };
      const several = runtime === "node" ? ["cluster", `${id}.mjs`] : ["spawn", ...command];
      return { command: [program("node"), "many.mjs", String(count), ...several], cwd: site.directory };
    },
  };
}

export const WEB_SERVERS: readonly RowServer[] = [
  {
    ...{ id: "ringcorn-bun", title: "Ringcorn on Bun", group: "web", ours: true, needs: [], serves },
    launch: (site) => ours("bun", site),
  },
  {
    ...{ id: "ringcorn-deno", title: "Ringcorn on Deno", group: "web", ours: true, needs: [], serves },
    launch: (site) => ours("deno", site),
  },
  peer("bun-serve", "Bun.serve", "bun"),
  peer("deno-serve", "Deno.serve", "deno"),
  peer("node-http", "node:http", "node"),
  peer("fastify", "Fastify on Node", "node", ["fastify"]),
  peer("hono-bun", "Hono on Bun", "bun", ["hono"]),
  peer("hono-node", "Hono on Node", "node", ["hono", "@hono/node-server"]),
  peer("elysia", "Elysia on Bun", "bun", ["elysia"]),
  {
    ...peer("uws", "uWebSockets.js", "node"),
    never: "uWebSockets.js is in no registry: it is handed out as a git repository of binaries.",
  },
];
