/** --reload: real files are changed, and the application answers with the new code. */
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { test } from "node:test";
import { missing, PYTHON } from "../harness/python.ts";
import { RUNTIMES, type RuntimeName, Server } from "../harness/server.ts";
import { appText, fresh, gone, Site, whoAnswers } from "../harness/site.ts";
import { until } from "../harness/wait.ts";

/** A server in a folder of its own that reloads. */
async function reloading(
  runtime: RuntimeName,
  site: Site,
  args: string[],
  use: (server: Server) => Promise<void>,
  app = "app.ts",
) {
  const options = { cwd: site.directory };
  const server = Server.spawn(runtime, app, ["--reload", "--no-access-log", ...args], options);
  try {
    await use(server);
  } finally {
    await server.kill();
  }
}

async function answers(server: Server, version: string): Promise<void> {
  await until(async () => (await fresh(server))?.startsWith(`${version} `), `${version} answers`);
}

for (const runtime of RUNTIMES) {
  const changes = new Site();
  test(`${runtime}: a change is served, a syntax error keeps the old code, mending it is noticed`, async () => {
    changes.write("app.ts", appText("v1"));
    await reloading(runtime, changes, [], async (server) => {
      await server.listening();
      const first = await whoAnswers(server);
      assert.equal(first.version, "v1");
      changes.write("app.ts", appText("v2"));
      await server.sees(/INFO: {5}app\.ts changed; reloading\./);
      await answers(server, "v2");
      await gone(first.pid, "the process with the old code");
      changes.write("app.ts", `${appText("v3")} }`);
      await server.sees(/app\.ts failed to load\.\n[\s\S]*The old process goes on serving\./);
      assert.equal((await whoAnswers(server)).version, "v2");
      changes.write("app.ts", appText("v4"));
      await answers(server, "v4");
      await server.stop();
    });
  });

  const broken = new Site();
  test(`${runtime}: an application that fails at first is tried again at the next change`, async () => {
    broken.write("app.ts", "throw new Error('not yet');");
    await reloading(runtime, broken, [], async (server) => {
      await server.sees(/not yet[\s\S]*Waiting for a file to change/);
      broken.write("app.ts", appText("v1"));
      await server.listening();
      assert.equal((await whoAnswers(server)).version, "v1");
      await server.stop();
    });
  });

  const hanging = new Site();
  test(`${runtime}: a start that does not end is begun anew at the next change`, async () => {
    const endless = "console.log('waits'); await new Promise(() => {});";
    hanging.write("app.ts", endless);
    await reloading(runtime, hanging, [], async (server) => {
      await server.sees(/waits/);
      hanging.write("app.ts", appText("v1"));
      await server.listening();
      const { pid } = await whoAnswers(server);
      hanging.write("app.ts", endless);
      await server.sees(/waits[\s\S]*waits/);
      assert.equal((await whoAnswers(server)).version, "v1");
      hanging.write("app.ts", appText("v2"));
      await answers(server, "v2");
      await gone(pid, "the process with the old code");
      await server.stop();
    });
  });

  const python = new Site();
  test(`${runtime}: so is a Python application's first one`, { skip: missing() }, async () => {
    python.write("main.py", "import time\nprint('waits', flush=True)\ntime.sleep(1000)\n");
    const use = async (server: Server) => {
      await server.sees(/waits/);
      python.write("main.py", "async def app(scope, receive, send): pass\n");
      await server.listening();
      await server.stop();
    };
    await reloading(runtime, python, ["--python", PYTHON], use, "main:app");
  });

  const patterns = new Site();
  test(`${runtime}: what is watched follows the patterns, and the environment file counts`, async () => {
    patterns.write("app.ts", appText("v1"));
    patterns.write("site.env", "COLOUR=red\n");
    mkdirSync(patterns.path("node_modules"));
    const args = ["--reload-include", "*.html", "--reload-exclude", "old-*", "--env-file", "site.env"];
    await reloading(runtime, patterns, args, async (server) => {
      await server.listening();
      assert.equal(await fresh(server, "/env?COLOUR"), "red");
      const { pid } = await whoAnswers(server);
      patterns.write("app.ts", appText("v2"));
      patterns.write("node_modules/x.html", "x");
      patterns.write("old-page.html", "x");
      patterns.write("page.html", "x");
      await server.sees(/page\.html changed; reloading/);
      assert.doesNotMatch(server.stderr, /app\.ts changed|node_modules|old-page/);
      await gone(pid, "the process with the old code");
      patterns.write("site.env", "COLOUR=blue\n");
      await until(async () => (await fresh(server, "/env?COLOUR")) === "blue", "the new variable is seen");
      await server.stop();
    });
  });
}
