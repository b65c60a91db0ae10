/** Reads an answer's bytes, before anything is timed. */
import { PlainError } from "../../src/runtime/types.ts";
import type { Answer } from "./types.ts";

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

/** The first field of that name, in lower case. */
export function fieldOf(fields: Answer["fields"], name: string): string | undefined {
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
