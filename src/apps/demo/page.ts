/**
 * The demo's page: one self-contained HTML document (HTML Living Standard) with a content security policy
 * (CSP Level 3) that names its one style sheet and its one script by their hashes.
 */
import { PAGE_SCRIPT } from "./page-script.ts";
import { PAGE_STYLE } from "./page-style.ts";

/** What the page says about the server that answered it. */
export interface PageFacts {
  /** Scheme, host and root path as the client wrote them, without a trailing slash. */
  readonly baseUrl: string;
  readonly rootPath: string;
  readonly runtime: string;
  readonly httpVersion: string;
  readonly client: string;
  readonly server: string;
  readonly uptimeSeconds: number;
  /** Requests that this process has taken, this one included. */
  readonly requests: number;
}

let policy: Promise<string> | undefined;

/** The page's `Content-Security-Policy`: its own style and script, requests to its own origin, and nothing else. */
export function pageSecurityPolicy(): Promise<string> {
  policy ??= Promise.all([hashSource(PAGE_STYLE), hashSource(PAGE_SCRIPT)]).then(([style, script]) =>
    [
      "default-src 'none'",
      `style-src ${style}`,
      `script-src ${script}`,
      "connect-src 'self'",
      "img-src data:",
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
    ].join("; "),
  );
  return policy;
}

/** CSP Level 3, section 2.3.1: a hash-source. */
async function hashSource(text: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return `'sha256-${btoa(String.fromCharCode(...digest))}'`;
}

/** For text and for attribute values in double quotes. */
export function escapeHtml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;");
}

/** The ring around a kernel: the mark of the page, and, with `#` escaped, its icon. */
const MARK =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><g fill="none" stroke="#d99a1c" stroke-width="5">' +
  '<circle cx="16" cy="16" r="12" pathLength="8" stroke-dasharray="0.8 0.2"/></g>' +
  '<circle cx="16" cy="16" r="5" fill="#4c8a3f"/></svg>';

const ICON = `data:image/svg+xml,${encodeURIComponent(MARK)}`;

function fact(name: string, value: string, id = ""): string {
  const attribute = id === "" ? "" : ` id="${id}"`;
  return `<div><dt>${name}</dt><dd${attribute}>${escapeHtml(value)}</dd></div>`;
}

function command(text: string): string {
  return `<pre class="command" tabindex="0" aria-label="The same with curl"><code>${escapeHtml(text)}</code></pre>`;
}

