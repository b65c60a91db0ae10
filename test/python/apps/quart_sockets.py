"""Quart's WebSockets for the tests."""

import asyncio

from quart import Quart, abort, websocket

app = Quart(__name__)
SEEN = {"ended": []}


@app.get("/seen")
async def seen():
    return SEEN


@app.websocket("/echo")
async def echo():
    try:
        while True:
            await websocket.send(await websocket.receive())
    except asyncio.CancelledError:
        SEEN["ended"].append("cancelled")
        raise


@app.websocket("/upper")
async def upper():
    await websocket.accept(subprotocol="upper", headers={"x-own": "yes"})
    await websocket.send((await websocket.receive()).upper())
    await websocket.close(4001, "told")


@app.websocket("/refuse")
async def refuse():
    abort(401)


@app.websocket("/crash")
async def crash():
    await websocket.accept()
    raise ValueError("crash")
