"""Loads for long, where CHILD_FILE says in which step, and has a process by then, which its interpreter's end ends."""

import asyncio
import multiprocessing
import os
import time

LONG_SECONDS = 60
NAME, _, STEP = os.environ.get("CHILD_FILE", "").partition(":")


def rest():
    time.sleep(LONG_SECONDS)


if NAME:
    child = multiprocessing.get_context("fork").Process(target=rest, daemon=True)
    child.start()
    with open(NAME, "w") as file:
        file.write(f"{os.getpid()} {child.pid}\n")
    while STEP != "startup":
        try:
            time.sleep(LONG_SECONDS)
        except SystemExit:
            if STEP == "import":
                raise


async def app(scope, receive, send):
    if NAME:
        await asyncio.sleep(LONG_SECONDS)
