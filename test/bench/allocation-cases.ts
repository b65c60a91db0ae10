/** Run by micro.test.ts in a process of its own: prints what known operations allocate. */
import { allocationsHere } from "../../bench/micro/allocation.ts";

const LENGTH = 100;
const bytes = new Uint8Array(4096);
const made = () => new Array<number>(LENGTH).fill(0);
const allocations = await allocationsHere([
  { name: "nothing", run: () => bytes.fill(1) },
  { name: "arrays", operations: 2, run: () => [made(), made()] },
  { name: "later", run: async () => await Promise.resolve(made()) },
]);
console.log(JSON.stringify({ allocations }));
