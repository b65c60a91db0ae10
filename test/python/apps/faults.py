"""An application that misbehaves when it is told to; standard library only."""

import asyncio
import contextlib
import json
import multiprocessing
import os
import signal
import stat
import subprocess
import sys
import threading
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


def sockets():
    """Descriptors, among them that of the stream to the front."""
    for descriptor in range(3, 64):
        with contextlib.suppress(OSError):
            if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                yield descriptor


def flood():
    """Writes garbage into the stream to the front."""
    for descriptor in sockets():
        with contextlib.suppress(OSError):
            os.write(descriptor, b"\xff garbage" * 1000)


def leave_behind(seconds):
    """A child, which holds what its parent has open, but for its output."""
    nothing = subprocess.DEVNULL
    KEPT.append(subprocess.Popen(["sleep", str(seconds)], pass_fds=list(sockets()), stdout=nothing, stderr=nothing))


def child():
    """How a child ends that is told to (multiprocessing's `terminate`)."""
    context = multiprocessing.get_context("fork")
    process = context.Process(target=time.sleep, args=(60,), daemon=True)
    process.start()
    process.terminate()
    process.join(5)
    process.kill()
    return process.exitcode


def exit_beside_a_thread():
    threading.Thread(target=time.sleep, args=(120,)).start()
    sys.exit(3)


async def tidy_up():
    """Until it is cancelled."""
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0)
        print("what was left running has tidied up", flush=True)


#: What ends a worker from within.
ENDS = {
    "/exit": lambda: sys.exit(3),
    "/exit-beside-a-thread": exit_beside_a_thread,
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
    elif path == "/leave-behind":
        leave_behind(number)
    elif path == "/child":
        return await answer(send, json.dumps({"pid": os.getpid(), "ended": child()}))
    elif path == "/keep-child":
        KEPT.append(multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,), daemon=True))
        KEPT[-1].start()
        return await answer(send, json.dumps({"child": KEPT[-1].pid}))
    elif path == "/environment":
        return await answer(send, json.dumps(sorted(os.environ)))
    elif path == "/leave-running":
        KEPT.append(asyncio.ensure_future(tidy_up()))
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


def wsgi(environ, start_response):
    """Forks a child that goes on as if it were the worker; the parent answers later."""
    pid = os.fork()
    if pid == 0:
        sys.exit(0)
    time.sleep(0.5)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    start_response("200 OK", [])
    return [b"the parent's"]
