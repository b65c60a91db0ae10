/**
 * What a request's head says, and the scanner of its request line: RFC 9112 section 3 and 2.3.
 * Exactly one SP between the parts, CR LF at the end, nothing lenient (section 3's "MAY be lenient" is not used).
 */
import { isAuthority, WITH_HOST, WITH_HOST_AND_PORT } from "./authority.ts";
import {
  BAD_HOST,
  BAD_LINE_END,
  BAD_METHOD,
  BAD_TARGET,
  BAD_TARGET_FORM,
  BAD_VERSION,
  HEAD_TOO_LARGE,
  type Http1Error,
  REQUEST_LINE_TOO_LONG,
  TOO_MANY_FIELDS,
  UNSUPPORTED_VERSION,
} from "./errors.ts";
import { FieldSection } from "./fields.ts";
import { type Http1Limits, POSITION_MAX } from "./limits.ts";
import { plainRun } from "./runs.ts";
import {
  CLASS,
  DIGIT,
  equalsIgnoringCase,
  internMethod,
  METHOD_CONNECT,
  METHOD_OPTIONS,
  PATH,
  TARGET,
  TOKEN,
} from "./tables.ts";

/** `targetForm` (RFC 9112 section 3.2). */
export const ORIGIN = 0;
export const ABSOLUTE = 1;
export const ASTERISK = 2;
export const AUTHORITY = 3;

/** Where a scan stands within the request line. */
const IN_METHOD = 0;
const IN_PATH = 1;
const IN_QUERY = 2;
const IN_VERSION = 3;
const LINE_LF = 4;
const LINE_DONE = 5;

const LF = 0x0a;
const CR = 0x0d;
const SP = 0x20;
const PERCENT = 0x25;
const ASTERISK_SIGN = 0x2a;
const SLASH = 0x2f;
const QUESTION_MARK = 0x3f;

/** The module's own, for V8: see runs.ts. */
const classes = CLASS;
const METHOD_BYTES = TOKEN;
const PATH_BYTES = PATH;
const TARGET_BYTES = TARGET;
const POSITIONS = POSITION_MAX;

/** What stands before the version's digits. */
const VERSION_NAME = Uint8Array.from("HTTP/", (letter) => letter.charCodeAt(0));
const MAJOR_AT = 5;
const DOT_AT = 6;
const MINOR_AT = 7;
const VERSION_LENGTH = 8;

/** Room for this many field lines is there from the start; more is allocated when it is needed. */
const FIELDS_PREALLOCATED = 100;

const NO_BYTES = new Uint8Array(0);

/** The facts of a head. Offsets refer to `head`. */
export class RequestHead {
  readonly limits: Http1Limits;

  /** The fed chunk itself or, when the head arrived in pieces, the parser's own buffer. */
  head: Uint8Array = NO_BYTES;
  headStart = 0;
  headEnd = 0;
  /** `head` is the parser's own buffer, valid until the next message starts. */
  headOwned = false;
  methodStart = 0;
  methodEnd = 0;
  /** Index into METHODS, -1 for any other method. */
  methodId = -1;
  targetStart = 0;
  targetEnd = 0;
  targetForm = ORIGIN;
  /** Of origin and absolute form; an absolute target without path has `pathStart === pathEnd` and means "/". */
  pathStart = 0;
  pathEnd = 0;
  pathHasPercent = false;
  /** Behind the "?"; equals `queryEnd` when there is none. */
  queryStart = 0;
  queryEnd = 0;
  /** The host in force: the target's authority, else Host's value (which may be empty); -1 when there is neither. */
  authorityStart = -1;
  authorityEnd = -1;
  /** 0 or 1: 1.2 to 1.9 count as 1.1 (RFC 9110 section 2.5). */
  minor = 1;
  /** Offset of the first field line. */
  fieldsStart = 0;
  fieldCount = 0;
  /** Four per field line: nameStart, nameEnd, valueStart, valueEnd (the value without the white space around it). */
  fields: Int32Array;
  /** Per field line: index into HEADER_NAMES, 0 for any other name. */
  fieldIds: Uint8Array;
  /** -1 when there is no Content-Length. */
  contentLength = -1;
  chunked = false;
  keepAlive = true;
  expectContinue = false;
  /** Connection lists `upgrade` and there is an Upgrade field; never in 1.0 (RFC 9110 section 7.8). */
  upgrade = false;
  /** Chunked, or a Content-Length above 0. */
  hasBody = false;

