/**
 * Lists of tokens and the grammar of Sec-WebSocket-Extensions: RFC 6455 section 9.1, RFC 9110 sections 5.6.1 to 5.6.4.
 *
 *     extension-list = 1#( token *( OWS ";" OWS token [ "=" ( token / quoted-string ) ] ) )
 */

/** One extension as a client offers it. */
export interface ExtensionOffer {
  /** As it arrived; names of extensions are compared exactly. */
  readonly name: string;
  /** In the order of their arrival; true for a parameter without a value. */
  readonly parameters: readonly (readonly [name: string, value: string | true])[];
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** A token, or a quoted string, or one character of the grammar's own; white space around it belongs to it. */
const LEXEMES = /[ \t]*(?:([!#$%&'*+\-.^_`|~0-9A-Za-z]+)|"((?:[^"\\]|\\.)*)"|([,;=]))[ \t]*/y;

export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

/** Elements of a comma-separated list, without white space around them and without empty ones (RFC 9110 section 5.6.1.2). */
export function listElements(values: readonly string[]): string[] {
  return values.flatMap((value) => value.split(",").map(withoutSpace)).filter((element) => element !== "");
}

/** A loop: a regular expression for the white space at the end takes quadratic time over white space in the middle. */
function withoutSpace(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && (text[start] === " " || text[start] === "\t")) start++;
  while (end > start && (text[end - 1] === " " || text[end - 1] === "\t")) end--;
  return text.slice(start, end);
}

/** Whether a list of tokens has `token`, given in lower case, in whatever case. */
export function listHas(values: readonly string[], token: string): boolean {
  if (values.length === 1 && values[0].toLowerCase() === token) return true;
  return listElements(values).some((element) => element.toLowerCase() === token);
}

interface Lexeme {
  readonly text: string;
  readonly kind: "token" | "quoted" | "mark";
}

function lexemes(value: string): Lexeme[] | undefined {
  const found: Lexeme[] = [];
  LEXEMES.lastIndex = 0;
  for (let at = 0; at < value.length; at = LEXEMES.lastIndex) {
    const match = LEXEMES.exec(value);
    if (match === null) return undefined;
    const [, token, quoted, mark] = match;
    if (token !== undefined) found.push({ text: token, kind: "token" });
    else if (quoted !== undefined) found.push({ text: quoted.replace(/\\(.)/g, "$1"), kind: "quoted" });
    else found.push({ text: mark, kind: "mark" });
  }
  return found;
}

/** Reads field values as one list. Undefined when they are malformed. */
export function parseExtensions(values: readonly string[]): ExtensionOffer[] | undefined {
  const offers: ExtensionOffer[] = [];
  for (const value of values) {
    const list = lexemes(value);
    if (list === undefined) return undefined;
    let at = 0;
    const isMark = (text: string) => at < list.length && list[at].kind === "mark" && list[at].text === text;
    const takeName = () => (at < list.length && list[at].kind === "token" ? list[at++].text : undefined);
    while (at < list.length) {
      if (isMark(",")) {
        at++;
        continue;
      }
      const name = takeName();
      if (name === undefined) return undefined;
      const parameters: [string, string | true][] = [];
      while (isMark(";")) {
        at++;
        const parameter = takeName();
        if (parameter === undefined) return undefined;
        if (!isMark("=")) {
          parameters.push([parameter, true]);
          continue;
        }
        const given = list[++at];
        // What is quoted must be a token too (RFC 6455 section 9.1).
        if (given === undefined || given.kind === "mark" || !isToken(given.text)) return undefined;
        parameters.push([parameter, given.text]);
        at++;
      }
      if (at < list.length && !isMark(",")) return undefined;
      offers.push({ name, parameters });
    }
  }
  return offers;
}
