import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { debounce, pathFilter, type WatchOptions, watchFiles } from "../../src/supervise/watch.ts";
import { within } from "../harness/wait.ts";

const BASE: WatchOptions = {
  directories: ["/site"],
  files: [],
  includes: ["*.ts", "*.json"],
  includesGiven: false,
  excludes: [],
};

function wants(options: Partial<WatchOptions>, cases: readonly (readonly [string, boolean])[]): void {
  const filter = pathFilter({ ...BASE, ...options });
  for (const [path, expected] of cases) {
    // As the watcher sees it: no folder on the way is ignored, nor the file, and the file is wanted.
    const parts = path.split("/");
    const folders = parts.slice(2, -1).map((_, i) => parts.slice(0, i + 3).join("/"));
    const reached = folders.every((folder) => !filter.ignored(folder, true)) && !filter.ignored(path, false);
    assert.equal(reached && filter.wanted(path), expected, path);
  }
}

test("names that are included, at any depth", () =>
  wants({}, [
    ["/site/app.ts", true],
    ["/site/a/b/c.json", true],
    ["/site/style.css", false],
    ["/elsewhere/app.ts", false],
    ["/sitemap/app.ts", false],
  ]));

test("tool folders and hidden files are not watched", () =>
  wants({}, [
    ["/site/node_modules/x/index.ts", false],
    ["/site/a/node_modules/x/index.ts", false],
    ["/site/.git/x.json", false],
    ["/site/.hidden.ts", false],
    ["/site/dist/x.ts", false],
    ["/site/distance/x.ts", true],
  ]));

test("virtual environments of Python are not watched", () =>
  wants({ includes: ["*.py"] }, [
    ["/site/venv/lib/python3.13/random.py", false],
    ["/site/env/lib/python3.13/site-packages/flask/app.py", false],
    ["/site/venue/app.py", true],
    ["/site/env/app.py", true],
  ]));

test("own excludes may be absolute paths", () =>
  wants({ excludes: ["/site/", "./", "/site/generated", "/site/api/*.test.ts", "/elsewhere/x"] }, [
    ["/site/generated/x.ts", false],
    ["/site/a/generated/x.ts", true],
    ["/site/api/x.test.ts", false],
    ["/site/api/x.ts", true],
    ["/site/x/a.ts", true],
  ]));

test("own excludes: by name, or by path below the directory", () =>
  wants({ excludes: ["*.test.ts", "generated", "api/v1/*.ts", "docs/**"] }, [
    ["/site/a.test.ts", false],
    ["/site/a/generated/x.ts", false],
    ["/site/api/v1/x.ts", false],
    ["/site/api/v2/x.ts", true],
    ["/site/docs/a/b.ts", false],
    ["/site/a/docs/b.ts", true],
  ]));

test("an own include names hidden files too, and paths", () =>
  wants({ includes: [".env", "templates/**/*.html"], includesGiven: true }, [
    ["/site/.env", true],
    ["/site/templates/a/b.html", true],
    ["/site/b.html", false],
    ["/site/app.ts", false],
    ["/site/node_modules/.env", false],
  ]));

test("single files are watched whatever the patterns say", () =>
  wants({ files: ["/etc/site.env", "/site/.env"] }, [
    ["/etc/site.env", true],
    ["/site/.env", true],
    ["/etc/other.env", false],
  ]));

test("changes that come together are told together", async () => {
  const told = new Promise<string[]>((resolve) => {
    const changes = debounce(resolve);
    for (const path of ["/a", "/b", "/a"]) changes.add(path);
  });
  assert.deepEqual(await within(told, "the changes"), ["/a", "/b"]);
});

test("files written, renamed over, added and removed are noticed", async () => {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), "ringcorn-watch-")));
  after(() => rmSync(directory, { recursive: true, force: true }));
  writeFileSync(join(directory, "app.ts"), "1");
  mkdirSync(join(directory, "node_modules"));
  const told: string[] = [];
  let wake = (): void => {};
  const errors: unknown[] = [];
  const watcher = watchFiles(
    { ...BASE, directories: [directory] },
    (paths) => {
      told.push(...paths.map((path) => path.slice(directory.length + 1)));
      wake();
    },
    (error) => errors.push(error),
  );
  const sees = async (name: string): Promise<void> => {
    while (!told.includes(name)) {
      const woken = new Promise<void>((resolve) => {
        wake = resolve;
      });
      await within(woken, `a change of ${name}`, () => ` (told: ${told})`);
    }
    told.length = 0;
  };
  try {
    await within(watcher.ready, "the watcher");
    writeFileSync(join(directory, "style.css"), "x");
    writeFileSync(join(directory, "node_modules", "x.ts"), "x");
    writeFileSync(join(directory, "app.ts"), "22");
    await sees("app.ts");
    writeFileSync(join(directory, "app.ts.tmp"), "333");
    renameSync(join(directory, "app.ts.tmp"), join(directory, "app.ts"));
    await sees("app.ts");
    mkdirSync(join(directory, "sub"));
    writeFileSync(join(directory, "sub", "new.ts"), "1");
    await sees("sub/new.ts");
    rmSync(join(directory, "sub", "new.ts"));
    await sees("sub/new.ts");
    assert.deepEqual(errors, []);
  } finally {
    await watcher.close();
  }
});
