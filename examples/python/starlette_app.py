"""Starlette: `ringcorn starlette_app:app`, with starlette installed in .venv."""

from pathlib import Path

from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles


async def root(request):
    return PlainTextResponse("Hello from Starlette\n")


async def echo(request):
    return JSONResponse({"bytes": len(await request.body())})


app = Starlette(
    routes=[
        Route("/", root),
        Route("/echo", echo, methods=["POST"]),
        Mount("/static", StaticFiles(directory=Path(__file__).parent)),
    ]
)
