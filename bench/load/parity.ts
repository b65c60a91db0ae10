/**
 * Before anything is timed: all servers must give the same answer, or their speeds can't be compared.
 */
import { PlainError } from "../../src/runtime/types.ts";
import { fieldOf } from "./answer.ts";
import { ask } from "./ask.ts";
import type { Answer } from "./types.ts";
import type { RequestSpec } from "./workloads.ts";

const BODY = "Hello, world!";
const REQUEST: RequestSpec = { method: "GET", path: "/" };
/** A cached Date line may be a second old; a busy machine adds to it. */
const DATE_TOLERANCE_MS = 10_000;

/** What keeps an answer from being comparable; empty when nothing does. */
export function answerProblems(answer: Answer, nowMs: number): string[] {
  const problems: string[] = [];
  const field = (name: string) => fieldOf(answer.fields, name);
  if (answer.status !== 200) problems.push(`its status is ${answer.status}`);
  if (answer.body !== BODY) problems.push(`its body is ${JSON.stringify(answer.body)}`);
  if (field("content-length") !== String(BODY.length))
    problems.push(`its Content-Length is ${field("content-length")}`);
  const type = field("content-type")?.toLowerCase().replaceAll(" ", "");
  if (type !== "text/plain;charset=utf-8") problems.push(`its Content-Type is ${field("content-type")}`);
  if (!(Math.abs(Date.parse(field("date") ?? "") - nowMs) < DATE_TOLERANCE_MS))
    problems.push(`its Date is ${field("date")}`);
  if (field("connection")?.toLowerCase() === "close") problems.push("it closes the connection");
  return problems;
}

/** Fields beyond the common three: each server's own. */
export function ownFields(answer: Answer): string[] {
  const common = ["content-type", "content-length", "date"];
  return answer.fields.map((field) => field[0]).filter((name) => !common.includes(name.toLowerCase()));
}

/** @throws PlainError when the server's answer can't be compared with the others'. */
export async function checkAnswer(title: string, port: number): Promise<Answer> {
  const answer = await ask(port, REQUEST);
  const problems = answerProblems(answer, Date.now());
  if (problems.length > 0) throw new PlainError(`${title} answers differently: ${problems.join(", ")}.`);
  return answer;
}
