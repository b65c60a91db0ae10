"""WebSockets by hand, for the tests; standard library only."""

import json
import os
import time


def plain(value):
    if isinstance(value, bytes):
        return value.decode("latin-1")
    raise TypeError(value)


async def echo(scope, receive, send):
    await send({"type": "websocket.accept"})
    while True:
        event = await receive()
        if event["type"] == "websocket.disconnect":
            print(scope["query_string"].decode(), "ended with", event["code"], event["reason"], flush=True)
            return
        await send({**event, "type": "websocket.send"})


async def tell_scope(scope, receive, send):
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": json.dumps(scope, default=plain)})
    await receive()


async def refuse(scope, receive, send):
    await send({"type": "websocket.close"})


async def nothing(scope, receive, send):
    pass


async def accept(scope, receive, send):
    await send({"type": "websocket.accept"})


async def fail(scope, receive, send):
    await send({"type": "websocket.accept"})
    raise ValueError("fail")


async def fail_early(scope, receive, send):
    raise ValueError("fail early")


async def close(scope, receive, send):
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.close", "code": 4001, "reason": "told"})
    assert (await receive())["code"] == 4001


async def deny(scope, receive, send):
    start = {"type": "websocket.http.response.start", "status": 401, "headers": [(b"x-own", b"yes")]}
    await send(start)
    for _ in range(3):
        await send({"type": "websocket.http.response.body", "body": b"d" * 200_000, "more_body": True})
    await send({"type": "websocket.http.response.body"})


async def deny_half(scope, receive, send):
    await send({"type": "websocket.http.response.start", "status": 401, "headers": []})


async def bad_field(scope, receive, send):
    await send({"type": "websocket.accept", "headers": [(b"x-own", b"a\nb")]})
    # It can't know yet that this was refused.
    await send({"type": "websocket.send", "text": "welcome"})
    assert (await receive())["code"] == 1006


async def undecided(scope, receive, send):
    print("undecided asked", flush=True)
    event = await receive()
    print("undecided ended with", event["code"], flush=True)


async def busy(scope, receive, send):
    """Holds up its whole worker until the file is there whose name it is sent."""
    await send({"type": "websocket.accept"})
    event = await receive()
    while event["type"] == "websocket.receive":
        print("busy begins", flush=True)
        while not os.path.exists(event["text"]):
            time.sleep(0.01)
        await send({"type": "websocket.send", "text": "busy no more"})
        event = await receive()


PATHS = {
    "/busy": busy,
    "/echo": echo,
    "/scope": tell_scope,
    "/refuse": refuse,
    "/return": nothing,
    "/accept-and-return": accept,
    "/fail": fail,
    "/fail-early": fail_early,
    "/close": close,
    "/deny": deny,
    "/deny-half": deny_half,
    "/bad-field": bad_field,
    "/undecided": undecided,
}


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        scope["state"]["started"] = True
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
    elif scope["type"] == "websocket":
        assert (await receive())["type"] == "websocket.connect"
        await PATHS[scope["path"]](scope, receive, send)


def wsgi(environ, start_response):
    start_response("200 OK", [("content-length", "4")])
    return [b"wsgi"]
