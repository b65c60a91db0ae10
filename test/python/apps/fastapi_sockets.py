"""FastAPI's WebSockets for the tests: a chat, dependencies, refusals, state of the lifespan."""

from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Query, WebSocket, WebSocketDisconnect, WebSocketException

SEEN = {"ended": []}
WHO = ContextVar("WHO", default="nobody")


@asynccontextmanager
async def lifespan(app):
    yield {"greeting": "hello"}


app = FastAPI(lifespan=lifespan)
room = set()


async def user(token: Annotated[str | None, Query()] = None):
    if token != "secret":
        raise WebSocketException(code=1008)
    return "alice"


@app.get("/seen")
async def seen():
    return SEEN


@app.websocket("/chat/{name}")
async def chat(websocket: WebSocket, name: str):
    assert WHO.get() == "nobody"
    WHO.set(name)
    await websocket.accept()
    room.add(websocket)
    try:
        async for text in websocket.iter_text():
            for other in room:
                await other.send_text(f"{WHO.get()}: {text}")
    finally:
        room.discard(websocket)
        SEEN["ended"].append(name)


@app.websocket("/page/{number}")
async def page(websocket: WebSocket, number: int):
    await websocket.accept()
    await websocket.send_text(f"page {number}")
    raise WebSocketException(code=4008, reason="because")


@app.websocket("/account")
async def account(websocket: WebSocket):
    raise HTTPException(401, "who?", headers={"WWW-Authenticate": "Basic"})


@app.websocket("/json")
async def echo_json(websocket: WebSocket):
    await websocket.accept()
    while True:
        try:
            item = await websocket.receive_json()
        except WebSocketDisconnect as error:
            SEEN["ended"].append(error.code)
            return
        await websocket.send_json({"got": item, "state": websocket.state.greeting})


@app.websocket("/private")
async def private(websocket: WebSocket, name: Annotated[str, Depends(user)]):
    await websocket.accept()
    await websocket.send_text(name)
    await websocket.close()


@app.websocket("/through")
async def through(websocket: WebSocket):
    """Lets the peer's end through."""
    await websocket.accept()
    while True:
        await websocket.receive_text()


@app.websocket("/crash")
async def crash(websocket: WebSocket):
    await websocket.accept()
    raise ValueError("crash")