  /** After ERROR: what was wrong. */
  error: Http1Error | undefined = undefined;

  protected readonly section: FieldSection;
  #state = IN_METHOD;
  #mark = 0;
  #major = 0;

  constructor(limits: Http1Limits) {
    this.limits = limits;
    this.section = new FieldSection(limits.fieldCount, TOO_MANY_FIELDS, FIELDS_PREALLOCATED);
    this.fields = this.section.offsets;
    this.fieldIds = this.section.ids;
  }

  /** A request line begins at `start` of the chunk. */
  protected beginHead(start: number): void {
    this.headStart = start;
    this.methodStart = start;
    this.headOwned = false;
    this.pathHasPercent = false;
    this.queryStart = -1;
    this.#state = IN_METHOD;
    this.section.clear();
  }

  /**
   * Scans `bytes[from, end)` of a head that begins at `headStart`. Returns the position it came to: behind the head
   * when `section.done`, at the offending byte when `error`, else `end`.
   */
  protected scanHead(bytes: Uint8Array, from: number, end: number): number {
    const headStop = this.headStart + this.limits.headBytes;
    const stop = Math.min(end, headStop);
    let p = from;
    if (this.#state !== LINE_DONE) {
      p = this.#scanLine(bytes, p, stop);
      if (this.error !== undefined) return p;
    }
    if (this.#state === LINE_DONE) {
      const { section } = this;
      p = section.scan(bytes, p, stop);
      if (section.done) return p;
      this.error = section.error;
      if (this.error !== undefined) return p;
    }
    // The head is not complete: has it used up its room?
    if (p === headStop) this.error = HEAD_TOO_LARGE;
    return p;
  }

  /** The bytes scanned so far now stand at the start of a buffer of the parser. */
  protected moveHead(): void {
    const distance = this.headStart;
    this.headStart = 0;
    this.headOwned = true;
    this.methodStart -= distance;
    this.methodEnd -= distance;
    this.targetStart -= distance;
    this.targetEnd -= distance;
    this.pathStart -= distance;
    this.pathEnd -= distance;
    if (this.queryStart >= 0) this.queryStart -= distance;
    this.queryEnd -= distance;
    if (this.authorityStart >= 0) {
      this.authorityStart -= distance;
      this.authorityEnd -= distance;
    }
    this.fieldsStart -= distance;
    this.#mark -= distance;
    this.section.rebase(distance);
  }

