"""Applications whose answers the front refuses, and one whose client leaves while nothing is sent."""

import asyncio
import json

SEEN = {}
BAD = [(b"x-bad", b"a\r\nb")]


async def answer(send, body, headers=()):
    await send({"type": "http.response.start", "status": 200, "headers": list(headers)})
    await send({"type": "http.response.body", "body": body})


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        raise ValueError("no lifespan here")
    path = scope["path"]
    if path == "/seen":
        await answer(send, json.dumps(SEEN).encode())
    elif path == "/returns":
        await answer(send, b"never seen", BAD)
    elif path == "/quiet":
        await answer(send, b"never seen", BAD)
        await asyncio.sleep(0.2)
    elif path == "/goes-on":
        await answer(send, b"never seen", BAD)
        await asyncio.sleep(0.2)
        try:
            await send({"type": "http.response.body", "body": b"more"})
        except RuntimeError as error:
            SEEN["goes-on"] = str(error)
    elif path == "/pathsend":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.pathsend", "path": "/no/such/file"})
    elif path == "/idle":
        await idle(receive, send)


async def idle(receive, send):
    """The client resets the connection while the application sends nothing: the first send after that must raise."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"begun", "more_body": True})
    SEEN["idle"] = "waits"
    while (await receive())["type"] != "http.disconnect":
        pass
    # What `receive` tells may be a half-closed connection: whether more can arrive is told a moment later.
    await asyncio.sleep(0.1)
    try:
        await send({"type": "http.response.body", "body": b"late", "more_body": True})
        SEEN["idle"] = "nothing was raised"
    except OSError as error:
        SEEN["idle"] = f"OSError: {error}"
        raise


def wsgi(environ, start_response):
    start_response("200 OK", [("X-Bad", "a\r\nb")])
    return [b"never seen"]
