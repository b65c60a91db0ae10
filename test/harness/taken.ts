/** Memory of the test's own. */

/**
 * Bytes that this test file's engine holds. On Deno the files are threads of one process, whose resident memory says nothing
 * of one of them; Bun's own count leaves out large arrays, and its files follow one another.
 */
export function takenBytes(): number {
  const { rss, heapTotal, external } = process.memoryUsage();
  return "Bun" in globalThis ? rss : heapTotal + external;
}
