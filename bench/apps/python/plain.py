"""The plain ASGI application of the Python rows: every server runs this same file, and answers the same bytes."""

import asyncio
import json
import os
import time

TEXT = (b"content-type", b"text/plain; charset=utf-8")
JSON = (b"content-type", b"application/json")
EVENT_STREAM = (b"content-type", b"text/event-stream")
EVENTS = [b"id: %d\ndata: tick %d\n\n" % (number, number) for number in range(20)]
BINARY = (b"content-type", b"application/octet-stream")
HELLO = b"Hello, world!"
TEN_KB = b"x" * 10_240
BODIES = {}
FILE = os.environ.get("BENCH_FILE", __file__)
FILE_BLOCK = 65_536
WAIT_SECONDS = 0.01
SLOW_CPU_SECONDS = 0.1


async def answer(send, body, kind=TEXT):
    headers = [kind, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def hello(scope, receive, send):
    await answer(send, HELLO)


async def ten_kb(scope, receive, send):
    await answer(send, TEN_KB)


async def echo(scope, receive, send):
    """Gives each piece back as it comes; the answer is as long as the request, so its length is known."""
    length = next(value for name, value in scope["headers"] if name == b"content-length")
    await send({"type": "http.response.start", "status": 200, "headers": [BINARY, (b"content-length", length)]})
    more = True
    while more:
        event = await receive()
        if event["type"] != "http.request":
            return
        more = event.get("more_body", False)
        await send({"type": "http.response.body", "body": event.get("body", b""), "more_body": more})


async def file(scope, receive, send):
    """Hands the path over where the server takes it (the pathsend extension), else reads the file itself."""
    size = os.stat(FILE).st_size
    headers = [BINARY, (b"content-length", b"%d" % size)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    if "http.response.pathsend" in scope.get("extensions", {}):
        await send({"type": "http.response.pathsend", "path": FILE})
        return
    with open(FILE, "rb") as source:
        left = size
        while left > 0:
            block = source.read(FILE_BLOCK)
            left -= len(block)
            await send({"type": "http.response.body", "body": block, "more_body": left > 0})


async def wait(scope, receive, send):
    await asyncio.sleep(WAIT_SECONDS)
    await answer(send, HELLO)


async def slow(scope, receive, send):
    """Holds its worker's event loop for 100 ms of processor time."""
    end = time.thread_time() + SLOW_CPU_SECONDS
    while time.thread_time() < end:
        sum(range(1000))
    await answer(send, HELLO)


async def body(scope, receive, send):
    """As many bytes as the path says, made once."""
    path = scope["path"]
    found = BODIES.get(path)
    if found is None:
        found = BODIES[path] = b"x" * int(path[len("/body/") :])
    await answer(send, found)


async def object_as_json(scope, receive, send):
    """A new object each time, as an application would make it."""
    made = {"message": "Hello, world!", "items": [1, 2, 3], "ok": True}
    await answer(send, json.dumps(made, separators=(",", ":")).encode(), JSON)


async def upload(scope, receive, send):
    """Counts the bytes as they come."""
    count = 0
    more = True
    while more:
        event = await receive()
        if event["type"] != "http.request":
            return
        count += len(event.get("body", b""))
        more = event.get("more_body", False)
    await answer(send, b"%d" % count)


async def events(scope, receive, send):
    """Each event is sent by itself."""
    await send({"type": "http.response.start", "status": 200, "headers": [EVENT_STREAM]})
    for event in EVENTS:
        await send({"type": "http.response.body", "body": event, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


ROUTES = {
    "/": hello,
    "/10kb": ten_kb,
    "/echo": echo,
    "/file": file,
    "/wait": wait,
    "/slow": slow,
    "/json": object_as_json,
    "/upload": upload,
    "/sse": events,
}


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            event = await receive()
            await send({"type": event["type"] + ".complete"})
            if event["type"] == "lifespan.shutdown":
                return
    await ROUTES.get(scope["path"], body)(scope, receive, send)
