/** Finds what somebody probably meant: for "did you mean" after a name that does not exist. */

/** Optimal string alignment distance (insert, delete, replace, swap of neighbours), in characters. */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      row[j] = Math.min(row[j - 1] + 1, last[j] + 1, last[j - 1] + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        row[j] = Math.min(row[j], beforeLast[j - 2] + 1);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length];
}

/** The candidate nearest to `word`, when it is near enough to be what was meant; case is ignored. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  const wanted = word.toLowerCase();
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(wanted.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(wanted, candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

const NAME_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789-_";

/** Every name one typing mistake away from `name`, and its lowercase form. */
export function* namesNear(name: string): Generator<string> {
  yield name.toLowerCase();
  for (let i = 0; i < name.length; i++) {
    yield name.slice(0, i) + name.slice(i + 1);
    if (i + 1 < name.length) yield name.slice(0, i) + name[i + 1] + name[i] + name.slice(i + 2);
    for (const character of NAME_CHARACTERS) yield name.slice(0, i) + character + name.slice(i + 1);
  }
  for (let i = 0; i <= name.length; i++) {
    for (const character of NAME_CHARACTERS) yield name.slice(0, i) + character + name.slice(i);
  }
}
