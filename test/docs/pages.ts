/** What stands in the pages: their commands, code blocks and links. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../harness/server.ts";

export interface Block {
  readonly page: string;
  readonly language: string;
  readonly text: string;
}

/** Markdown files, from the tree's root. */
export const PAGES: readonly string[] = [
  "README.md",
  "CHANGELOG.md",
  ...readdirSync(join(ROOT, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => join("docs", name))
    .sort(),
];

const EXAMPLES: readonly string[] = readdirSync(join(ROOT, "examples"), { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts"))
  .map((name) => join("examples", name))
  .sort();

export function readPage(page: string): string {
  return readFileSync(join(ROOT, page), "utf8");
}

/** The fenced blocks of a page. */
export function blocksOf(page: string, text = readPage(page)): Block[] {
  return [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(([, language, body]) => ({
    page,
    language,
    text: body,
  }));
}

/** One command a line; comments and empty lines aside, continued lines joined. */
export function commandsOf(block: Block): string[] {
  return block.text
    .replaceAll(/\\\n\s*/g, "")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
}

/** Commands that stand in other files: a container's and a service's, and those in the examples' first comments. */
function commandsElsewhere(): { page: string; command: string }[] {
  const found: { page: string; command: string }[] = [];
  for (const { page, language, text } of PAGES.flatMap((page) => blocksOf(page))) {
    const container = language === "dockerfile" ? /^CMD (\[.*\])$/m.exec(text)?.[1] : undefined;
    if (container !== undefined) found.push({ page, command: (JSON.parse(container) as string[]).join(" ") });
    const service = language === "ini" ? /^ExecStart=(.*)$/m.exec(text)?.[1] : undefined;
    if (service !== undefined) found.push({ page, command: service });
  }
  for (const page of EXAMPLES) {
    const comment = /^\/\*\*[\s\S]*?\*\//.exec(readPage(page))?.[0] ?? "";
    for (const [, command] of comment.matchAll(/^ \* {3}(\S.*)$/gm)) found.push({ page, command });
  }
  return found;
}

/** Every command of the documentation, with the pages that it stands in. */
export function allCommands(): Map<string, string[]> {
  const commands = new Map<string, string[]>();
  const add = (command: string, page: string): void => {
    const pages = commands.get(command) ?? [];
    if (!pages.includes(page)) commands.set(command, [...pages, page]);
  };
  for (const page of PAGES) {
    for (const block of blocksOf(page)) {
      if (block.language === "sh") for (const command of commandsOf(block)) add(command, page);
    }
  }
  for (const { page, command } of commandsElsewhere()) add(command, page);
  return commands;
}
