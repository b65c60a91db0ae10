/**
 * Reads the JUnit reports of `bun test` and `deno test`: how many cases passed, which failed, which files ran at all.
 * Both write plain XML with double-quoted attributes; quotes and angle brackets inside values are escaped.
 */

const CASE = /<testcase((?:\s+[\w:.-]+="[^"]*")*)\s*(?:\/>|>([\s\S]*?)<\/testcase>)/g;

function attribute(attributes, name) {
  const match = new RegExp(`\\s${name}="([^"]*)"`).exec(attributes);
  return match === null ? "" : unescapeXml(match[1]);
}

function unescapeXml(text) {
  return text
    .replace(/&lt;/g, "<")
    .replace(/&gt;/g, ">")
    .replace(/&quot;/g, '"')
    .replace(/&apos;|&#39;/g, "'")
    .replace(/&amp;/g, "&");
}

/** `test/a.test.ts`, however the runner spells it. */
function plainPath(file) {
  return file.replace(/^file:\/\//, "").replace(/^\.\//, "");
}

/** @returns {{ passed: number, skipped: number, failures: string[], files: Set<string> }} */
export function readReport(xml) {
  const result = { passed: 0, skipped: 0, failures: [], files: new Set() };
  for (const [, attributes, content = ""] of xml.matchAll(CASE)) {
    const file = plainPath(attribute(attributes, "file") || attribute(attributes, "classname"));
    result.files.add(file);
    if (/<(failure|error)\b/.test(content)) result.failures.push(`${file}: ${attribute(attributes, "name")}`);
    else if (/<skipped\b/.test(content)) result.skipped++;
    else result.passed++;
  }
  return result;
}

/** The files that were to run and of which the report holds no case: they crashed, or hold no test. */
export function missingFiles(result, files) {
  return files.map(plainPath).filter((file) => !result.files.has(file));
}
