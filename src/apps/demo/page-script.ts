/**
 * The demo page's script, as text for the browser: fetch and its streams (Fetch Standard) and EventSource (HTML
 * Living Standard). It keeps only the last lines of what it shows.
 */
export const PAGE_SCRIPT = String.raw`
"use strict";
(() => {
  const root = document.body.dataset.root;
  const byId = (id) => document.getElementById(id);
  const MAX_LINES = 200;
  const decoder = () => new TextDecoder();

  function say(id, text, bad) {
    const status = byId(id + "-status");
    status.textContent = text;
    status.classList.toggle("bad", bad === true);
  }

  function addLine(id, line) {
    const output = byId(id + "-output");
    const atEnd = output.scrollHeight - output.scrollTop - output.clientHeight < 8;
    output.append(line + "\n");
    while (output.childNodes.length > MAX_LINES) output.firstChild.remove();
    if (atEnd) output.scrollTop = output.scrollHeight;
  }

  function clear(id) {
    byId(id + "-output").textContent = "";
  }

  function running(id, on) {
    byId(id + "-start").disabled = on;
    byId(id + "-stop").disabled = !on;
  }

  function milliseconds(since) {
    return Math.round(performance.now() - since) + " ms";
  }

  function count(number, noun) {
    return number + " " + noun + (number === 1 ? "" : "s");
  }

  function upFor(seconds) {
    if (seconds < 60) return seconds + " s";
    if (seconds < 3600) return Math.floor(seconds / 60) + " min " + (seconds % 60) + " s";
    return Math.floor(seconds / 3600) + " h " + Math.floor((seconds % 3600) / 60) + " min";
  }

  function showFacts(facts) {
    byId("fact-uptime").textContent = upFor(facts.uptime_seconds);
    byId("fact-requests").textContent = String(facts.requests);
  }

  function reason(error) {
    return error instanceof TypeError ? "The server could not be reached." : String(error);
  }

  byId("echo-send").addEventListener("click", async () => {
    const started = performance.now();
    clear("echo");
    say("echo", "Sending …");
    try {
      const response = await fetch(root + "/echo", {
        method: "POST",
        headers: { "content-type": "text/plain; charset=utf-8" },
        body: byId("echo-body").value,
      });
      const text = await response.text();
      byId("echo-output").textContent = text;
      const bytes = new TextEncoder().encode(text).length;
      say("echo", response.status + ", " + count(bytes, "byte") + " in " + milliseconds(started), !response.ok);
    } catch (error) {
      say("echo", reason(error), true);
    }
  });

  let streaming;
  byId("stream-start").addEventListener("click", async () => {
    const started = performance.now();
    const ring = byId("stream-ring");
    const segments = ring.pathLength.baseVal;
    streaming = new AbortController();
    running("stream", true);
    clear("stream");
    ring.setAttribute("stroke-dasharray", "0 " + segments);
    say("stream", "Waiting for the first chunk …");
    let chunks = 0;
    try {
      const response = await fetch(root + "/stream?chunks=" + segments, { signal: streaming.signal });
      const reader = response.body.getReader();
      const text = decoder();
      let rest = "";
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        const lines = (rest + text.decode(value, { stream: true })).split("\n");
        rest = lines.pop();
        for (const line of lines) {
          chunks++;
          addLine("stream", line + "  +" + milliseconds(started));
        }
        // Segment by segment: 0.84 drawn and 0.16 gap each, then nothing for the rest of the ring.
        const filled = Array(Math.min(chunks, segments)).fill("0.84 0.16").join(" ");
        ring.setAttribute("stroke-dasharray", filled + " 0 " + (segments + 1));
        say("stream", count(chunks, "chunk") + " so far");
      }
      say("stream", "Complete: " + count(chunks, "chunk") + " in " + milliseconds(started));
    } catch (error) {
      const stopped = streaming.signal.aborted;
      say("stream", stopped ? "Stopped after " + count(chunks, "chunk") : reason(error), !stopped);
    }
    running("stream", false);
  });
  byId("stream-stop").addEventListener("click", () => streaming.abort());

  let source;
  byId("events-start").addEventListener("click", () => {
    let received = 0;
    clear("events");
    running("events", true);
    say("events", "Connecting …");
    source = new EventSource(root + "/events");
    source.onopen = () => say("events", "Connected");
    source.onmessage = (event) => {
      received++;
      const facts = JSON.parse(event.data);
      showFacts(facts);
      addLine("events", "#" + event.lastEventId + "  " + facts.time);
      say("events", "Connected: " + count(received, "event"));
    };
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) {
        say("events", "The server refused the connection.", true);
        running("events", false);
      } else {
        say("events", "Connection lost, trying again …", true);
      }
    };
  });
  byId("events-stop").addEventListener("click", () => {
    source.close();
    running("events", false);
    say("events", "Stopped");
  });

  let room;
  byId("chat-start").addEventListener("click", () => {
    let heard = 0;
    clear("chat");
    running("chat", true);
    say("chat", "Connecting …");
    room = new WebSocket(location.origin.replace("http", "ws") + root + "/chat");
    room.onopen = () => {
      say("chat", "Connected");
      byId("chat-send").disabled = false;
    };
    room.onmessage = (event) => {
      heard++;
      addLine("chat", event.data);
      say("chat", "Connected: " + count(heard, "message"));
    };
    room.onclose = (event) => {
      running("chat", false);
      byId("chat-send").disabled = true;
      say("chat", "Closed (" + event.code + ")", event.code !== 1000);
    };
  });
  byId("chat-send").addEventListener("click", () => room.send(byId("chat-text").value));
  byId("chat-stop").addEventListener("click", () => room.close(1000));

  async function showRequest() {
    const started = performance.now();
    const response = await fetch(root + "/json");
    const facts = await response.json();
    byId("fact-server-header").textContent = response.headers.get("server") || "none sent";
    showFacts(facts);
    byId("json-output").textContent = JSON.stringify(facts, undefined, 2);
    say("json", response.status + " in " + milliseconds(started));
  }
  const ask = () => showRequest().catch((error) => say("json", reason(error), true));
  byId("json-show").addEventListener("click", ask);
  ask();
})();
`;
