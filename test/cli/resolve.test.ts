import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_CONFIG } from "../../src/cli/config.ts";
import { OPTIONS, variableOf } from "../../src/cli/options.ts";
import { parseArguments } from "../../src/cli/parse.ts";
import { adviceOn, type Environment, envFileOf, type Given, resolveConfig, UsageError } from "../../src/cli/resolve.ts";

function given(...argv: string[]): Given {
  const result = parseArguments(argv, { version: "", columns: 100, colours: false });
  assert.ok(!("text" in result));
  return result;
}

function resolve(argv: string[], environment: Environment = {}) {
  return resolveConfig(given(...argv), environment);
}

function refuses(argv: string[], environment: Environment, message: RegExp): void {
  assert.throws(
    () => resolve(argv, environment),
    (error: unknown) => {
      assert.ok(error instanceof UsageError);
      assert.match(error.message, message);
      return true;
    },
  );
}

test("defaults", () => assert.deepEqual(resolve([]), DEFAULT_CONFIG));

test("command line before environment before default", () => {
  assert.equal(resolve([], {}).server.port, 8000);
  assert.equal(resolve([], { RINGCORN_PORT: "1" }).server.port, 1);
  assert.equal(resolve(["--port", "2"], { RINGCORN_PORT: "1" }).server.port, 2);
});

test("a switch can be turned both ways against the environment", () => {
  assert.equal(resolve([], { RINGCORN_ACCESS_LOG: "no" }).server.accessLog, false);
  assert.equal(resolve(["--access-log"], { RINGCORN_ACCESS_LOG: "no" }).server.accessLog, true);
  assert.equal(resolve(["--no-reload"], { RINGCORN_RELOAD: "1" }).command.reload, false);
});

test("the environment is not even read where the command line has the option", () => {
  assert.equal(resolve(["--port", "2"], { RINGCORN_PORT: "junk" }).server.port, 2);
});

test("an application with an empty name is a mistake on the command line", () => {
  assert.throws(
    () => resolveConfig({ app: "", flags: new Map() }, {}),
    (error: unknown) => error instanceof UsageError && /^The application must be a path /.test(error.message),
  );
});

test("an empty variable counts as not set", () => {
  assert.equal(resolve([], { RINGCORN_PORT: "" }).server.port, 8000);
});

test("the application by environment", () => {
  assert.equal(resolve([], { RINGCORN_APP: "a.ts" }).app, "a.ts");
  assert.equal(resolve(["b.ts"], { RINGCORN_APP: "a.ts" }).app, "b.ts");
});

test("each field gets its own kind of value", () => {
  const { command, server } = resolve(
    ["--header", "A:1", "--uds-mode", "600", "--limit-head", "64k", "--timeout-keep-alive", "0.5", "--workers", "3"],
    { RINGCORN_RELOAD_INCLUDE: "*.html,*.css", RINGCORN_HEADER: "ignored", RINGCORN_FORWARDED_ALLOW_IPS: "*" },
  );
  assert.deepEqual(server.headers, [["A", "1"]]);
  assert.equal(server.udsMode, 0o600);
  assert.equal(server.limits.headBytes, 65536);
  assert.equal(server.limits.keepAliveTimeoutMs, 500);
  assert.deepEqual(server.forwardedAllowIps, ["*"]);
  assert.equal(command.workers, 3);
  assert.deepEqual(command.reloadIncludes, ["*.html", "*.css"]);
  assert.equal(server.limits.bodyBytes, DEFAULT_CONFIG.server.limits.bodyBytes);
});

test("a mistake names its flag, or its variable", () => {
  refuses(["--port", "x"], {}, /^--port must be a whole number from 0 to 65535; it is "x"\.$/);
  refuses([], { RINGCORN_PORT: "x" }, /^RINGCORN_PORT must be a whole number from 0 to 65535; it is "x"\.$/);
  // Heads and messages are held whole.
  for (const name of ["limit-head", "limit-request-line", "limit-trailers", "ws-max-size", "ws-max-frame"]) {
    const text = new RegExp(
      `^--${name} must be a size in bytes from \\d+ to 256m, such as 512, 16k or 4m; it is "2g"\\.$`,
    );
    refuses([`--${name}`, "2g"], {}, text);
  }
  refuses(["--log-level", "x"], {}, /^--log-level must be critical, error, warning, info, debug or trace; /);
});

test("a wrong value is not repeated at length, nor with control characters", () => {
  refuses(["--port", `\x1b${"9".repeat(500)}`], {}, /^--port must be .{1,40}; it is "\\u001b9{59}…"\.$/);
});

for (const row of OPTIONS.filter(({ kind }) => kind.placeholder !== "")) {
  const junk = "\0junk";
  test(`junk is refused for ${variableOf(row.name)}`, () => {
    refuses([], { [variableOf(row.name)]: junk }, new RegExp(`^${variableOf(row.name)} must be `));
  });
}

test("options that contradict each other", () => {
  refuses(["--limit-max-requests-jitter", "5"], {}, /only with --limit-max-requests\.$/);
  refuses(["--limit-head", "4k"], {}, /^--limit-head must not be less than --limit-request-line/);
});

test("the environment file by flag or variable", () => {
  assert.equal(envFileOf(given("--env-file", "a"), { RINGCORN_ENV_FILE: "b" }), "a");
  assert.equal(envFileOf(given(), { RINGCORN_ENV_FILE: "b" }), "b");
  assert.equal(envFileOf(given(), {}), undefined);
});

test("advice on what is probably a mistake", () => {
  const advice = (argv: string[], environment: Environment = {}) => adviceOn(resolve(argv, environment), environment);
  assert.deepEqual(advice([]), []);
  assert.deepEqual(advice(["--reload", "--reload-dir", "x"]), []);
  assert.match(advice(["--reload-dir", "x"])[0], /no effect without --reload/);
  assert.match(advice(["--reload-include", "x"])[0], /no effect without --reload/);
  assert.deepEqual(advice(["--uds", "x", "--uds-mode", "660"]), []);
  assert.deepEqual(advice(["--uds-mode", "660"]), ["--uds-mode has no effect without --uds."]);
  assert.deepEqual(advice([], { RINGCORN_PROT: "1" }), [
    "RINGCORN_PROT is no option's variable; did you mean RINGCORN_PORT?",
  ]);
  assert.deepEqual(advice([], { RINGCORN_MY_APPS_OWN_SECRET: "1", OTHER: "1" }), []);
});