  /** The request line, resumable at any byte. One byte beyond its limit is looked at: it must be the CR. */
  #scanLine(bytes: Uint8Array, from: number, headStop: number): number {
    const lineStop = this.headStart + this.limits.requestLineBytes + 1;
    const stop = Math.min(lineStop, headStop);
    if (from === this.headStart) {
      const end = this.#takeWholeLine(bytes, from, stop);
      if (end >= 0) return end;
    }
    let p = from;
    if (this.#state === IN_METHOD) p = this.#scanMethod(bytes, p, stop);
    if (this.#state === IN_PATH || this.#state === IN_QUERY) p = this.#scanTarget(bytes, p, stop);
    if (this.#state === IN_VERSION) p = this.#scanVersion(bytes, p, stop);
    if (this.error !== undefined) return p;
    if (this.#state === LINE_LF) {
      if (p === headStop) return p;
      if (bytes[p] !== LF) return this.#fail(p, BAD_LINE_END);
      this.#state = LINE_DONE;
      this.fieldsStart = ++p;
    } else if (p === lineStop) {
      this.error = REQUEST_LINE_TOO_LONG;
    }
    return p;
  }

  /**
   * Takes a whole line in origin form and HTTP/1.1, the usual case, in one go. Returns the position behind it, or -1
   * with nothing changed that the resumable scan does not set again.
   */
  #takeWholeLine(bytes: Uint8Array, start: number, to: number): number {
    const c = classes;
    const stop = to & POSITIONS;
    let p = start & POSITIONS;
    while (p < stop && (c[bytes[p]] & METHOD_BYTES) !== 0) p++;
    const methodEnd = p++;
    if (p >= stop || bytes[methodEnd] !== SP || bytes[p] !== SLASH) return -1;
    const targetStart = p;
    p = plainRun(bytes, p, stop, PATH_BYTES);
    let pathEnd = p;
    let hasPercent = false;
    while (p < stop && bytes[p] === PERCENT) {
      hasPercent = true;
      p = plainRun(bytes, p + 1, stop, PATH_BYTES);
      pathEnd = p;
    }
    const hasQuery = p < stop && bytes[p] === QUESTION_MARK;
    if (hasQuery) p = plainRun(bytes, p + 1, stop, TARGET_BYTES);
    const targetEnd = p++;
    if (p + VERSION_LENGTH + 1 >= stop || bytes[targetEnd] !== SP || !isHttp11(bytes, p)) return -1;
    const methodId = internMethod(bytes, start, methodEnd);
    if (methodId === METHOD_CONNECT || methodEnd === start || bytes[p + VERSION_LENGTH + 1] !== LF) return -1;
    this.methodEnd = methodEnd;
    this.methodId = methodId;
    this.targetStart = targetStart;
    this.targetEnd = targetEnd;
    this.targetForm = ORIGIN;
    this.pathStart = targetStart;
    this.pathEnd = pathEnd;
    this.pathHasPercent = hasPercent;
    this.queryStart = hasQuery ? pathEnd + 1 : targetEnd;
    this.queryEnd = targetEnd;
    this.authorityStart = -1;
    this.authorityEnd = -1;
    this.minor = 1;
    this.#state = LINE_DONE;
    p += VERSION_LENGTH + 2;
    this.fieldsStart = p;
    return p;
  }

  #scanMethod(bytes: Uint8Array, p: number, stop: number): number {
    while (p < stop && (classes[bytes[p]] & METHOD_BYTES) !== 0) p++;
    if (p === stop) return p;
    if (bytes[p] !== SP || p === this.methodStart) return this.#fail(p, bytes[p] === LF ? BAD_LINE_END : BAD_METHOD);
    this.methodEnd = p++;
    this.methodId = internMethod(bytes, this.methodStart, this.methodEnd);
    this.targetStart = p;
    this.#state = IN_PATH;
    return p;
  }

