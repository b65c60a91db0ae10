"""Starlette for the tests: static files and pathsend, and which events it sends."""

import asyncio
import os
from pathlib import Path

from starlette.applications import Starlette
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

FOLDER = os.environ.get("STATIC_FOLDER") or str(Path(__file__).parent)
SENT = []
SEEN = {"disconnected": ""}


async def echo(request):
    return Response(await request.body(), media_type=request.headers.get("content-type"))


async def echo_stream(request):
    return StreamingResponse(request.stream(), media_type="application/octet-stream")


async def file(request):
    return FileResponse(Path(FOLDER) / "big.bin", filename="a name.bin")


async def sent(request):
    return JSONResponse(SENT)


async def seen(request):
    return JSONResponse(SEEN)


async def wait(request):
    """Ends when the client has gone."""
    SEEN["disconnected"] = "waits"
    while not await request.is_disconnected():
        await asyncio.sleep(0.005)
    SEEN["disconnected"] = "told"
    return Response()


class Noting:
    """Notes the events of the last response but its own."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http" or scope["path"] == "/sent":
            await self.app(scope, receive, send)
            return
        SENT.clear()

        async def noted(message):
            SENT.append(message["type"])
            await send(message)

        await self.app(scope, receive, noted)


app = Noting(
    Starlette(
        routes=[
            Route("/echo", echo, methods=["POST"]),
            Route("/echo-stream", echo_stream, methods=["POST"]),
            Route("/file", file),
            Route("/sent", sent),
            Route("/seen", seen),
            Route("/wait", wait),
            Mount("/static", StaticFiles(directory=FOLDER)),
        ]
    )
)
