"""The routes of plain.py for granian's own interface (RSGI): the same answers, in the way of its documentation."""

import asyncio
import os
import time

TEXT = [("content-type", "text/plain; charset=utf-8")]
BINARY = [("content-type", "application/octet-stream")]
HELLO = b"Hello, world!"
TEN_KB = b"x" * 10_240
FILE = os.environ.get("BENCH_FILE", __file__)
WAIT_SECONDS = 0.01
SLOW_CPU_SECONDS = 0.1


async def hello(scope, protocol):
    protocol.response_bytes(200, TEXT, HELLO)


async def ten_kb(scope, protocol):
    protocol.response_bytes(200, TEXT, TEN_KB)


async def echo(scope, protocol):
    """Gives each piece back as it comes."""
    transport = protocol.response_stream(200, [*BINARY, ("content-length", scope.headers["content-length"])])
    async for piece in protocol:
        await transport.send_bytes(piece)


async def file(scope, protocol):
    protocol.response_file(200, [*BINARY, ("content-length", str(os.stat(FILE).st_size))], FILE)


async def wait(scope, protocol):
    await asyncio.sleep(WAIT_SECONDS)
    protocol.response_bytes(200, TEXT, HELLO)


async def slow(scope, protocol):
    """Holds its worker's event loop for 100 ms of processor time."""
    end = time.thread_time() + SLOW_CPU_SECONDS
    while time.thread_time() < end:
        sum(range(1000))
    protocol.response_bytes(200, TEXT, HELLO)


ROUTES = {"/": hello, "/10kb": ten_kb, "/echo": echo, "/file": file, "/wait": wait, "/slow": slow}


async def app(scope, protocol):
    await ROUTES[scope.path](scope, protocol)
