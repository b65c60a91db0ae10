"""What an application costs by itself, and what a task around it adds: the two parts of a request that no server can
save. Used by bench/split.ts.

    python bench/micro/stages.py PATH BODY_BYTES [--loop uvloop|asyncio]

Prints {"app": µs, "task": µs} of processor time, the best of several rounds, warm.
"""

import argparse
import asyncio
import json
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "apps" / "python"))
import plain  # noqa: E402 (the path comes first)

ROUNDS = 20
CALLS = 2_000
TOGETHER = 32


def calls(path, body):
    """A function that makes the coroutine of one request, whose `receive` and `send` do nothing else."""
    event = {"type": "http.request", "body": body, "more_body": False}
    headers = [(b"content-length", b"%d" % len(body))]

    async def receive():
        return dict(event)

    async def send(message):
        pass

    return lambda: plain.app({"type": "http", "path": path, "headers": list(headers)}, receive, send)


def bare(make):
    start = time.process_time()
    for _ in range(CALLS):
        try:
            make().send(None)
        except StopIteration:
            continue
        raise SystemExit("The application waits for something: it can't be measured by itself.")
    return (time.process_time() - start) / CALLS * 1e6


async def in_tasks(make):
    loop = asyncio.get_running_loop()
    start = time.process_time()
    for _ in range(CALLS // TOGETHER):
        for _ in range(TOGETHER):
            asyncio.Task(make(), loop=loop)
        await asyncio.sleep(0)
    return (time.process_time() - start) / (CALLS // TOGETHER * TOGETHER) * 1e6


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("path")
    parser.add_argument("bytes", type=int)
    parser.add_argument("--loop", default="uvloop")
    given = parser.parse_args()
    make = calls(given.path, b"x" * given.bytes)
    app = min(bare(make) for _ in range(ROUNDS))
    if given.loop == "uvloop":
        import uvloop

        loop = uvloop.new_event_loop()
    else:
        loop = asyncio.new_event_loop()
    task = min(loop.run_until_complete(in_tasks(make)) for _ in range(ROUNDS)) - app
    loop.close()
    print(json.dumps({"app": app, "task": task}))


main()
