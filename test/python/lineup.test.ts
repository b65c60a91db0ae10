/** Who is started, drained and ended: a table of situations. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Member, plan } from "../../src/python/lineup.ts";

/** r ready, l loading, d draining, e ending; o: outdated, t: retiring. Oldest first. */
const LETTERS: Readonly<Record<string, Member["state"]>> = { r: "ready", l: "loading", d: "draining", e: "ending" };
const REASONS: Readonly<Record<string, Member["leaving"]>> = { o: "outdated", t: "retiring" };

interface Named extends Member {
  readonly name: string;
}

function membersOf(text: string): Named[] {
  const words = text.split(" ").filter((word) => word !== "");
  return words.map((word, i) => ({ name: `${i}${word}`, state: LETTERS[word[0]], leaving: REASONS[word[1]] }));
}

/** Members, wanted, may start: what is planned. */
const SITUATIONS: readonly (readonly [string, string, number, boolean, string])[] = [
  ["nobody is there", "", 3, true, "start 3"],
  ["nobody is there, and starting failed", "", 3, false, ""],
  ["all is well", "r r", 2, true, ""],
  ["some load", "r l", 2, true, ""],
  ["one has died", "r", 2, true, "start 1"],
  ["one has died, and starting failed", "r", 2, false, ""],
  ["one is dying: its end says when the next may start", "r e", 2, true, ""],
  ["one drains", "d r r", 2, true, ""],
  ["new code: one successor at a time", "ro ro", 2, true, "start 1"],
  ["its successor loads", "ro ro l", 2, true, ""],
  ["the successor serves: the oldest goes, the next one starts", "ro ro r", 2, true, "drain 0ro, start 1"],
  ["the last successor serves", "ro r r", 2, true, "drain 0ro"],
  ["new code while a worker loads the old", "ro lo", 2, true, "start 2, drop 1lo"],
  ["a successor failed", "rt r", 2, false, ""],
  ["those with old code go before those that retire", "rt ro r", 2, true, "drain 1ro, start 1"],
  ["all retire at once", "rt rt rt", 3, true, "start 1"],
  ["an old one died during the replacement", "ro l", 2, true, "start 1"],
  ["one more is wanted", "r", 2, true, "start 1"],
  ["one less is wanted: the newest goes", "r r r", 2, true, "drain 2r"],
  ["one less, while one is to be replaced", "rt r", 1, true, "drain 0rt"],
  ["one less, while its successor loads", "rt r l", 1, true, "drain 0rt, drop 2l"],
  ["less, while they load", "r l l", 1, true, "drop 1l 2l"],
  ["one less, while old ones wait for successors", "ro ro ro l", 2, true, "drain 0ro"],
];

for (const [name, members, wanted, mayStart, expected] of SITUATIONS) {
  test(`${name}: ${members === "" ? "none" : members} of ${wanted}${mayStart ? "" : ", no start"}`, () => {
    const { start, drain, drop } = plan(membersOf(members), wanted, mayStart);
    const said = [
      drain.length > 0 ? `drain ${drain.map((member) => member.name).join(" ")}` : "",
      start > 0 ? `start ${start}` : "",
      drop.length > 0
        ? `drop ${drop
            .map((member) => member.name)
            .sort()
            .join(" ")}`
        : "",
    ];
    assert.equal(said.filter((part) => part !== "").join(", "), expected);
  });
}

test("whatever the situation, so many serve as before or as are wanted, and a replacement comes to its end", () => {
  for (let wanted = 1; wanted <= 4; wanted++) {
    for (let before = 1; before <= 5; before++) {
      let members: (Member & { state: Member["state"] })[] = Array.from({ length: before }, () => ({
        state: "ready",
        leaving: "outdated",
      }));
      for (let step = 0; step < 30; step++) {
        const { start, drain, drop } = plan(members, wanted, true);
        members = members.filter((member) => !drain.includes(member) && !drop.includes(member));
        const ready = members.filter(({ state }) => state === "ready").length;
        assert.ok(ready >= Math.min(wanted, before), `${ready} serve`);
        const loading = members.find(({ state }) => state === "loading");
        if (loading !== undefined) loading.state = "ready";
        for (let i = 0; i < start; i++) members.push({ state: "loading", leaving: undefined });
        assert.ok(members.length <= Math.max(before, wanted + 1), "one more at most");
      }
      const expected = Array.from({ length: wanted }, () => ({ state: "ready", leaving: undefined }));
      assert.deepEqual(members, expected);
    }
  }
});
