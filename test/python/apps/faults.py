"""An application that misbehaves when it is told to; standard library only."""

import asyncio
import json
import os
import signal
import stat
import sys
import time

VERSION = "v1"
KEPT = []
POURED = [0]


async def answer(send, text):
    body = text.encode()
    fields = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": body})


def spin(seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass


def flood():
    """Writes garbage into the stream to the front."""
    for descriptor in range(3, 64):
        try:
            if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                os.write(descriptor, b"\xff garbage" * 1000)
        except OSError:
            pass


def fork(seconds):
    """Leaves a child behind, which holds what its parent has open, but for its output."""
    if os.fork() == 0:
        os.closerange(0, 3)
        time.sleep(seconds)
        os._exit(0)


#: What ends a worker from within.
ENDS = {
    "/exit": lambda: sys.exit(3),
    "/crash": lambda: os.kill(os.getpid(), signal.SIGSEGV),
    "/close": lambda: os.closerange(3, 1024),
    "/stop-loop": lambda: asyncio.get_running_loop().stop(),
    "/cancel-all": lambda: [task.cancel() for task in asyncio.all_tasks()],
}


async def stream(send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    while True:
        event = {"type": "http.response.body", "body": b"tick\n", "more_body": True}
        await send(event)
        await asyncio.sleep(0.05)


async def websocket(scope, receive, send):
    """Says who it is, then echoes; `/deaf` receives nothing, `/pour` sends without end."""
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": json.dumps({"pid": os.getpid(), "version": VERSION})})
    if scope["path"] == "/deaf":
        await asyncio.Event().wait()
    while scope["path"] == "/pour":
        await send({"type": "websocket.send", "bytes": b"p" * 50_000})
        POURED[0] += 1
    while True:
        event = await receive()
        if event["type"] == "websocket.disconnect":
            print("a WebSocket has ended with", event["code"], flush=True)
            return
        await send({**event, "type": "websocket.send"})


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        raise NotImplementedError
    if scope["type"] == "websocket":
        return await websocket(scope, receive, send)
    number = float(scope["query_string"] or 0)
    path = scope["path"]
    if path == "/sleep":
        await asyncio.sleep(number)
    elif path == "/block":
        time.sleep(number)
    elif path == "/spin":
        spin(number)
    elif path in ENDS:
        ENDS[path]()
        await asyncio.sleep(10)
    elif path == "/fork":
        fork(number)
    elif path == "/grow":
        KEPT.append(bytearray(os.urandom(1024)) * int(1024 * number))
    elif path == "/flood":
        flood()
        await asyncio.sleep(10)
    elif path == "/large":
        return await answer(send, "x" * 250_000)
    elif path == "/poured":
        return await answer(send, str(POURED[0]))
    elif path == "/stream":
        await stream(send)
    await answer(send, json.dumps({"pid": os.getpid(), "version": VERSION}))
