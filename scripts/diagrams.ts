/** Draws the state diagrams of docs/architecture.md from the tables in src/. Run it with either runtime after a change. */
import { readFileSync, writeFileSync } from "node:fs";
import { RESPONSE_TABLE } from "../src/asgi/response-states.ts";
import { WORKER_TRANSITIONS } from "../src/supervise/states.ts";

type Arrow = readonly [from: string, label: string, to: string];

function mermaid(first: string, arrows: readonly Arrow[]): string {
  // One arrow for all the labels between two states.
  const labels = new Map<string, string[]>();
  for (const [from, label, to] of arrows) {
    const key = `${from} --> ${to}`;
    labels.set(key, [...(labels.get(key) ?? []), label]);
  }
  const lines = [...labels].map(([key, all]) => `  ${key}: ${all.join(", ")}`);
  return ["```mermaid", "stateDiagram-v2", `  [*] --> ${first}`, ...lines, "```"].join("\n");
}

function arrowsOf(table: Readonly<Record<string, Readonly<Partial<Record<string, string>>>>>): Arrow[] {
  return Object.entries(table).flatMap(([from, row]) =>
    Object.entries(row).map(([label, to]): Arrow => [from, label, to as string]),
  );
}

const DIAGRAMS: Readonly<Record<string, string>> = {
  response: mermaid("idle", arrowsOf(RESPONSE_TABLE)),
  worker: mermaid("starting", arrowsOf(WORKER_TRANSITIONS)),
};

/** The document with its diagrams drawn anew. @throws Error when a marker is missing */
export function withDiagrams(document: string): string {
  let drawn = document;
  for (const [name, diagram] of Object.entries(DIAGRAMS)) {
    const start = `<!-- diagram:${name}:start -->`;
    const from = drawn.indexOf(start);
    const to = drawn.indexOf(`<!-- diagram:${name}:end -->`);
    if (from < 0 || to < from) throw new Error(`there are no markers for the diagram ${name}`);
    drawn = `${drawn.slice(0, from + start.length)}\n${diagram}\n${drawn.slice(to)}`;
  }
  return drawn;
}

if (import.meta.main) {
  const file = new URL("../docs/architecture.md", import.meta.url);
  writeFileSync(file, withDiagrams(readFileSync(file, "utf8")));
}
