import assert from "node:assert/strict";
import { test } from "node:test";
import { exportEnvironment, mergeEnvironment, readEnvFile } from "../../src/cli/environment.ts";
import { UsageError } from "../../src/cli/resolve.ts";

function reading(text: string) {
  return { readTextFile: () => text, resolvePath: (...parts: string[]) => parts.join("/") };
}

test("the file's rules are dotenv's", () => {
  const text = 'A=1\nexport B="two words"\n# comment\nC=\'#3\'\nD=a$A # tail\nE="x\\ny"\nF=\n';
  assert.deepEqual(
    { ...readEnvFile(reading(text), "x.env") },
    {
      A: "1",
      B: "two words",
      C: "#3",
      D: "a$A",
      E: "x\ny",
      F: "",
    },
  );
});

test("a file that can't be read is one sentence", () => {
  const runtime = {
    readTextFile: () => {
      throw new Error("ENOENT");
    },
    resolvePath: (...parts: string[]) => parts.join("/"),
  };
  assert.throws(
    () => readEnvFile(runtime, "no.env"),
    (error: unknown) =>
      error instanceof UsageError && /^The environment file no\.env can't be read/.test(error.message),
  );
});

test("UTF-16, or anything else with NUL characters, is one sentence", () => {
  for (const text of ["A=x\0y\n", "\ufffd\ufffdA\0=\u00001\0\n\0"]) {
    assert.throws(
      () => readEnvFile(reading(text), "odd.env"),
      (error: unknown) =>
        error instanceof UsageError && /^The environment file odd\.env has NUL characters; /.test(error.message),
    );
  }
});

test("what is set already wins, also when it is empty", () => {
  assert.deepEqual(mergeEnvironment({ A: "file", B: "file" }, { A: "", C: "own", D: undefined }), {
    A: "",
    B: "file",
    C: "own",
  });
  const own: Record<string, string | undefined> = { A: "own", E: "" };
  exportEnvironment({ A: "file", B: "file", E: "file" }, own);
  assert.deepEqual(own, { A: "own", B: "file", E: "" });
});
