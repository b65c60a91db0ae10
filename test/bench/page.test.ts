/** The HTML report in a real browser: opened from disk, without a network, wide and narrow, light and dark. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";
import { renderHtml } from "../../bench/html.ts";
import type { HttpSample, HttpSuiteResult } from "../../bench/load/types.ts";
import { rates, result, row, SAMPLE } from "./fixtures.ts";

/** Where Debian and its kin have the browser. */
const CHROMIUM = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);
const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"];
const NARROW = 360;

const PACED = {
  ...{ rate: 70, requests: 70, seconds: 1, requestsPerSecond: 70, p50Us: 100, p99Us: 200, p999Us: 300 },
  ...{ wrongStatus: 0, socketErrors: 0, unanswered: 0, errors: 0, lateP99Us: 1, serverCpuSeconds: 0.1 },
};

function point(label: string): HttpSuiteResult {
  const curve = { name: "scaling/body", by: "bytes of the body", label };
  return { ...row({ "ringcorn-bun": rates(5, 6, 7), "bun-serve": rates(4, 5, 6) }), curve };
}

const bound: HttpSample[] = rates(90, 90, 90).map((sample) => ({
  ...{ ...sample, generatorUtilisation: 1, serverUtilisation: 0.5, errors: 2 },
}));
const RESULT = result({
  "python/hello@1": row({
    "ringcorn-bun-python": rates(100, 101, 102).map((sample) => ({ ...sample, paced: PACED })),
    uvicorn: bound,
  }),
  "python/hello@2": row({ "ringcorn-bun-python": rates(200) }, 2),
  "websocket/echo-16b-1@1": row({ "ringcorn-bun": [{ ...SAMPLE, tool: "socket" }] }),
  "scaling/body-0@1": point("0"),
  "scaling/body-1kb@1": point("1,024"),
});

interface Drawn {
  readonly kind: string;
  readonly title: string;
  readonly axes: string[];
  readonly labels: unknown[];
  /** Pixels that are not the page's ground. */
  readonly painted: number;
}

/** What Chart.js has made of each canvas; runs in the page. */
function drawn(): Drawn[] {
  const { Chart } = globalThis as never as {
    Chart: {
      getChart(of: unknown): {
        data: { labels: unknown[] };
        options: { plugins: { title: { text: string } }; scales: Record<string, { title?: { text?: string } }> };
      };
    };
  };
  const { document } = globalThis as never as { document: { querySelectorAll(of: string): Iterable<never> } };
  return [...document.querySelectorAll("canvas")].map((canvas: never) => {
    const { width, height, dataset, getContext } = canvas as {
      width: number;
      height: number;
      dataset: { kind: string };
      getContext: (kind: string) => {
        getImageData(x: number, y: number, w: number, h: number): { data: Uint8ClampedArray };
      };
    };
    const { data } = getContext.call(canvas, "2d").getImageData(0, 0, width, height);
    let painted = 0;
    for (let at = 3; at < data.length; at += 4) if (data[at] !== 0) painted++;
    const { options, data: given } = Chart.getChart(canvas);
    const axes = Object.values(options.scales).flatMap(({ title }) => title?.text || []);
    return { kind: dataset.kind, title: options.plugins.title.text, axes, labels: given.labels, painted };
  });
}

let browser: Promise<Browser> | undefined;
const directory = mkdtempSync(join(tmpdir(), "ringcorn-page-"));
const file = join(directory, "report.html");
writeFileSync(file, renderHtml(RESULT));
after(async () => {
  await (await browser)?.close();
  rmSync(directory, { recursive: true, force: true });
});

interface Opened {
  readonly page: Page;
  /** Errors, warnings, and requests for anything but the file. */
  readonly reports: string[];
}

function inBrowser(
  name: string,
  look: { readonly width: number; readonly colorScheme: "light" | "dark" },
  use: (opened: Opened) => Promise<void>,
): void {
  test(`the page, ${name}`, { skip: CHROMIUM === undefined ? "no Chromium" : false }, async () => {
    browser ??= chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
    const { width, colorScheme } = look;
    const context = await (await browser).newContext({ viewport: { width, height: 900 }, colorScheme, offline: true });
    const page = await context.newPage();
    const reports: string[] = [];
    page.on("console", (message) => reports.push(message.text()));
    page.on("pageerror", (error) => reports.push(error.message));
    page.on("request", (request) => request.url().startsWith("http") && reports.push(request.url()));
    try {
      await page.goto(pathToFileURL(file).href);
      await use({ page, reports });
    } finally {
      await context.close();
    }
  });
}

inBrowser(
  "opened from disk, draws every chart with its units",
  { width: 1200, colorScheme: "light" },
  async (opened) => {
    const charts = await opened.page.evaluate(drawn);
    assert.deepEqual(opened.reports, []);
    assert.deepEqual([...new Set(charts.map(({ kind }) => kind))].sort(), [
      "curve",
      "paced",
      "rate",
      "scaling",
      "tail",
    ]);
    for (const { kind, title, axes, painted } of charts) {
      assert.ok(painted > 1_000, `${title}: ${painted} pixels`);
      assert.equal(axes.length, kind === "scaling" || kind === "curve" ? 2 : 1, title);
    }
    const titles = charts.map(({ title }) => title);
    assert.ok(titles.includes("Messages a second: medians and quartiles"));
    assert.ok(titles.includes("Processor time of a request, by bytes of the body"));
    assert.deepEqual(charts[0].labels, ["Ringcorn on Bun", ["uvicorn", "generator-bound, 6 errors"]]);
  },
);

inBrowser(
  "on a narrow screen, is no wider than it, and dark where that is wished",
  { width: NARROW, colorScheme: "dark" },
  async (opened) => {
    const { page, reports } = opened;
    const [width, ground] = await page.evaluate(() => {
      const { document, getComputedStyle } = globalThis as never as {
        document: { documentElement: { scrollWidth: number }; body: unknown };
        getComputedStyle(of: unknown): { backgroundColor: string };
      };
      return [document.documentElement.scrollWidth, getComputedStyle(document.body).backgroundColor] as const;
    });
    assert.equal(width, NARROW);
    assert.equal(ground, "rgb(20, 24, 31)");
    assert.deepEqual(reports, []);
  },
);

inBrowser(
  "gives the raw figures as a file, and its links lead somewhere",
  { width: 1200, colorScheme: "light" },
  async ({ page }) => {
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("a[download]")]);
    const saved = join(directory, "raw.json");
    await download.saveAs(saved);
    assert.deepEqual(JSON.parse(readFileSync(saved, "utf8")).http, JSON.parse(JSON.stringify(RESULT.http)));
    const lost = await page.evaluate(() => {
      const { document } = globalThis as never as {
        document: { querySelectorAll(of: string): Iterable<{ hash: string }>; getElementById(id: string): unknown };
      };
      const hashes = [...document.querySelectorAll("nav a")].map(({ hash }) => decodeURIComponent(hash.slice(1)));
      return [hashes.length > 4, hashes.filter((id) => document.getElementById(id) === null)] as const;
    });
    assert.deepEqual(lost, [true, []]);
  },
);
