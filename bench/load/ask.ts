/**
 * One request before anything is timed: the answer of every server in a row must be the same, byte for byte.
 */
import { connect } from "node:net";
import { PlainError } from "../../src/runtime/types.ts";
import { fieldOf, readAnswer } from "./answer.ts";
import type { Answer } from "./types.ts";
import { type RequestSpec, requestBytes, type Workload } from "./workloads.ts";

const ANSWER_TIMEOUT_MS = 5_000;
/** Of a body, for the record. */
const BODY_KEPT = 80;

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
