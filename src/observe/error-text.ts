/** What an application throws, as text. Anything can be thrown: what has no text must not become another error. */

const UNSHOWABLE = "an error that can't be shown as text";

/** The trace, with the error's name and message where the trace lacks them. */
export function traceOf(error: unknown): string {
  try {
    if (!(error instanceof Error)) return String(error);
    const named = `${error.name}: ${error.message}`;
    const trace = String(error.stack ?? named);
    return trace.includes(error.message) ? trace : `${named}\n${trace}`;
  } catch {
    return UNSHOWABLE;
  }
}

/** What it says, without name and trace. */
export function messageOf(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message : error);
  } catch {
    return UNSHOWABLE;
  }
}
