"""Litestar for the tests."""

import asyncio
from dataclasses import dataclass

from litestar import Litestar, Request, get, post
from litestar.background_tasks import BackgroundTask
from litestar.di import Provide
from litestar.exceptions import NotAuthorizedException
from litestar.response import Response, Stream

SEEN = {"started": False, "background": False}


@dataclass
class Item:
    name: str
    price: float


async def begin(app):
    SEEN["started"] = True
    app.state.greeting = "hello"


def user(request: Request) -> str:
    if request.headers.get("authorization") != "Bearer secret":
        raise NotAuthorizedException("who are you?")
    return "alice"


@get("/seen")
async def seen() -> dict:
    return SEEN


@get("/private", dependencies={"name": Provide(user, sync_to_thread=False)})
async def private(name: str, request: Request) -> dict:
    return {"user": name, "greeting": request.app.state.greeting}


@post("/items")
async def item(data: Item) -> Item:
    return data


@get("/stream", media_type="text/plain")
async def stream() -> Stream:
    async def pieces():
        for number in range(100):
            yield f"{number}\n"
            await asyncio.sleep(0)

    return Stream(pieces())


@post("/background")
async def background() -> Response[str]:
    async def later():
        SEEN["background"] = True

    return Response("accepted", background=BackgroundTask(later))


@post("/size")
async def size(request: Request) -> dict:
    total = 0
    async for piece in request.stream():
        total += len(piece)
    return {"bytes": total}


@get("/crash")
async def crash() -> None:
    raise ZeroDivisionError("by the test")


app = Litestar([seen, private, item, stream, background, size, crash], on_startup=[begin])
