"""A plain ASGI application, without any package: `ringcorn plain:app`."""


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return
    body = f"Hello from {scope['path']}\n".encode()
    fields = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": body})
