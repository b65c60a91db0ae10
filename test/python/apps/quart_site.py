"""Quart for the tests."""

import asyncio

from quart import Quart, g, jsonify, request

app = Quart(__name__)
SEEN = {"started": False, "background": False, "closed": ""}


@app.before_serving
async def begin():
    SEEN["started"] = True


@app.before_request
async def tag():
    g.tag = request.headers.get("X-Tag", "none")


@app.get("/seen")
async def seen():
    return jsonify(SEEN)


@app.get("/tag")
async def tagged():
    before = g.tag
    await asyncio.sleep(0.001)
    return jsonify([before, g.tag])


@app.post("/size")
async def size():
    total = 0
    async for piece in request.body:
        total += len(piece)
    return jsonify(bytes=total)


@app.post("/form")
async def form():
    return jsonify(dict(await request.form))


@app.get("/stream")
async def stream():
    async def pieces():
        for number in range(100):
            yield f"{number}\n".encode()

    return pieces(), 200, {"content-type": "text/plain"}


@app.get("/endless")
async def endless():
    async def pieces():
        try:
            while True:
                yield b"x" * 65536
        finally:
            SEEN["closed"] = "yes"

    return pieces()


@app.post("/background")
async def background():
    async def later():
        await asyncio.sleep(0.02)
        SEEN["background"] = True

    app.add_background_task(later)
    return "accepted", 202


@app.get("/crash")
async def crash():
    raise ZeroDivisionError("by the test")
