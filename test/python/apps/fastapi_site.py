"""FastAPI for the tests: dependencies, background tasks, streaming, uploads, middleware, exceptions, tasks."""

import asyncio
import contextvars
from contextlib import asynccontextmanager

import anyio
from fastapi import BackgroundTasks, Depends, FastAPI, File, Form, Header, HTTPException, Request, UploadFile
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, Field
from starlette.middleware.base import BaseHTTPMiddleware

SEEN = {"dependencies": [], "background": [], "sse": ""}
TAG = contextvars.ContextVar("TAG", default="none")


@asynccontextmanager
async def lifespan(app):
    yield {"pool": ["opened"]}


class Teapot(Exception):
    pass


class Tagger:
    """A plain ASGI middleware: sets a context variable, and a field of the response."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        TAG.set(dict(scope["headers"]).get(b"x-tag", b"none").decode())

        async def tagged(message):
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-tagged", TAG.get().encode())]
            await send(message)

        await self.app(scope, receive, tagged)


async def timed(request, call_next):
    response = await call_next(request)
    response.headers["x-timed"] = "yes"
    return response


app = FastAPI(lifespan=lifespan)
app.add_middleware(BaseHTTPMiddleware, dispatch=timed)
app.add_middleware(Tagger)


@app.exception_handler(Teapot)
async def teapot(request, error):
    return JSONResponse({"teapot": str(error)}, status_code=418)


async def connection():
    SEEN["dependencies"].append("open")
    try:
        yield "connection"
    finally:
        SEEN["dependencies"].append("close")


def user(authorization: str = Header("")):
    if authorization != "Bearer secret":
        raise HTTPException(401, "who are you?", headers={"www-authenticate": "Bearer"})
    return "alice"


class Item(BaseModel):
    name: str = Field(min_length=2)
    price: float = 1.0


@app.get("/seen")
async def seen():
    return SEEN


@app.get("/state")
async def state(request: Request):
    return request.state.pool


@app.get("/private")
async def private(name: str = Depends(user), db: str = Depends(connection)):
    SEEN["dependencies"].append("use")
    return {"user": name, "db": db}


@app.post("/items/{number}")
async def item(number: int, item: Item, limit: int = 10):
    return {"number": number, "limit": limit, "item": item}


@app.post("/background")
async def background(tasks: BackgroundTasks):
    async def slow(word):
        await asyncio.sleep(0.05)
        SEEN["background"].append(word)

    tasks.add_task(slow, "async")
    tasks.add_task(SEEN["background"].append, "sync")
    return {"before": list(SEEN["background"])}


@app.get("/stream/{count}")
async def stream(count: int):
    async def pieces():
        for _ in range(count):
            yield b"x" * 10_000
            await asyncio.sleep(0)

    return StreamingResponse(pieces(), media_type="application/octet-stream")


@app.get("/sync-stream")
def sync_stream():
    return StreamingResponse((f"{number}\n" for number in range(100)), media_type="text/plain")


@app.get("/sse")
async def sse():
    async def events():
        try:
            for number in range(10_000):
                yield f"id: {number}\ndata: tick\n\n"
                await asyncio.sleep(0.01)
        finally:
            SEEN["sse"] = "closed"

    return StreamingResponse(events(), media_type="text/event-stream")


@app.post("/upload")
async def upload(file: UploadFile = File(), note: str = Form("")):  # noqa: B008 (FastAPI's way)
    size = 0
    while piece := await file.read(65536):
        size += len(piece)
    return {"name": file.filename, "bytes": size, "note": note}


@app.post("/body")
async def body(request: Request):
    size = 0
    async for piece in request.stream():
        size += len(piece)
    return {"bytes": size}


@app.get("/teapot")
async def raises_teapot():
    raise Teapot("short and stout")


@app.get("/crash")
async def crash():
    raise ZeroDivisionError("by the test")


@app.get("/tag")
async def tag():
    before = TAG.get()
    await asyncio.sleep(0.001)
    in_thread = await anyio.to_thread.run_sync(TAG.get)
    return [before, TAG.get(), in_thread]


@app.get("/tag-sync")
def tag_sync():
    return TAG.get()


@app.get("/cancel-scope")
async def cancel_scope():
    with anyio.move_on_after(0.01) as scope:
        await anyio.sleep(60)
    caught = scope.cancelled_caught
    async with anyio.create_task_group() as group:
        group.start_soon(anyio.sleep, 60)
        group.cancel_scope.cancel()
    timed_out = False
    try:
        async with asyncio.timeout(0.01):
            await asyncio.sleep(60)
    except TimeoutError:
        timed_out = True
    task = asyncio.current_task()
    return {"scope": caught, "timeout": timed_out, "task": task is not None and task in asyncio.all_tasks()}
