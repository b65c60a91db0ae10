"""Quart: `ringcorn quart_app:app`, with quart installed in .venv."""

from quart import Quart, request

app = Quart(__name__)


@app.get("/")
async def root():
    return "Hello from Quart\n"


@app.post("/echo")
async def echo():
    return {"bytes": len(await request.get_data())}
