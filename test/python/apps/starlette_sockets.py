"""Starlette's WebSockets for the tests."""

from starlette.applications import Starlette
from starlette.endpoints import WebSocketEndpoint
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocketDisconnect

SEEN = {"ended": []}


async def seen(request):
    return JSONResponse(SEEN)


async def echo(websocket):
    await websocket.accept()
    try:
        while True:
            message = await websocket.receive()
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message["code"], message["reason"])
            if message.get("text") is not None:
                await websocket.send_text(message["text"])
            else:
                await websocket.send_bytes(message["bytes"])
    except WebSocketDisconnect as error:
        SEEN["ended"].append([error.code, error.reason])


class Upper(WebSocketEndpoint):
    encoding = "text"

    async def on_connect(self, websocket):
        await websocket.accept(subprotocol="upper", headers=[(b"x-own", b"yes")])

    async def on_receive(self, websocket, data):
        await websocket.send_text(data.upper())

    async def on_disconnect(self, websocket, close_code):
        SEEN["ended"].append([close_code, "upper"])


async def deny(websocket):
    await websocket.send_denial_response(JSONResponse({"why": "no"}, status_code=401, headers={"x-own": "yes"}))


async def refuse(websocket):
    await websocket.close(1008)


async def farewell(websocket):
    await websocket.accept()
    await websocket.close(4001, "told")


async def crash(websocket):
    await websocket.accept()
    await websocket.receive_text()
    raise ValueError("crash")


async def late(websocket):
    """Sends when it has been told that the peer is gone."""
    await websocket.accept()
    await websocket.receive()
    try:
        await websocket.send_text("late")
    except WebSocketDisconnect as error:
        SEEN["ended"].append([error.code, "late"])


app = Starlette(
    routes=[
        Route("/seen", seen),
        WebSocketRoute("/echo", echo),
        WebSocketRoute("/upper", Upper),
        WebSocketRoute("/deny", deny),
        WebSocketRoute("/refuse", refuse),
        WebSocketRoute("/farewell", farewell),
        WebSocketRoute("/crash", crash),
        WebSocketRoute("/late", late),
    ]
)
