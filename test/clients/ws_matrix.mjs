/**
 * npm's ws against an echo server, with every combination of permessage-deflate's parameters and every close code that a
 * client may send: `ws_matrix.mjs URL [all]`. Prints one line of JSON.
 */
import { createRequire } from "node:module";

const { WebSocket } = createRequire(import.meta.url)("ws");
const [url, all] = process.argv.slice(2);
const SENT = ["hello", "grüße €".repeat(300), "", Buffer.from([0, 1, 255]), Buffer.alloc(40_000, 7), "hello again"];
/** Window bits, both sides'; 8 is what zlib can't do for the server. */
const BITS = all === "all" ? [undefined, 8, 9, 10, 11, 12, 13, 14, 15] : [undefined, 8, 9, 12, 15];
const CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4000, 4999];
const offers = [false];
for (const serverNoContextTakeover of [undefined, true]) {
  for (const clientNoContextTakeover of [undefined, true]) {
    for (const serverMaxWindowBits of BITS) {
      for (const clientMaxWindowBits of BITS) {
        const bits = { serverMaxWindowBits, clientMaxWindowBits };
        offers.push({ threshold: 0, serverNoContextTakeover, clientNoContextTakeover, ...bits });
      }
    }
  }
}

function visit(perMessageDeflate, closeCode) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, { perMessageDeflate });
    let at = 0;
    let wrong = 0;
    socket.on("open", () => {
      for (const message of SENT) socket.send(message);
    });
    socket.on("message", (data, isBinary) => {
      const expected = SENT[at++];
      const right = isBinary ? Buffer.compare(data, Buffer.from(expected)) === 0 : data.toString() === expected;
      if (!right) wrong++;
      if (at === SENT.length) socket.close(closeCode, "done");
    });
    socket.on("close", (code) => resolve({ wrong, at, code, compressed: socket.extensions !== "" }));
    socket.on("error", reject);
  });
}

const AT_ONCE = 12;
const problems = [];
let compressed = 0;
async function check(offer, closeCode) {
  const found = await visit(offer, closeCode);
  if (found.compressed) compressed++;
  if (found.wrong > 0 || found.at !== SENT.length || found.code !== closeCode) problems.push([offer, found]);
}
for (let i = 0; i < offers.length; i += AT_ONCE) {
  const some = offers.slice(i, i + AT_ONCE);
  await Promise.all(some.map((offer, j) => check(offer, CODES[(i + j) % CODES.length])));
}
const report = { offers: offers.length, codes: CODES.length, compressed, problems: problems.slice(0, 5) };
console.log(JSON.stringify(report));
