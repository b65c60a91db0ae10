"""python-socketio under ASGI for the tests."""

import socketio

server = socketio.AsyncServer(async_mode="asgi")
SEEN = []


@server.event
async def connect(sid, environ, auth):
    if auth == {"token": "wrong"}:
        raise socketio.exceptions.ConnectionRefusedError("who are you?")


@server.event
async def echo(sid, data):
    return data


@server.event
async def say(sid, data):
    await server.emit("said", data)


@server.event
async def enter(sid, room):
    await server.enter_room(sid, room)


@server.event
async def whisper(sid, room, text):
    await server.emit("whispered", text, room=room)


@server.event
async def ended(sid):
    return SEEN


@server.event
async def disconnect(sid, reason):
    SEEN.append(reason)


app = socketio.ASGIApp(server)
