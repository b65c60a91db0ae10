/** Real WebSocket clients against both runtimes, compressed and not. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { hasTool, output } from "../harness/clients.ts";
import { missing, PYTHON } from "../harness/python.ts";
import { onEach, ROOT, type Server, sharedServer, testApp } from "../harness/server.ts";

const CLIENTS = join(ROOT, "test", "clients");
const BUN = join(ROOT, "node_modules", ".bin", "bun");
const DENO = join(ROOT, "node_modules", ".bin", "deno");
const ALL = [true, true, true, true, true];

const NPM_MODES: readonly (readonly [name: string, options: string])[] = [
  ["no compression", "none"],
  ["compression", '{"threshold":0}'],
  ["no takeover", '{"threshold":0,"serverNoContextTakeover":true,"clientNoContextTakeover":true}'],
  ["small windows", '{"threshold":0,"serverMaxWindowBits":9,"clientMaxWindowBits":9}'],
];
/** The server's side of it. */
const SERVERS: readonly (readonly [name: string, options: readonly string[]])[] = [
  ["", []],
  [
    " with takeover",
    [
      "--ws-deflate-server-takeover",
      "--ws-deflate-client-takeover",
      "--ws-deflate-threshold=0",
      "--ws-deflate-level=6",
    ],
  ],
  [
    " with small windows",
    [
      "--ws-deflate-server-takeover",
      "--ws-deflate-client-takeover",
      "--ws-deflate-threshold=0",
      "--ws-deflate-server-bits=10",
      "--ws-deflate-client-bits=9",
      "--ws-deflate-memory=1",
      "--ws-deflate-level=9",
    ],
  ],
  [" without compression", ["--ws-per-message-deflate", "false"]],
];

onEach((runtime) => {
  for (const [serverName, options] of SERVERS) {
    const started = sharedServer(runtime, testApp("websocket.ts"), ["--no-access-log", ...options]);
    const compresses = !options.includes("false");
    const check = (name: string, skip: string | false, run: (url: string) => Promise<void>) =>
      test(`${name} against ${runtime}${serverName}`, { skip }, async () => {
        const server: Server = await started();
        await run(`${server.url.replace("http", "ws")}/echo`);
      });
    const web = async (program: string, args: readonly string[], url: string, ...more: string[]) => {
      const text = await output(program, [...args, join(CLIENTS, "ws_web.mjs"), url, ...more]);
      assert.deepEqual(JSON.parse(text), { got: ALL, code: 4001, reason: "done", wasClean: true });
    };

    check("Bun's WebSocket", false, (url) => web(BUN, [], url));
    check("Deno's WebSocket", false, (url) => web(DENO, ["run", "-A"], url));
    check("undici's WebSocket on Deno", false, (url) => web(DENO, ["run", "-A"], url, "undici"));

    for (const [mode, given] of NPM_MODES) {
      check(`npm's ws, ${mode},`, hasTool("node") ? false : "no Node", async (url) => {
        const text = await output("node", [join(CLIENTS, "ws_client.mjs"), url, given]);
        const extensions = compresses && given !== "none" ? /^permessage-deflate/ : /^$/;
        const { extensions: agreed, ...rest } = JSON.parse(text);
        assert.deepEqual(rest, { got: ALL, pongs: 1, code: 4001, reason: "done" });
        assert.match(agreed, extensions);
      });
    }

    check(
      "npm's ws with every combination of parameters and every close code",
      !hasTool("node") && "no Node",
      async (url) => {
        const found = JSON.parse(await output("node", [join(CLIENTS, "ws_matrix.mjs"), url]));
        assert.deepEqual(found, { offers: 101, codes: 15, compressed: compresses ? 80 : 0, problems: [] });
      },
    );

    check("Python's httpx-ws", missing(["httpx_ws"]), async (url) => {
      const text = await output(PYTHON, [join(CLIENTS, "httpx_ws_client.py"), url.replace("/echo", "")]);
      assert.deepEqual(JSON.parse(text), { got: true, denied: 401 });
    });

    for (const mode of ["none", "default", "no-takeover", "small-windows"]) {
      check(`Python's websockets, ${mode},`, missing(["websockets"]), async (url) => {
        const text = await output(PYTHON, [join(CLIENTS, "ws_client.py"), url, mode]);
        const extensions = compresses && mode !== "none" ? ["permessage-deflate"] : [];
        assert.deepEqual(JSON.parse(text), { got: true, code: 4001, reason: "done", extensions });
      });
    }
  }
});
