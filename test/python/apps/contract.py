"""Applications for the tests of the real worker; standard library only."""

import asyncio
import io
import json
import os
import signal
import sys
import tempfile

SEEN = {"disconnects": 0, "oserrors": 0}


async def answer(send, body, status=200, headers=()):
    fields = [(b"content-length", b"%d" % len(body)), *headers]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})


async def echo(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            return
        more = event["more_body"]
        body = event["body"]
        await send({"type": "http.response.body", "body": body, "more_body": more})
        if not more:
            return


async def count(scope, receive, send):
    total = 0
    more = True
    while more:
        event = await receive()
        total += len(event["body"])
        more = event["more_body"]
    await answer(send, b"%d" % total)


async def stream(scope, receive, send):
    """As many megabytes as the query says."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    piece = b"x" * 65536
    try:
        for _ in range(16 * int(scope["query_string"])):
            event = {"type": "http.response.body", "body": piece, "more_body": True}
            await send(event)
    except OSError:
        SEEN["oserrors"] += 1
        raise
    await send({"type": "http.response.body", "body": b""})


async def wait_for_disconnect(scope, receive, send):
    while (await receive())["type"] != "http.disconnect":
        pass
    SEEN["disconnects"] += 1


async def scope_as_json(scope, receive, send):
    def plain(value):
        if isinstance(value, bytes):
            return value.decode("latin-1")
        if isinstance(value, dict):
            return {k: plain(v) for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            return [plain(v) for v in value]
        return value

    await answer(send, json.dumps(plain(scope)).encode())


async def trailers(scope, receive, send):
    head = {"type": "http.response.start", "status": 200, "headers": []}
    await send({"type": "http.response.early_hint", "links": [b"</a.css>"]})
    await send(dict(head, trailers=True))
    await send({"type": "http.response.body", "body": b"with "})
    fields = [(b"x-sum", b"1")]
    await send({"type": "http.response.trailers", "headers": fields})


async def path(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.pathsend", "path": __file__})


async def temporary(scope, receive, send):
    """A file of so many bytes, which is removed when it has been sent; FastAPI's do so in a background task."""
    descriptor, name = tempfile.mkstemp()
    os.truncate(descriptor, int(scope["query_string"]))
    os.close(descriptor)
    trailers = scope["path"] == "/temporary/trailers"
    await send({"type": "http.response.start", "status": 200, "headers": [], "trailers": trailers})
    await send({"type": "http.response.pathsend", "path": name})
    os.remove(name)
    if trailers:
        await send({"type": "http.response.trailers", "headers": [(b"x-sum", b"1")]})


async def unnamed(scope, receive, send):
    """A file of so many bytes, whose name is no UTF-8."""
    with tempfile.TemporaryDirectory() as folder:
        name = os.path.join(os.fsencode(folder), b"caf\xe9")
        kind, _, size = scope["query_string"].partition(b"=")
        if kind == b"pipe":
            os.mkfifo(name)
        elif kind == b"file":
            with open(name, "wb") as file:
                file.write(b"x" * int(size))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.pathsend", "path": os.fsdecode(name)})


async def refused(scope, receive, send):
    """Sends what the front can't put on the wire; then what it can."""
    bad = [(b"x-bad", b"a\r\nb")]
    await send({"type": "http.response.start", "status": 200, "headers": bad})
    event = {"type": "http.response.body", "body": b"x", "more_body": True}
    try:
        for _ in range(200):
            await send(event)
            await asyncio.sleep(0.01)
    except RuntimeError as error:
        SEEN["refused"] = str(error)
        raise


async def seen(scope, receive, send):
    await answer(send, json.dumps(dict(SEEN, pid=os.getpid())).encode())


async def die(scope, receive, send):
    os.kill(os.getpid(), signal.SIGKILL)


async def die_begun(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    event = {"type": "http.response.body", "body": b"begun", "more_body": True}
    await send(event)
    await asyncio.sleep(0.05)
    os.kill(os.getpid(), signal.SIGKILL)


async def boom(scope, receive, send):
    raise ValueError("boom")


async def hello(scope, receive, send):
    await answer(send, b"Hello, world!")


ROUTES = {
    "/echo": echo,
    "/count": count,
    "/stream": stream,
    "/wait": wait_for_disconnect,
    "/scope": scope_as_json,
    "/trailers": trailers,
    "/path": path,
    "/temporary": temporary,
    "/temporary/trailers": temporary,
    "/unnamed": unnamed,
    "/refused": refused,
    "/seen": seen,
    "/die": die,
    "/die-begun": die_begun,
    "/boom": boom,
}


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        scope["state"]["started"] = True
        await send({"type": "lifespan.startup.complete"})
        await receive()
        if os.environ.get("CONTRACT_SHUTDOWN"):
            print(os.environ["CONTRACT_SHUTDOWN"], file=sys.stderr)
        await send({"type": "lifespan.shutdown.complete"})
        return
    await ROUTES.get(scope["path"], hello)(scope, receive, send)


def factory():
    return app


class Temporary(io.FileIO):
    """A file of so many bytes that removes itself."""

    def __init__(self, size):
        descriptor, name = tempfile.mkstemp()
        os.truncate(descriptor, size)
        os.close(descriptor)
        super().__init__(name)

    def close(self):
        super().close()
        if os.path.exists(self.name):
            os.remove(self.name)


def wsgi(environ, start_response):
    size = 0
    while True:
        piece = environ["wsgi.input"].read(65536)
        size += len(piece)
        if not piece:
            break
    if environ["PATH_INFO"] == "/temporary":
        start_response("200 OK", [])
        return environ["wsgi.file_wrapper"](Temporary(int(environ["QUERY_STRING"])))
    if environ["PATH_INFO"] == "/file":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return environ["wsgi.file_wrapper"](open(__file__, "rb"))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"wsgi ", b"%d" % size]


async def failing(scope, receive, send):
    assert scope["type"] == "lifespan"
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no database"})


async def failing_at_length(scope, receive, send):
    """As Starlette tells of it, with a traceback of many frames."""
    await receive()
    frames = '  File "數據庫.py", line 1, in connect\n' * 600
    message = f"Traceback (most recent call last):\n{frames}ConnectionRefusedError: 沒有數據庫\n"
    await send({"type": "lifespan.startup.failed", "message": message})
