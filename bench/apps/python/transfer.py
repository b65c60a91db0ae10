"""The application of bench/python-memory.ts: takes uploads and gives downloads as fast as it can.

POST /upload answers with the count of bytes; GET /download?bytes=N answers with N bytes.
"""

PIECE = b"a" * 65_536


async def upload(receive):
    count = 0
    more = True
    while more:
        event = await receive()
        if event["type"] != "http.request":
            raise RuntimeError("The client left in the middle of its upload.")
        count += len(event["body"])
        more = event["more_body"]
    return b"%d" % count


async def app(scope, receive, send):
    if scope["type"] != "http":
        raise RuntimeError("It serves HTTP only.")
    text = await upload(receive) if scope["method"] == "POST" else b""
    left = int(scope["query_string"].partition(b"=")[2] or 0) or len(text)
    headers = [(b"content-length", b"%d" % left)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    piece = text or PIECE
    while left > 0:
        body = piece if left >= len(piece) else piece[:left]
        left -= len(body)
        await send({"type": "http.response.body", "body": body, "more_body": left > 0})
