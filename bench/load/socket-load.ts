/**
 * What the WebSocket rows add to the others: the check of one echo before anything is timed, and the load.
 */
import { connect } from "node:net";
import { PlainError } from "../../src/runtime/types.ts";
import type { LoadRun } from "./generator.ts";
import type { Answer } from "./types.ts";
import type { Workload } from "./workloads.ts";
import { clientFrame, handshakeRequest, payloadOf, serverFrame } from "./ws-frames.ts";
import { runWebSocketLoad, type WebSocketLoad } from "./ws-load.ts";

const ANSWER_TIMEOUT_MS = 5_000;

/** What keeps a server's answer to the handshake and the first message from being the row's; empty when nothing does. */
export function socketProblems(head: string, frame: Uint8Array, wanted: Uint8Array): string[] {
  const [line] = head.split("\r\n");
  if (!line.startsWith("HTTP/1.1 101")) return [`it answers the handshake with "${line}"`];
  if (Buffer.compare(frame, wanted) === 0) return [];
  return [`its ${frame.length} bytes are not the ${wanted.length} of the message`];
}

/** A probe that wants the handshake answered, by whatever: the check that follows says what is wrong. */
export function speaksAt(path: string): (port: number) => Promise<void> {
  return (port) =>
    new Promise((resolve, reject) => {
      const client = connect(port, "127.0.0.1");
      client.setTimeout(ANSWER_TIMEOUT_MS, () => client.destroy());
      client.once("error", reject);
      client.once("close", () => reject(new PlainError("It ends the connection.")));
      client.once("data", () => {
        resolve();
        client.destroy();
      });
      client.write(handshakeRequest(path));
    });
}

/** A handshake and one message. @throws PlainError when what comes back is not the message in one uncompressed frame */
export function checkSocket(title: string, port: number, { socket, request }: Workload): Promise<Answer> {
  const payload = payloadOf(socket!.bytes);
  const wanted = serverFrame(payload, "text");
  return new Promise((resolve, reject) => {
    const client = connect(port, "127.0.0.1");
    let bytes: Buffer = Buffer.alloc(0);
    let asked = false;
    const look = (ended: boolean) => {
      const end = bytes.indexOf("\r\n\r\n");
      const head = bytes.subarray(0, Math.max(0, end)).toString("latin1");
      if (end >= 0 && head.startsWith("HTTP/1.1 101") && !asked) {
        asked = true;
        client.write(clientFrame(payload, "text"));
      }
      const frame = bytes.subarray(end + 4);
      const whole = end >= 0 && (!head.startsWith("HTTP/1.1 101") || frame.length >= wanted.length);
      if (!whole && !ended) return;
      const problems = end < 0 ? ["it ends the connection"] : socketProblems(head, frame, wanted);
      client.destroy();
      if (problems.length > 0) reject(new PlainError(`${title} answers differently: ${problems.join(", ")}.`));
      else resolve({ status: 101, fields: [], body: "", bytes: bytes.length });
    };
    client.setTimeout(ANSWER_TIMEOUT_MS, () => client.destroy(new PlainError(`${title} did not answer in time.`)));
    client.on("error", reject);
    client.on("close", () => look(true));
    client.on("data", (piece: Buffer) => {
      bytes = Buffer.concat([bytes, piece]);
      look(false);
    });
    client.write(handshakeRequest(request.path));
  });
}

/** Runs the row's load; `started` and `ended` are called around the measurement. */
export async function runSockets(
  load: Omit<WebSocketLoad, "bytes">,
  workload: Workload,
  started: () => void,
  ended: () => void,
): Promise<LoadRun> {
  const { mode, bytes } = workload.socket!;
  const run = await runWebSocketLoad({ ...load, mode, bytes, path: workload.request.path }, { started, ended });
  const { messages, messagesPerSecond, wrong, lost, seconds, p50Us, p99Us, p999Us, wallSeconds, utilisation, command } =
    run;
  return {
    ...{ requests: messages, requestsPerSecond: messagesPerSecond, seconds, p50Us, p99Us, p999Us },
    ...{ wrongStatus: wrong, socketErrors: lost, errors: wrong + lost, wallSeconds, utilisation, command },
  };
}
