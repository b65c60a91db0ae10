"""The application of the Python WebSocket rows. /broadcast: each message goes to all who are connected there; anywhere
else it comes back as it was."""

listeners = set()


async def echo(receive, send):
    while True:
        event = await receive()
        if event["type"] != "websocket.receive":
            return
        text = event.get("text")
        if text is None:
            await send({"type": "websocket.send", "bytes": event["bytes"]})
        else:
            await send({"type": "websocket.send", "text": text})


async def broadcast(receive, send):
    listeners.add(send)
    try:
        while True:
            event = await receive()
            if event["type"] != "websocket.receive":
                return
            message = {"type": "websocket.send", "text": event["text"]}
            for listener in list(listeners):
                try:
                    await listener(message)
                except Exception:
                    # Who has gone leaves by its own receive(); servers raise errors of their own here.
                    listeners.discard(listener)
    finally:
        listeners.discard(send)


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            event = await receive()
            await send({"type": event["type"] + ".complete"})
            if event["type"] == "lifespan.shutdown":
                return
    if scope["type"] != "websocket":
        await send({"type": "http.response.start", "status": 426, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})
        return
    await receive()
    await send({"type": "websocket.accept"})
    await (broadcast if scope["path"] == "/broadcast" else echo)(receive, send)
