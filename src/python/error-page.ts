/** For --reload: what keeps the application from starting, as a page. Never shown without that option. */
import type { Carried } from "./carried.ts";
import type { Refusal } from "./dispatch.ts";

const TEXT = new TextDecoder("latin1");
const HTML = "text/html; charset=utf-8";
const PLAIN = "text/plain; charset=utf-8";
/** The page has no script, and loads nothing. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'";
const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};
const STYLE =
  ":root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem}" +
  "pre{border-left:.25rem solid #c33;overflow-x:auto;padding:.5rem 1rem;font-size:.875rem}p{overflow-wrap:anywhere}";

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character]);
}

/** @param failure one sentence, and perhaps a traceback in the lines behind it */
export function errorPage(failure: string): string {
  const end = failure.indexOf("\n");
  const [sentence, trace] = end === -1 ? [failure, ""] : [failure.slice(0, end), failure.slice(end + 1)];
  const detail = trace === "" ? "" : `<pre>${escapeHtml(trace)}</pre>\n`;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>The application does not start</title>
<style>${STYLE}</style>
<h1>The application does not start</h1>
<p>${escapeHtml(sentence)}</p>
${detail}<p>The next change of a file tries again.</p>
</html>
`;
}

/** A browser's Accept names it; a command-line client's does not. */
function wantsHtml(exchange: Carried): boolean {
  for (const [name, value] of exchange.scope.headers) {
    if (name.length === 6 && TEXT.decode(name) === "accept" && TEXT.decode(value).includes("text/html")) return true;
  }
  return false;
}

export function refusalPage(failure: string): Refusal {
  const page = errorPage(failure);
  return (exchange) => {
    const html = wantsHtml(exchange);
    const headers = [["cache-control", "no-store"] as const, ["vary", "accept"] as const];
    if (html) exchange.answer(500, page, [...headers, ["content-security-policy", POLICY]], HTML);
    else exchange.answer(500, `${failure}\n`, headers, PLAIN);
  };
}
