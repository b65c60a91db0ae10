import assert from "node:assert/strict";
import { test } from "node:test";
import { wantsParentWatch, watchParent } from "../../src/supervise/parent.ts";
import { within } from "../harness/wait.ts";

test("the parent is watched under a script runner, or as told", () => {
  assert.equal(wantsParentWatch(undefined, {}), false);
  assert.equal(wantsParentWatch(undefined, { npm_lifecycle_event: "serve" }), true);
  assert.equal(wantsParentWatch(false, { npm_lifecycle_event: "serve" }), false);
  assert.equal(wantsParentWatch(true, {}), true);
});

test("the parent's end is told once", async () => {
  let parent = 500;
  let told = 0;
  const gone = new Promise<void>((resolve) => {
    watchParent({ parentPid: () => parent }, () => {
      told += 1;
      resolve();
    });
  });
  parent = 1;
  await within(gone, "the parent's end");
  assert.equal(told, 1);
});

test("the system's first process is no parent to watch", () => {
  let asked = 0;
  const end = watchParent(
    {
      parentPid: () => {
        asked += 1;
        return 1;
      },
    },
    () => assert.fail("it can't be gone"),
  );
  end();
  assert.equal(asked, 1);
});
