/**
 * Reads TypeScript source well enough for the tidy test: comments and strings blanked out, imports, and the line
 * counts of functions by their braces. It relies on the formatter having run.
 */

/** A regular expression literal can start only after one of these. */
const BEFORE_REGEXP = /(?:^|[(,=:[!&|?{};+\-*%<>~^]|\breturn|\btypeof|\bcase|=>)\s*$/;

/** The same text, of the same length and lines, with the insides of comments, strings and regular expressions blank. */
export function blank(source: string): string {
  const out = [...source];
  // Depths of `${` inside template literals: a `}` at depth 0 goes back into the template.
  const templates: number[] = [];
  let at = 0;
  const wipe = (from: number, to: number) => {
    for (let i = from; i < to; i++) if (out[i] !== "\n") out[i] = " ";
  };
  const skipTemplate = () => {
    const from = at;
    while (at < source.length && source[at] !== "`") {
      if (source[at] === "\\") at++;
      else if (source[at] === "$" && source[at + 1] === "{") {
        wipe(from, at);
        templates.push(0);
        at += 2;
        return;
      }
      at++;
    }
    wipe(from, at);
    at++;
  };
  while (at < source.length) {
    const char = source[at];
    if (source.startsWith("//", at) || source.startsWith("/*", at)) {
      const end = char + source[at + 1] === "//" ? source.indexOf("\n", at) : source.indexOf("*/", at) + 2;
      const to = end < 2 ? source.length : end;
      wipe(at, to);
      at = to;
    } else if (char === '"' || char === "'") {
      const from = ++at;
      while (at < source.length && source[at] !== char) at += source[at] === "\\" ? 2 : 1;
      wipe(from, at);
      at++;
    } else if (char === "`") {
      at++;
      skipTemplate();
    } else if (char === "/" && BEFORE_REGEXP.test(out.slice(Math.max(0, at - 40), at).join(""))) {
      const from = ++at;
      for (let inClass = false; at < source.length && (inClass || source[at] !== "/"); at++) {
        if (source[at] === "\\") at++;
        else if (source[at] === "[") inClass = true;
        else if (source[at] === "]") inClass = false;
      }
      wipe(from, at);
      at++;
    } else {
      if (templates.length > 0 && char === "{") templates[templates.length - 1]++;
      if (templates.length > 0 && char === "}" && templates[templates.length - 1]-- === 0) {
        templates.pop();
        at++;
        skipTemplate();
        continue;
      }
      at++;
    }
  }
  return out.join("");
}

/** Module names that a file imports or re-exports, literal dynamic imports and `new URL(..., import.meta.url)` included. */
export function importsOf(source: string): string[] {
  const found: string[] = [];
  const blanked = blank(source);
  const patterns = [
    /\b(?:import|export)\b[^;"'`]*?\bfrom\s*"([^"]+)"/g,
    /\bimport\s*"([^"]+)"/g,
    /\bimport\(\s*"([^"]+)"/g,
    /\bnew URL\(\s*"([^"]+)",\s*import\.meta\.url/g,
  ];
  for (const pattern of patterns) {
    // A match counts only where its first word is code, not part of a comment or string.
    for (const match of source.matchAll(pattern)) if (blanked[match.index] !== " ") found.push(match[1]);
  }
  return found;
}

export interface FunctionSpan {
  /** Line where the body opens, from 1. */
  readonly line: number;
  readonly lines: number;
  /** The body's text, strings and comments blank. */
  readonly body: string;
}

const CONTROL = /\b(?:if|for|while|switch|catch|with)\s*$|\bfor await\s*$/;

/** Every function body with its length in lines. */
export function functionsOf(source: string): FunctionSpan[] {
  const text = blank(source);
  const spans: FunctionSpan[] = [];
  const open: { at: number; line: number; isFunction: boolean }[] = [];
  let line = 1;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === "\n") line++;
    else if (text[i] === "{") open.push({ at: i, line, isFunction: opensFunction(text, i) });
    else if (text[i] === "}") {
      const brace = open.pop();
      if (brace?.isFunction) {
        spans.push({ line: brace.line, lines: line - brace.line + 1, body: text.slice(brace.at, i) });
      }
    }
  }
  return spans;
}

/** Whether the brace at `at` opens a function's body: after `=>`, or after a parameter list (and its return type). */
function opensFunction(text: string, at: number): boolean {
  const before = text.slice(Math.max(0, at - 600), at).trimEnd();
  if (before.endsWith("=>")) return true;
  const match = /\)(?:\s*:\s*[\w\s<>[\]|&,.]+)?$/.exec(before);
  if (match === null) return false;
  let depth = 0;
  for (let i = match.index; i >= 0; i--) {
    if (before[i] === ")") depth++;
    else if (before[i] === "(" && --depth === 0) return !CONTROL.test(before.slice(0, i));
  }
  return false;
}