/** The text that a shell reads as this one word. */
function shellWord(text: string): string {
  return /^[\w@%+=:,./[\]-]+$/.test(text) && !text.includes("[") ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

interface Card {
  readonly id: string;
  readonly title: string;
  readonly route: string;
  /** Trusted HTML. */
  readonly text: string;
  readonly body: string;
  readonly curl: string;
}

function cards(url: (path: string) => string): Card[] {
  return [
    {
      id: "echo",
      title: "Echo",
      route: "POST /echo",
      text: "The body comes back piece by piece, as it arrives. Nothing is collected on the way.",
      body: `<label for="echo-body">Body</label>
<textarea id="echo-body" rows="3" spellcheck="false">hello, ring</textarea>
<div class="buttons"><button type="button" id="echo-send">Send</button></div>
<p class="status" id="echo-status" role="status">Not sent yet.</p>
<pre class="output" id="echo-output" tabindex="0" aria-label="Echoed body"></pre>`,
      curl: `curl -d hello ${url("/echo")}`,
    },
    {
      id: "stream",
      title: "Stream",
      route: "GET /stream",
      text: "One response in many chunks. Stop it half-way: the application hears of it at once.",
      body: `<div class="buttons"><button type="button" id="stream-start">Start</button>
<button type="button" id="stream-stop" disabled>Stop</button></div>
<div class="with-ring"><svg class="ring" viewBox="0 0 64 64" aria-hidden="true" focusable="false">
<circle class="track" cx="32" cy="32" r="24" pathLength="12" stroke-dasharray="0.84 0.16"/>
<circle class="filled" id="stream-ring" cx="32" cy="32" r="24" pathLength="12" stroke-dasharray="0 12"/>
</svg><div><p class="status" id="stream-status" role="status">Not started.</p>
<pre class="output" id="stream-output" tabindex="0" aria-label="Chunks received"></pre></div></div>`,
      curl: `curl -N ${url("/stream")}`,
    },
    {
      id: "events",
      title: "Server-sent events",
      route: "GET /events",
      text: "One event a second for as long as you listen.",
      body: `<div class="buttons"><button type="button" id="events-start">Start</button>
<button type="button" id="events-stop" disabled>Stop</button></div>
<p class="status" id="events-status" role="status">Not connected.</p>
<pre class="output" id="events-output" tabindex="0" aria-label="Events received"></pre>`,
      curl: `curl -N ${url("/events")}`,
    },
    {
      id: "json",
      title: "Your request",
      route: "GET /json",
      text: "The request as the application sees it: the ASGI scope, written as JSON.",
      body: `<div class="buttons"><button type="button" id="json-show">Show</button></div>
<p class="status" id="json-status" role="status">Not asked yet.</p>
<pre class="output" id="json-output" tabindex="0" aria-label="The request as JSON"></pre>`,
      curl: `curl ${url("/json")}`,
    },
    {
      id: "chat",
      title: "Chat",
      route: "WebSocket /chat",
      text: "What you say, all hear who are connected. Open this page twice.",
      body: `<div class="buttons"><button type="button" id="chat-start">Connect</button>
<button type="button" id="chat-stop" disabled>Leave</button></div>
<label for="chat-text">Message</label>
<textarea id="chat-text" rows="1" spellcheck="false">hello, all</textarea>
<div class="buttons"><button type="button" id="chat-send" disabled>Say</button></div>
<p class="status" id="chat-status" role="status">Not connected.</p>
<pre class="output" id="chat-output" tabindex="0" aria-label="What was said"></pre>`,
      curl: `curl -N ${url("/chat").replace("http", "ws")}`,
    },
  ];
}

function renderCard(card: Card): string {
  return `<section class="card" id="${card.id}" aria-labelledby="${card.id}-title">
<header><h2 id="${card.id}-title">${card.title}</h2><code class="route">${card.route}</code></header>
<p>${card.text}</p>
${card.body}
${command(card.curl)}
</section>`;
}

/** The whole document. Everything that comes from the request is escaped. */
export function renderPage(facts: PageFacts): string {
  const url = (path: string): string => shellWord(`${facts.baseUrl}${path}`);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Ringcorn is running</title>
<link rel="icon" href="${ICON}">
<style>${PAGE_STYLE}</style>
</head>
<body data-root="${escapeHtml(facts.rootPath)}">
<a class="skip" href="#echo">Skip to the demo</a>
<header class="top">
<div class="brand">${MARK.replace("<svg ", '<svg class="mark" aria-hidden="true" focusable="false" ')}
<div><h1>Ringcorn is running</h1><p>An ASGI server for Bun and Deno. This page is its built-in demo app.</p></div></div>
<dl class="facts">
${fact("Runtime", facts.runtime)}
${fact("Server header", "not seen yet", "fact-server-header")}
${fact("Protocol", `HTTP/${facts.httpVersion}`)}
${fact("Listening on", facts.server)}
${fact("You are", facts.client)}
${fact("Up for", `${facts.uptimeSeconds} s`, "fact-uptime")}
${fact("Requests", String(facts.requests), "fact-requests")}
</dl>
</header>
<main>
${cards(url).map(renderCard).join("\n")}
</main>
<footer>
<h2>Serve your own</h2>
<pre class="output" tabindex="0" aria-label="A small application"><code>${escapeHtml(OWN_APP)}</code></pre>
<p>Save it as <code>app.ts</code>, then run <code>bun run serve ./app.ts</code> or <code>deno task serve ./app.ts</code>. Ctrl-C stops this server.</p>
</footer>
<script>${PAGE_SCRIPT}</script>
</body>
</html>
`;
}

const OWN_APP = `import type { Application } from "ringcorn";

const app: Application = async (scope, receive, send) => {
  if (scope.type !== "http") return;
  await send({ type: "http.response.start", status: 200, headers: [["content-type", "text/plain"]] });
  await send({ type: "http.response.body", body: new TextEncoder().encode("Hello\\n") });
};
export default app;`;
