"""What the comparison serves: small answers, an echo, an upload that is counted."""

HELLO = b"Hello, world!"
TEN_KB = b"x" * 10_240
TEXT = (b"content-type", b"text/plain; charset=utf-8")


async def answer(send, body):
    headers = [TEXT, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def hello(scope, receive, send):
    await answer(send, HELLO)


async def ten_kb(scope, receive, send):
    await answer(send, TEN_KB)


async def echo(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    more = True
    while more:
        event = await receive()
        if event["type"] == "http.disconnect":
            return
        more = event["more_body"]
        await send({"type": "http.response.body", "body": event["body"], "more_body": more})


async def upload(scope, receive, send):
    count = 0
    more = True
    while more:
        event = await receive()
        if event["type"] == "http.disconnect":
            return
        more = event["more_body"]
        count += len(event["body"])
    await answer(send, b"%d" % count)


ROUTES = {"/": hello, "/10kb": ten_kb, "/echo": echo, "/upload": upload}


async def app(scope, receive, send):
    await ROUTES[scope["path"]](scope, receive, send)
