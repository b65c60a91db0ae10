/** The HTML report holds everything itself, and nothing in it can be read as markup that is not. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { escapeHtml, markdownToHtml, renderHtml, scalingCharts, scriptJson } from "../../bench/html.ts";
import { rates, result, row } from "./fixtures.ts";

const RESULT = result(
  {
    "python/hello@1": row({ "ringcorn-bun-python": rates(100, 110), uvicorn: rates(90, 95) }),
    "python/hello@2": row({ "ringcorn-bun-python": rates(200) }, 2),
    "python/10kb@1": row({ uvicorn: rates(50) }),
  },
  { notes: ["a note with <script>alert(1)</script>"] },
);

test("the page loads nothing from elsewhere", () => {
  const page = renderHtml(RESULT);
  // Chart.js itself is licence text and code; what a browser would fetch is an attribute.
  assert.doesNotMatch(page, /<(?:script|link|img)[^>]*\s(?:src|href)=/);
  assert.match(page, /<canvas data-chart="0" data-kind="rate">/);
  assert.match(page, /Chart\.js v4/);
});

test("the page says how each server and load generator was started", () => {
  const suite = {
    ...row({ uvicorn: rates(1) }),
    commands: { uvicorn: "run uvicorn <x>" },
    loads: { wrk: "wrk -c 64" },
  };
  const page = renderHtml(result({ "python/hello@1": suite }, { commands: { "idle, Bun.serve": "bun idle.ts" } }));
  const cells = [
    "python/hello@1, uvicorn",
    "run uvicorn &lt;x&gt;",
    "python/hello@1, load: wrk",
    "wrk -c 64",
    "idle, Bun.serve",
    "bun idle.ts",
  ];
  for (const text of cells) assert.ok(page.includes(text), text);
  assert.ok(!renderHtml(RESULT).includes('id="commands"'));
});

test("notes are text, not markup", () => {
  const page = renderHtml(RESULT);
  assert.ok(!page.includes("<script>alert(1)"));
  assert.ok(page.includes("&lt;script&gt;alert(1)&lt;/script&gt;"));
});

test("every row has its heading with its charts, and the raw figures are in the page", () => {
  const page = renderHtml(RESULT);
  for (const suite of Object.keys(RESULT.http)) {
    assert.match(page, new RegExp(`<h2 id="${suite}">${suite}</h2>\\n<div class="charts">`));
  }
  const raw = /href="data:application\/json;base64,([^"]+)"/.exec(page)![1];
  assert.deepEqual(JSON.parse(Buffer.from(raw, "base64").toString()).http, RESULT.http);
});

test("scaling is drawn for what was run on several numbers of cores", () => {
  const charts = scalingCharts(RESULT);
  assert.deepEqual([...charts.keys()], ["python/hello"]);
  const { cores, lines } = charts.get("python/hello")!;
  assert.deepEqual(cores, [1, 2]);
  assert.deepEqual(
    lines.map((line) => line.rates),
    [
      [105, 200],
      [92.5, null],
    ],
  );
});

test("data can't end its script element", () => {
  assert.equal(scriptJson({ a: "</script>" }), '{"a":"\\u003c/script>"}');
  assert.equal(escapeHtml('<a b="c">&'), "&lt;a b=&quot;c&quot;&gt;&amp;");
});

test("the report's Markdown becomes headings, tables, lists and paragraphs", () => {
  const html = markdownToHtml("### t\n\n| a | b |\n|---|---|\n| 1 | `2` |\n\n- x\n- y\n\ntext");
  assert.equal(
    html,
    [
      '<h2 id="t">t</h2>',
      '<div class="scroll"><table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td><code>2</code></td></tr></table></div>',
      "<ul><li>x</li><li>y</li></ul>",
      "<p>text</p>",
    ].join("\n"),
  );
});
