/** Which commit figures belong to. */
import { execFileSync } from "node:child_process";
import { ROOT } from "./programs.ts";

function git(...args: string[]): string {
  return execFileSync("git", args, { cwd: ROOT, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
}

/** The tree's commit, shortened; "unknown" outside a checkout. */
export function revision(): string {
  try {
    return git("rev-parse", "--short", "HEAD");
  } catch {
    return "unknown";
  }
}

/** As `revision`, and whether the files that git tracks differ from it. */
export function revisionText(): string {
  const commit = revision();
  if (commit === "unknown") return "commit unknown";
  return `commit ${commit}${git("status", "--porcelain", "-uno") === "" ? "" : ", with changes"}`;
}
