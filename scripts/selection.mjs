/** What `npm test -- part` needs to know of the files that it chooses. */
import { readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

const RELATIVE_IMPORT = /\b(?:from|import)\s*\(?\s*"(\.{1,2}\/[^"]+)"/g;

/**
 * Whether one of `files` imports `target`, itself or by what it imports. Paths are relative to `root`.
 * @param read a file's text; throws for those that don't exist
 */
export function reaches(root, files, target, read = (path) => readFileSync(path, "utf8")) {
  const seen = new Set(files);
  for (const file of seen) {
    if (file === target) return true;
    let text;
    try {
      text = read(join(root, file));
    } catch {
      continue;
    }
    for (const [, name] of text.matchAll(RELATIVE_IMPORT)) seen.add(normalize(join(dirname(file), name)));
  }
  return false;
}
