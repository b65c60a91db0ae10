"""FastAPI: `ringcorn fastapi_app:app`, with fastapi installed in .venv."""

import asyncio
from contextlib import asynccontextmanager

from fastapi import BackgroundTasks, FastAPI, Request
from fastapi.responses import StreamingResponse


@asynccontextmanager
async def lifespan(app):
    yield {"greeting": "Hello"}


app = FastAPI(lifespan=lifespan)
done = []


@app.get("/")
async def root(request: Request):
    return {"message": f"{request.state.greeting} from FastAPI"}


@app.get("/items/{number}")
def item(number: int, q: str = ""):
    return {"number": number, "q": q}


@app.post("/upload")
async def upload(request: Request):
    size = 0
    async for piece in request.stream():
        size += len(piece)
    return {"bytes": size}


@app.get("/events")
async def events():
    async def ticks():
        for number in range(3):
            yield f"data: {number}\n\n"
            await asyncio.sleep(0.01)

    return StreamingResponse(ticks(), media_type="text/event-stream")


@app.post("/later")
async def later(tasks: BackgroundTasks):
    tasks.add_task(done.append, "done")
    return {"accepted": True}


@app.get("/done")
async def how_many():
    return {"done": len(done)}
