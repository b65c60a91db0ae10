import assert from "node:assert/strict";
import { test } from "node:test";
import { wantsParentWatch, watchParent } from "../../src/supervise/parent.ts";
import { until, within } from "../harness/wait.ts";

test("the parent is watched under a script runner, or as told", () => {
  assert.equal(wantsParentWatch(undefined, {}), false);
  assert.equal(wantsParentWatch(undefined, { npm_lifecycle_event: "serve" }), true);
  assert.equal(
    wantsParentWatch(undefined, { npm_config_user_agent: "deno/2.9.6 npm/? deno/2.9.6 linux x86_64" }),
    true,
  );
  assert.equal(wantsParentWatch(undefined, { npm_config_user_agent: "npm/11.0.0 node/v24" }), false);
  assert.equal(wantsParentWatch(false, { npm_lifecycle_event: "serve" }), false);
  assert.equal(wantsParentWatch(true, {}), true);
});

/** A runtime whose ancestors the test moves. */
class Family {
  parent = 500;
  grandparent = 400;
  name = "node";
  asked = 0;

  parentPid = (): number => {
    this.asked += 1;
    return this.parent;
  };

  readTextFile = (path: string): string => {
    if (path !== "/proc/500/stat") throw new Error("ENOENT");
    return `500 (${this.name}) S ${this.grandparent} 500 0`;
  };

  gone(change: () => void): Promise<void> {
    return within(
      new Promise<void>((resolve) => {
        watchParent(this, resolve);
        change();
      }),
      "the parent's end",
    );
  }
}

test("the parent's end is told", async () => {
  const family = new Family();
  await family.gone(() => {
    family.parent = 1;
  });
});

test("behind a shell, the end of the shell's parent is told", async () => {
  const family = new Family();
  family.name = "sh";
  await family.gone(() => {
    family.grandparent = 1;
  });
});

test("what is behind another program is none of the server's business", async () => {
  const family = new Family();
  let told = false;
  const end = watchParent(family, () => {
    told = true;
  });
  family.grandparent = 1;
  // Two looks have found nothing: the first one would have told.
  await until(() => family.asked >= 3, "the parent was looked at twice");
  end();
  assert.equal(told, false);
});

test("the system's first process is no parent to watch", () => {
  const family = new Family();
  family.parent = 1;
  const end = watchParent(family, () => assert.fail("it can't be gone"));
  end();
  assert.equal(family.asked, 1);
});
