/** What /proc says of a worker, and the page that shows a failure. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { errorPage, escapeHtml } from "../../src/python/error-page.ts";
import { processorMs, residentBytes } from "../../src/python/rounds.ts";
import { currentRuntime } from "../../src/runtime/current.ts";
import { files, runtime } from "./bench.ts";

const STAT = "4711 (a) S (b c) S 1 2 3 4 5 6 7 8 9 10 150 25 0 0 20 0 1 0";

test("processor time of a process whose name looks like more fields", () => {
  files.set("/proc/1/stat", STAT);
  assert.equal(processorMs(runtime, 1), 1750);
  files.clear();
});

test("a process that is gone, or a system without these files, tells nothing", () => {
  assert.equal(processorMs(runtime, 2), undefined);
  assert.equal(residentBytes(runtime, 2), 0);
});

const linux = existsSync("/proc/self/stat");
test("this system tells of this process", { skip: linux ? false : "no /proc" }, async () => {
  const real = await currentRuntime();
  const until = performance.now() + 50;
  while (performance.now() < until);
  assert.ok((processorMs(real, real.pid) ?? 0) >= 10);
  const resident = residentBytes(real, real.pid);
  assert.ok(resident > 1e6 && resident < 1e11, `${resident} bytes`);
});

test("nothing of a failure is markup", () => {
  assert.equal(escapeHtml(`<a href="x">'&'</a>`), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;");
  const page = errorPage('No "<b>".\nTraceback:\n  <script>alert(1)</script>');
  assert.doesNotMatch(page, /<script|<b>/);
  assert.match(page, /<p>No &quot;&lt;b&gt;&quot;\.<\/p>\n<pre>Traceback:\n {2}&lt;script&gt;/);
});

test("a failure without a traceback has no empty box", () => {
  assert.doesNotMatch(errorPage("It does not start."), /<pre>/);
});
