/**
 * The parsers that ours is measured against, each driven as its own server or client drives it.
 *
 * The runtime's llhttp binding and http-parser-js hand over the fields as strings, as node:http wants them. llhttp in
 * WebAssembly is undici's build; it hands over positions, of which undici makes views. Ours keeps positions alone, and
 * decodes what is asked for.
 */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { ROOT } from "../load/programs.ts";
import { provideWeb } from "../load/provision.ts";

/** Parses a chunk so many times; returns the messages that were completed. */
export type ParserOf = (chunk: Uint8Array, times: number) => () => number;

/** What node:http uses of its binding, and what http-parser-js has as well. */
interface NodeParser {
  initialize(type: number, resource: object, maxHeaderSize?: number, lenient?: number): void;
  execute(bytes: Uint8Array): unknown;
  [listener: number]: (...facts: unknown[]) => unknown;
}

interface NodeParserClass {
  new (): NodeParser;
  readonly REQUEST: number | string;
  readonly kOnMessageBegin?: number;
  readonly kOnHeaders: number;
  readonly kOnHeadersComplete: number;
  readonly kOnBody: number;
  readonly kOnMessageComplete: number;
  /** http-parser-js: who has read it is a Node of today, and gets arguments instead of one object. */
  readonly kOnExecute?: number;
}

const load = createRequire(import.meta.url) as (name: string) => unknown;

/** Where the fields stand among the arguments of kOnHeadersComplete. */
const STRINGS_AT = 2;

function driven(HTTPParser: NodeParserClass): ParserOf {
  void HTTPParser.kOnExecute;
  return (chunk, times) => {
    const parser = new HTTPParser();
    let ends = 0;
    let strings = 0;
    parser.initialize(HTTPParser.REQUEST as number, {}, 0, 0);
    if (HTTPParser.kOnMessageBegin !== undefined) parser[HTTPParser.kOnMessageBegin] = () => undefined;
    parser[HTTPParser.kOnHeaders] = () => undefined;
    parser[HTTPParser.kOnHeadersComplete] = (...facts) => {
      strings += (facts[STRINGS_AT] as string[]).length;
      return 0;
    };
    parser[HTTPParser.kOnBody] = () => undefined;
    parser[HTTPParser.kOnMessageComplete] = () => {
      ends++;
      return undefined;
    };
    // Both runtimes' bindings want a Buffer.
    const buffer = Buffer.from(chunk);
    return () => {
      ends = 0;
      for (let i = 0; i < times; i++) parser.execute(buffer);
      if (strings === 0) throw new Error("no field was handed over");
      return ends;
    };
  };
}

/** The binding of llhttp that node:http has in this runtime. */
export function bindingParser(): ParserOf {
  const { HTTPParser } = load("node:_http_common") as { HTTPParser: NodeParserClass };
  return driven(HTTPParser);
}

/** http-parser-js, of the packages that the suite has installed; a reason when it is not there. */
export async function javascriptParser(): Promise<ParserOf | string> {
  const { directory, failed } = await provideWeb((line) => console.error(line));
  const reason = failed["http-parser-js"];
  if (reason !== undefined) return reason;
  const { HTTPParser } = load(join(directory, "node_modules/http-parser-js")) as { HTTPParser: NodeParserClass };
  return driven(HTTPParser);
}

interface LlhttpExports {
  readonly memory: WebAssembly.Memory;
  llhttp_alloc(type: number): number;
  llhttp_execute(parser: number, at: number, length: number): number;
  malloc(bytes: number): number;
}

/** HTTP_REQUEST of llhttp. */
const REQUEST = 1;
const UNDICI = join(ROOT, "node_modules/undici/lib/llhttp/llhttp_simd-wasm.js");
/** A multiple of it is made room for, as undici does. */
const ROOM_BYTES = 4_096;

/** llhttp in WebAssembly; a reason when undici has moved it. */
export function wasmParser(): ParserOf | string {
  if (!existsSync(UNDICI)) return "undici keeps its llhttp elsewhere now";
  const module = new WebAssembly.Module(load(UNDICI) as Uint8Array<ArrayBuffer>);
  return (chunk, times) => {
    let ends = 0;
    let views = 0;
    let base = 0;
    let last: Uint8Array = chunk;
    const view = (_parser: number, at: number, length: number) => {
      last = chunk.subarray(at - base, at - base + length);
      views++;
      return 0;
    };
    const nothing = () => 0;
    const env = {
      wasm_on_message_begin: nothing,
      wasm_on_url: view,
      wasm_on_status: view,
      wasm_on_header_field: view,
      wasm_on_header_value: view,
      wasm_on_headers_complete: nothing,
      wasm_on_body: view,
      wasm_on_message_complete: () => {
        ends++;
        return 0;
      },
    };
    const llhttp = new WebAssembly.Instance(module, { env }).exports as unknown as LlhttpExports;
    const parser = llhttp.llhttp_alloc(REQUEST);
    base = llhttp.malloc(Math.ceil(chunk.length / ROOM_BYTES) * ROOM_BYTES);
    return () => {
      ends = 0;
      for (let i = 0; i < times; i++) {
        new Uint8Array(llhttp.memory.buffer, base, chunk.length).set(chunk);
        const code = llhttp.llhttp_execute(parser, base, chunk.length);
        if (code !== 0) throw new Error(`llhttp ended with ${code}`);
      }
      if (views === 0 || last.length === 0) throw new Error("no field was handed over");
      return ends;
    };
  };
}
