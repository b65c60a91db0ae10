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

/** Whether the files that git tracks differ from the commit. */
function isChanged(): boolean {
  return git("status", "--porcelain", "-uno") !== "";
}

/** The commit as a result names it: figures of a tree with changes are not the commit's. */
export function nameOfTree(commit: string, changed: () => boolean): string {
  return commit === "unknown" || !changed() ? commit : `${commit}+changes`;
}

export function treeRevision(): string {
  return nameOfTree(revision(), isChanged);
}

/** As `revision`, and whether the files that git tracks differ from it. */
export function revisionText(): string {
  const commit = revision();
  if (commit === "unknown") return "commit unknown";
  return `commit ${commit}${isChanged() ? ", with changes" : ""}`;
}
