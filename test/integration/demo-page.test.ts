/** The demo page in a real browser, on both runtimes: what its buttons do, and that nothing is reported as an error. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, test } from "node:test";
import { type Browser, chromium, type Page } from "playwright-core";
import { ROOT, RUNTIMES, Server } from "../harness/server.ts";
import { GUARD_MS } from "../harness/wait.ts";

/** Where Debian and its kin have the browser. */
const CHROMIUM = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);
const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

let browser: Promise<Browser> | undefined;
function browse(): Promise<Browser> {
  browser ??= chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
  return browser;
}

interface Opened {
  readonly page: Page;
  /** What the browser reported: errors, warnings, refused resources. */
  readonly reports: string[];
}

/** The page of a demo server, in a browser context of its own. */
async function withPage(server: Server, use: (opened: Opened) => Promise<void>): Promise<void> {
  const context = await (await browse()).newContext();
  const page = await context.newPage();
  page.setDefaultTimeout(GUARD_MS);
  const reports: string[] = [];
  page.on("console", (message) => reports.push(`${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => reports.push(`error: ${error.message}`));
  page.on("response", (response) => response.status() >= 400 && reports.push(`${response.status()} ${response.url()}`));
  try {
    await page.goto(server.url);
    await use({ page, reports });
  } finally {
    await context.close();
  }
}

/** Waits until the text of an element matches. */
async function reads(page: Page, selector: string, pattern: RegExp): Promise<void> {
  await page.locator(selector).filter({ hasText: pattern }).waitFor();
}

const servers = new Map<string, Promise<Server>>();
after(async () => {
  await (await browser)?.close();
  for (const server of servers.values()) await (await server).kill();
});

for (const runtime of RUNTIMES) {
  /** The built-in demo: what is served when no application is named (the option stands where its path would). */
  const demo = (): Promise<Server> => {
    const running = servers.get(runtime) ?? Server.start(runtime, "--lifespan=on", [], { cwd: ROOT });
    servers.set(runtime, running);
    return running;
  };

  const inBrowser = (name: string, use: (opened: Opened) => Promise<void>) =>
    test(`demo page on ${runtime}: ${name}`, { skip: CHROMIUM === undefined ? "no Chromium" : false }, async () =>
      withPage(await demo(), use),
    );

  inBrowser("says what is running", async ({ page, reports }) => {
    assert.equal(await page.title(), "Ringcorn is running");
    await reads(page, ".facts", runtime === "bun" ? /Bun\/[\d.]+/ : /Deno\/[\d.]+/);
    await reads(page, ".facts", /HTTP\/1\.1/);
    await reads(page, "#fact-server-header", /^ringcorn$/);
    await reads(page, "#json-output", /"method": "GET"/);
    assert.deepEqual(reports, []);
  });

  inBrowser("echoes what is typed", async ({ page, reports }) => {
    await page.fill("#echo-body", "corn, \u{1F33D}\nand <b>rings</b>");
    await page.click("#echo-send");
    await reads(page, "#echo-status", /^200, 27 bytes in/);
    assert.equal(await page.textContent("#echo-output"), "corn, \u{1F33D}\nand <b>rings</b>");
    assert.deepEqual(reports, []);
  });

  inBrowser("shows a stream to its end", async ({ page, reports }) => {
    await page.click("#stream-start");
    await reads(page, "#stream-status", /^Complete: 12 chunks/);
    await reads(page, "#stream-output", /chunk 12 of 12/);
    assert.equal(await page.isEnabled("#stream-start"), true);
    assert.deepEqual(reports, []);
  });

  inBrowser("stops a stream half-way, and starts it again", async ({ page, reports }) => {
    await page.click("#stream-start");
    await reads(page, "#stream-output", /chunk 1 of 12/);
    await page.click("#stream-stop");
    await reads(page, "#stream-status", /^Stopped after \d+ chunks?$/);
    await page.click("#stream-start");
    await reads(page, "#stream-status", /^Complete/);
    assert.deepEqual(reports, []);
  });

  inBrowser("listens to events until it is told to stop", async ({ page, reports }) => {
    await page.click("#events-start");
    await reads(page, "#events-status", /^Connected: 2 events$/);
    await reads(page, "#events-output", /#2 /);
    await page.click("#events-stop");
    await reads(page, "#events-status", /^Stopped$/);
    assert.deepEqual(reports, []);
  });

  inBrowser("chats, and leaves", async ({ page, reports }) => {
    await page.click("#chat-start");
    await reads(page, "#chat-status", /^Connected: 1 message$/);
    await page.fill("#chat-text", "corn, \u{1F33D} and <b>rings</b>");
    await page.click("#chat-send");
    await reads(page, "#chat-output", /\(someone came; 1 is here\)\ncorn, \u{1F33D} and <b>rings<\/b>\n/u);
    await page.click("#chat-stop");
    await reads(page, "#chat-status", /^Closed \(1000\)$/);
    assert.deepEqual(reports, []);
  });

  inBrowser("works with the keyboard alone", async ({ page, reports }) => {
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.locator("#echo-body").focus();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await reads(page, "#echo-status", /^200, 11 bytes/);
    assert.deepEqual(reports, []);
  });
}