  #scanTarget(bytes: Uint8Array, p: number, stop: number): number {
    while (this.#state === IN_PATH) {
      p = plainRun(bytes, p, stop, PATH_BYTES);
      if (p === stop) return p;
      if (bytes[p] === PERCENT) {
        this.pathHasPercent = true;
        p++;
      } else if (bytes[p] === QUESTION_MARK) {
        this.queryStart = ++p;
        this.#state = IN_QUERY;
      } else {
        return this.#endTarget(bytes, p);
      }
    }
    p = plainRun(bytes, p, stop, TARGET_BYTES);
    return p === stop ? p : this.#endTarget(bytes, p);
  }

  #endTarget(bytes: Uint8Array, p: number): number {
    if (bytes[p] !== SP) {
      return this.#fail(p, bytes[p] === LF ? BAD_LINE_END : bytes[p] === CR ? BAD_VERSION : BAD_TARGET);
    }
    this.targetEnd = p;
    this.queryEnd = p;
    this.pathStart = this.targetStart;
    this.pathEnd = this.queryStart < 0 ? p : this.queryStart - 1;
    if (this.queryStart < 0) this.queryStart = p;
    this.authorityStart = -1;
    this.authorityEnd = -1;
    if (bytes[this.targetStart] === SLASH && this.methodId !== METHOD_CONNECT) {
      this.targetForm = ORIGIN;
    } else {
      const error = this.#otherForm(bytes);
      if (error !== undefined) return this.#fail(p, error);
    }
    this.#mark = p + 1;
    this.#state = IN_VERSION;
    return p + 1;
  }

  /** Targets that do not begin with "/", and those of CONNECT. */
  #otherForm(bytes: Uint8Array): Http1Error | undefined {
    const { targetStart, targetEnd } = this;
    if (this.methodId === METHOD_CONNECT) {
      this.targetForm = AUTHORITY;
      if (!isAuthority(bytes, targetStart, targetEnd, WITH_HOST_AND_PORT)) return BAD_TARGET_FORM;
      this.authorityStart = targetStart;
      this.authorityEnd = targetEnd;
      this.pathHasPercent = false;
      this.pathStart = this.pathEnd = this.queryStart = targetEnd;
      return undefined;
    }
    if (targetEnd === targetStart) return BAD_TARGET;
    if (targetEnd - targetStart === 1 && bytes[targetStart] === ASTERISK_SIGN) {
      this.targetForm = ASTERISK;
      this.pathStart = this.pathEnd = targetEnd;
      return this.methodId === METHOD_OPTIONS ? undefined : BAD_TARGET_FORM;
    }
    return this.#absoluteForm(bytes);
  }

  #absoluteForm(bytes: Uint8Array): Http1Error | undefined {
    const { targetStart, pathEnd } = this;
    const start = behindScheme(bytes, targetStart, pathEnd);
    if (start < 0) return BAD_TARGET_FORM;
    let end = start;
    while (end < pathEnd && bytes[end] !== SLASH) end++;
    if (!isAuthority(bytes, start, end, WITH_HOST)) return BAD_HOST;
    this.targetForm = ABSOLUTE;
    this.authorityStart = start;
    this.authorityEnd = end;
    this.pathStart = end;
    this.pathHasPercent = bytes.subarray(end, pathEnd).includes(PERCENT);
    return undefined;
  }

  /** `HTTP-name "/" DIGIT "." DIGIT` and the CR behind it. */
  #scanVersion(bytes: Uint8Array, p: number, stop: number): number {
    if (p === this.#mark && p + VERSION_LENGTH < stop && isHttp11(bytes, p)) {
      this.minor = 1;
      this.#state = LINE_LF;
      return p + VERSION_LENGTH + 1;
    }
    for (; p < stop; p++) {
      const byte = bytes[p];
      const at = p - this.#mark;
      if (at < MAJOR_AT) {
        if (byte !== VERSION_NAME[at]) return this.#fail(p, BAD_VERSION);
      } else if (at === DOT_AT) {
        if (byte !== 0x2e) return this.#fail(p, BAD_VERSION);
      } else if (at < VERSION_LENGTH) {
        if ((CLASS[byte] & DIGIT) === 0) return this.#fail(p, BAD_VERSION);
        if (at === MAJOR_AT) this.#major = byte - 0x30;
        if (at === MINOR_AT) this.minor = byte === 0x30 ? 0 : 1;
      } else {
        if (byte !== CR) return this.#fail(p, byte === LF ? BAD_LINE_END : BAD_VERSION);
        if (this.#major !== 1) return this.#fail(p, UNSUPPORTED_VERSION);
        this.#state = LINE_LF;
        return p + 1;
      }
    }
    return p;
  }

  #fail(p: number, error: Http1Error): number {
    this.error = error;
    return p;
  }
}

/** Behind `http://` or `https://`, whatever their case; -1 for anything else. */
function behindScheme(bytes: Uint8Array, start: number, end: number): number {
  let p = start;
  while (p < end && bytes[p] !== 0x3a) p++;
  if (!equalsIgnoringCase(bytes, start, p, "http") && !equalsIgnoringCase(bytes, start, p, "https")) return -1;
  return p + 2 < end && bytes[p + 1] === SLASH && bytes[p + 2] === SLASH ? p + 3 : -1;
}

/** `HTTP/1.1` and CR: what nearly every request line ends with. */
function isHttp11(bytes: Uint8Array, p: number): boolean {
  return (
    bytes[p] === 0x48 &&
    bytes[p + 1] === 0x54 &&
    bytes[p + 2] === 0x54 &&
    bytes[p + 3] === 0x50 &&
    bytes[p + 4] === 0x2f &&
    bytes[p + 5] === 0x31 &&
    bytes[p + 6] === 0x2e &&
    bytes[p + 7] === 0x31 &&
    bytes[p + 8] === CR
  );
}
