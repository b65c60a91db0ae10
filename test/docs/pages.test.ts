/** The pages hold together: links lead somewhere, code type-checks, diagrams and options are those of the source. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, normalize } from "node:path";
import { after, test } from "node:test";
import { withDiagrams } from "../../scripts/diagrams.ts";
import { Program } from "../harness/program.ts";
import { ROOT } from "../harness/server.ts";
import { blocksOf, commandsOf, PAGES, readPage } from "./pages.ts";

/** The anchor that GitHub gives a heading. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
    .trim()
    .replaceAll(/\s/g, "-");
}

function anchors(page: string): Set<string> {
  return new Set([...readPage(page).matchAll(/^#+ (.*)$/gm)].map(([, heading]) => anchorOf(heading)));
}

for (const page of PAGES) {
  test(`docs: every link of ${page} leads somewhere`, () => {
    const text = readPage(page).replaceAll(/^```[\s\S]*?^```$/gm, "");
    const broken = [...text.matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, link]) => link)
      .filter((link) => !/^https?:/.test(link))
      .filter((link) => {
        const [path, anchor] = link.split("#");
        const file = path === "" ? page : normalize(join(dirname(page), path));
        return !existsSync(join(ROOT, file)) || (anchor !== undefined && !anchors(file).has(anchor));
      });
    assert.deepEqual(broken, []);
  });
}

test("docs: the diagrams of the architecture are those of the tables", () => {
  const page = readPage("docs/architecture.md");
  assert.equal(page, withDiagrams(page), "run bun scripts/diagrams.ts");
});

test("docs: the README has a place for the figures", () => {
  assert.match(readPage("README.md"), /<!-- figures:start -->\n[\s\S]+\n<!-- figures:end -->/);
});

const directories: string[] = [];
after(() => {
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
});

test("docs: the code of all pages type-checks", async () => {
  mkdirSync(join(ROOT, ".cache"), { recursive: true });
  const errors: string[] = [];
  for (const page of PAGES) {
    const blocks = blocksOf(page).filter(({ language }) => language === "ts");
    if (blocks.length === 0) continue;
    // As deep as docs/from-scratch, so that relative imports lead to src/. A page's first block is its app.ts.
    const directory = mkdtempSync(join(ROOT, ".cache", `docs-${basename(page)}-`));
    directories.push(directory);
    for (const [index, { text }] of blocks.entries()) {
      writeFileSync(join(directory, index === 0 ? "app.ts" : `block-${index}.ts`), text);
    }
    writeFileSync(
      join(directory, "tsconfig.json"),
      JSON.stringify({ extends: "../../tsconfig.json", include: ["*.ts"] }),
    );
    const tsc = new Program([join(ROOT, "node_modules", ".bin", "tsc"), "-p", directory]);
    tsc.finish();
    if ((await tsc.exit()) !== 0) errors.push(`${page}: ${tsc.stdout}`);
  }
  assert.deepEqual(errors, []);
});

test("docs: the reader of commands sees what it is meant to see", () => {
  const page = "Text\n```sh\n# a comment\ncurl -d hello \\\n  http://a/\n\nls\n```\n```ts\nx\n```\n";
  const [first, second] = blocksOf("page", page);
  assert.deepEqual(commandsOf(first), ["curl -d hello http://a/", "ls"]);
  assert.equal(second.language, "ts");
});
