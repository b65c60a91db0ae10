/** WebSockets of a real browser against both runtimes: messages of all kinds, compression, subprotocols and every end. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, test } from "node:test";
import { type Browser, chromium } from "playwright-core";
import { onEach, type Server, sharedServer, testApp } from "../harness/server.ts";

/** Where Debian and its kin have the browser. */
const CHROMIUM = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);
const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"];

let browser: Promise<Browser> | undefined;
after(async () => {
  await (await browser)?.close();
});

interface Visit {
  readonly url: string;
  readonly protocols: readonly string[];
  /** Texts, or the lengths of binary messages. */
  readonly sent: readonly (string | number)[];
  /** With what the page closes when all has come back; null: it waits for the server. */
  readonly close: readonly [code: number, reason: string] | null;
}

interface Visited {
  readonly opened: boolean;
  readonly protocol: string;
  readonly extensions: string;
  /** Texts, and the sums of binary messages. */
  readonly got: readonly (string | number)[];
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;
}

/** Runs in the page. */
function visitInPage({ url, protocols, sent, close }: Visit): Promise<Visited> {
  return new Promise((resolve) => {
    const socket = new WebSocket(url, [...protocols]);
    socket.binaryType = "arraybuffer";
    const got: (string | number)[] = [];
    let opened = false;
    socket.onopen = () => {
      opened = true;
      for (const message of sent) {
        socket.send(typeof message === "string" ? message : new Uint8Array(message).fill(3));
      }
    };
    socket.onmessage = ({ data }) => {
      got.push(typeof data === "string" ? data : new Uint8Array(data).reduce((sum, byte) => sum + byte, 0));
      if (got.length === sent.length && close !== null) socket.close(...close);
    };
    socket.onclose = ({ code, reason, wasClean }) => {
      const { protocol, extensions } = socket;
      resolve({ opened, protocol, extensions, got, code, reason, wasClean });
    };
  });
}

async function visit(server: Server, target: string, more: Partial<Visit> = {}): Promise<Visited> {
  browser ??= chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
  const page = await (await browser).newPage();
  try {
    // A page of the same origin.
    await page.goto(server.url);
    const url = `${server.url.replace("http", "ws")}${target}`;
    return await page.evaluate(visitInPage, { url, protocols: [], sent: [], close: null, ...more });
  } finally {
    await page.close();
  }
}

onEach((runtime) => {
  const skip = CHROMIUM === undefined ? "no Chromium" : false;
  for (const compression of ["true", "false"]) {
    const options = ["--ws-per-message-deflate", compression, "--ws-deflate-threshold=0", "--no-access-log"];
    const started = sharedServer(runtime, testApp("websocket.ts"), options);
    const check = (name: string, run: (server: Server) => Promise<void>) =>
      test(`a browser on ${runtime}, compression ${compression}: ${name}`, { skip }, async () => run(await started()));

    check("messages come back, and its close with code and reason", async (server) => {
      const sent = ["grüße €", "", "x".repeat(100_000), 3, 70_000, "last"];
      const { extensions, ...visited } = await visit(server, "/echo", { sent, close: [4001, "done ü"] });
      const got = sent.map((message) => (typeof message === "string" ? message : 3 * message));
      const end = { code: 4001, reason: "done ü", wasClean: true };
      assert.deepEqual(visited, { opened: true, protocol: "", got, ...end });
      assert.match(extensions, compression === "true" ? /^permessage-deflate/ : /^$/);
    });

    check("the server's ends", async (server) => {
      for (const [target, opened, code, reason, wasClean] of [
        ["/accept-and-return", true, 1000, "", true],
        ["/throw-later", true, 1011, "", true],
        ["/refuse", false, 1006, "", false],
        ["/deny", false, 1006, "", false],
      ] as const) {
        const visited = await visit(server, target);
        const end = { opened: visited.opened, code: visited.code, reason: visited.reason, wasClean: visited.wasClean };
        assert.deepEqual(end, { opened, code, reason, wasClean }, target);
      }
    });

    check("a subprotocol, and a close with a reason", async (server) => {
      const { protocol, code, reason } = await visit(server, "/scope", { protocols: ["one", "two"] });
      assert.deepEqual([protocol, code, reason], ["one", 4001, "told"]);
    });
  }
});
