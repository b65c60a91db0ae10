/**
 * Before anything is timed: all servers must give the same answer, or their speeds can't be compared.
 */
import { connect } from "node:net";
import { PlainError } from "../../src/runtime/types.ts";
import type { Answer } from "./types.ts";

const BODY = "Hello, world!";
const ANSWER_TIMEOUT_MS = 5_000;
/** A cached Date line may be a second old; a busy machine adds to it. */
const DATE_TOLERANCE_MS = 10_000;

/** Parses one whole response with Content-Length; undefined while bytes are missing. */
export function parseAnswer(bytes: string): Answer | undefined {
  const headEnd = bytes.indexOf("\r\n\r\n");
  if (headEnd < 0) return undefined;
  const [statusLine, ...lines] = bytes.slice(0, headEnd).split("\r\n");
  const fields = lines.map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon), line.slice(colon + 1).trim()] as const;
  });
  const length = Number(fieldOf(fields, "content-length") ?? 0);
  const end = headEnd + 4 + length;
  if (bytes.length < end) return undefined;
  return { status: Number(statusLine.split(" ")[1]), fields, body: bytes.slice(headEnd + 4, end), bytes: bytes.length };
}

function fieldOf(fields: Answer["fields"], name: string): string | undefined {
  return fields.find((field) => field[0].toLowerCase() === name)?.[1];
}

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

/** Asks as wrk does, and reads the answer's bytes. */
export function askOnce(port: number): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    let bytes = "";
    socket.setTimeout(ANSWER_TIMEOUT_MS, () => socket.destroy(new PlainError("The server did not answer in time.")));
    socket.on("error", reject);
    socket.on("close", () =>
      reject(new PlainError(`The server closed the connection after ${JSON.stringify(bytes)}.`)),
    );
    socket.on("data", (piece) => {
      bytes += piece.toString("latin1");
      const answer = parseAnswer(bytes);
      if (answer === undefined) return;
      resolve(answer);
      socket.destroy();
    });
    socket.write(`GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`);
  });
}

/** @throws PlainError when the server's answer can't be compared with the others'. */
export async function checkAnswer(title: string, port: number): Promise<Answer> {
  const answer = await askOnce(port);
  const problems = answerProblems(answer, Date.now());
  if (problems.length > 0) throw new PlainError(`${title} answers differently: ${problems.join(", ")}.`);
  return answer;
}
