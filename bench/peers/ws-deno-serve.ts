/** A peer of the WebSocket rows: Deno's own server; `/broadcast` sends to all, anything else echoes. Takes its port as argument. */
interface DenoServer {
  serve(options: { port: number; hostname: string }, handler: (request: Request) => Response): unknown;
  upgradeWebSocket(request: Request): { socket: WebSocket; response: Response };
}

const deno = Reflect.get(globalThis, "Deno") as DenoServer & { args: string[] };
const listeners = new Set<WebSocket>();

deno.serve({ port: Number(deno.args[0]), hostname: "127.0.0.1" }, (request) => {
  if (request.headers.get("upgrade") !== "websocket") return new Response("a WebSocket, please", { status: 426 });
  const { socket, response } = deno.upgradeWebSocket(request);
  socket.binaryType = "arraybuffer";
  if (new URL(request.url).pathname === "/broadcast") {
    socket.onopen = () => listeners.add(socket);
    socket.onclose = () => listeners.delete(socket);
    socket.onmessage = ({ data }) => {
      for (const listener of listeners) listener.send(data as string);
    };
  } else socket.onmessage = ({ data }) => socket.send(data as string);
  return response;
});

export {};
