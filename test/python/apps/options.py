"""Tells what the command's options have made of it; standard library only."""

import asyncio
import json
import logging
import sys
import threading

LINES = 100
STARTED = []


async def answer(send, value):
    body = json.dumps(value).encode()
    fields = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": body})


def talk():
    """To every stream in turn."""
    log = logging.getLogger("talk")
    for number in range(LINES):
        print("printed", number)
        sys.stderr.write(f"written {number}\n")
        log.warning("logged %d", number)
    sys.stdout.buffer.write("grüße\tund \x1b[1mfett\x1b[0m ".encode())
    print("ohne Ende", end="", flush=True)


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        STARTED.append((await receive())["type"])
        logging.getLogger("options.start").info("the application starts")
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    if scope["path"] == "/talk":
        talk()
    loop = type(asyncio.get_running_loop()).__module__.partition(".")[0]
    await answer(send, {"loop": loop, "started": STARTED})


class Double:
    """ASGI 2: called with the scope, then with receive and send."""

    def __init__(self, scope):
        self.scope = scope

    async def __call__(self, receive, send):
        await answer(send, {"double": self.scope["path"]})


def create(name="made"):
    async def made(scope, receive, send):
        assert scope["type"] == "http"
        await answer(send, {"name": name})

    return made


def threads(environ, start_response):
    names = [t.name for t in threading.enumerate() if t.name.startswith("ringcorn-wsgi")]
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({"threads": len(names)}).encode()]
