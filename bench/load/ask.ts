/**
 * One request before anything is timed: the answer of every server in a row must be the same, byte for byte.
 */
import { connect } from "node:net";
import { PlainError } from "../../src/runtime/types.ts";
import type { Answer } from "./types.ts";
import { type RequestSpec, requestBytes, type Workload } from "./workloads.ts";

const ANSWER_TIMEOUT_MS = 5_000;
/** Of a body, for the record. */
const BODY_KEPT = 80;

/** The data of a chunked body, or undefined while its end has not come. Extensions are passed over. */
export function dechunk(bytes: string): string | undefined {
  let body = "";
  let at = 0;
  while (true) {
    const end = bytes.indexOf("\r\n", at);
    if (end < 0) return undefined;
    const size = Number.parseInt(bytes.slice(at, end), 16);
    if (Number.isNaN(size)) throw new PlainError(`The answer holds a broken chunk: "${bytes.slice(at, end)}".`);
    if (size === 0) return bytes.endsWith("\r\n\r\n") ? body : undefined;
    if (bytes.length < end + 2 + size + 2) return undefined;
    body += bytes.slice(end + 2, end + 2 + size);
    at = end + 2 + size + 2;
  }
}

function fieldOf(fields: Answer["fields"], name: string): string | undefined {
  return fields.find((field) => field[0].toLowerCase() === name)?.[1];
}

/** Parses one whole response; undefined while bytes are missing. @param ended the connection's end has come */
export function readAnswer(bytes: string, ended: boolean): Answer | undefined {
  const headEnd = bytes.indexOf("\r\n\r\n");
  if (headEnd < 0) return undefined;
  const [statusLine, ...lines] = bytes.slice(0, headEnd).split("\r\n");
  const fields = lines.map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon), line.slice(colon + 1).trim()] as const;
  });
  const status = Number(statusLine.split(" ")[1]);
  const rest = bytes.slice(headEnd + 4);
  const whole = (body: string): Answer => ({ status, fields, body, bytes: bytes.length });
  if (fieldOf(fields, "transfer-encoding")?.toLowerCase() === "chunked") {
    const body = dechunk(rest);
    return body === undefined ? undefined : whole(body);
  }
  const length = fieldOf(fields, "content-length");
  if (length === undefined) return ended ? whole(rest) : undefined;
  return rest.length < Number(length) ? undefined : whole(rest.slice(0, Number(length)));
}

/** What keeps an answer from being comparable; empty when nothing does. */
export function workloadProblems(answer: Answer, workload: Workload): string[] {
  const problems: string[] = [];
  if (answer.status !== 200) problems.push(`its status is ${answer.status}`);
  if (answer.body !== workload.body) {
    problems.push(`its body is ${JSON.stringify(answer.body.slice(0, BODY_KEPT))} (${answer.body.length} bytes)`);
  }
  const plain = (type: string | undefined) => type?.toLowerCase().replaceAll(" ", "").replace(";charset=utf-8", "");
  const type = fieldOf(answer.fields, "content-type");
  if (plain(type) !== plain(workload.type)) problems.push(`its Content-Type is ${type}`);
  const asked = workload.request.fields?.some(([name, value]) => name === "Connection" && value === "close");
  const closes = fieldOf(answer.fields, "connection")?.toLowerCase() === "close";
  if (closes && !asked) problems.push("it closes the connection");
  return problems;
}

/** Sends one request and reads the answer. @throws PlainError when none comes */
export function ask(port: number, spec: RequestSpec): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    let bytes = "";
    const look = (ended: boolean) => {
      try {
        const answer = readAnswer(bytes, ended);
        if (answer !== undefined) resolve(answer);
        else if (ended) reject(new PlainError(`The connection ended after ${JSON.stringify(bytes.slice(0, 200))}.`));
        if (answer !== undefined || ended) socket.destroy();
      } catch (error) {
        reject(error);
        socket.destroy();
      }
    };
    socket.setTimeout(ANSWER_TIMEOUT_MS, () => socket.destroy(new PlainError("The server did not answer in time.")));
    socket.on("error", reject);
    socket.on("close", () => look(true));
    socket.on("data", (piece) => {
      bytes += piece.toString("latin1");
      look(false);
    });
    socket.write(requestBytes(spec, port), "latin1");
  });
}

/** @throws PlainError when the server's answer is not the workload's */
export async function checkWorkload(title: string, port: number, workload: Workload): Promise<Answer> {
  const answer = await ask(port, workload.request);
  const problems = workloadProblems(answer, workload);
  if (problems.length > 0) throw new PlainError(`${title} answers differently: ${problems.join(", ")}.`);
  const kept = answer.body.length > BODY_KEPT ? `${answer.body.slice(0, BODY_KEPT)}...` : answer.body;
  return { ...answer, body: kept };
}
