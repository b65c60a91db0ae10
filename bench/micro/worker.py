"""What a request costs the Python worker, without a front: the real link and ASGI code, fed prepared records.

    python3 bench/micro/worker.py [--seconds S] [--loop asyncio|uvloop] [--batch N] [--stream] [--profile hello]

Prints microseconds of processor time per request, the best of several rounds, with the collector on. `batch` is how
many requests arrive together. What is written is counted and dropped, so that no kernel's time is in the figures,
except with --stream.
"""

import argparse
import asyncio
import gc
import marshal
import os
import pathlib
import socket
import sys
import time
import types

#: The folder of another version can be named, to compare.
SOURCE = os.environ.get("WORKER_SOURCE") or str(pathlib.Path(__file__).resolve().parents[2] / "src" / "python")
package = types.ModuleType("_ringcorn")
package.__path__ = [SOURCE]
sys.modules["_ringcorn"] = package

from _ringcorn import asgi, lifespan, link, loops, wire, worker, wsgi  # noqa: E402 (the path comes first)

GENERATION = 1
ROUNDS = 30
HEADERS = [
    (b"host", b"127.0.0.1:8000"),
    (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    (b"accept", b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    (b"accept-language", b"en-US,en;q=0.5"),
    (b"accept-encoding", b"gzip, deflate, br, zstd"),
    (b"connection", b"keep-alive"),
    (b"cookie", b"session=0123456789abcdef0123456789abcdef; theme=dark"),
    (b"referer", b"http://127.0.0.1:8000/start"),
    (b"cache-control", b"max-age=0"),
]
TEN_KB = b"x" * 10_240
HUNDRED_KB = b"y" * 102_400


def scope(method="GET", count=9):
    """A scope as the front writes it: without references."""
    parts = (
        method,
        "1.1",
        "http",
        "/",
        b"/",
        b"",
        "",
        [(bytes(n), bytes(v)) for n, v in HEADERS[:count]],
        ("127.0.0.1", 40000),
        ("127.0.0.1", 8000),
    )
    return marshal.dumps(parts, 2)


async def hello(scope, receive, send):
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-type", b"text/plain"), (b"content-length", b"13")],
        }
    )
    await send({"type": "http.response.body", "body": b"Hello, world!"})


async def ten_kb(scope, receive, send):
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-type", b"text/plain"), (b"content-length", b"10240")],
        }
    )
    await send({"type": "http.response.body", "body": TEN_KB})


async def echo(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    more = True
    while more:
        event = await receive()
        more = event["more_body"]
        await send({"type": "http.response.body", "body": event["body"], "more_body": more})


def head_only(number):
    return wire.record(wire.HEAD, wire.LAST, number, GENERATION, scope())


def with_body(number):
    parts = [wire.record(wire.HEAD, 0, number, GENERATION, scope("POST"))]
    for at in range(0, len(HUNDRED_KB), wire.MOST_PAYLOAD_BYTES):
        piece = HUNDRED_KB[at : at + wire.MOST_PAYLOAD_BYTES]
        last = wire.LAST if at + len(piece) == len(HUNDRED_KB) else 0
        parts.append(wire.record(wire.BODY, last, number, GENERATION, piece))
    return b"".join(parts)


def wsgi_hello(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "13")])
    return [b"Hello, world!"]


WORKLOADS = {
    "hello": (hello, head_only),
    "10 KB": (ten_kb, head_only),
    "echo 100 KB": (echo, with_body),
}
#: Threads answer it: measured over a stream only.
WSGI_WORKLOADS = {"WSGI hello": (wsgi_hello, head_only)}
WSGI_THREADS = 4


class Sink:
    """In place of the stream: takes everything."""

    def __init__(self):
        self.count = 0

    def send(self, data):
        self.count += len(data)
        return len(data)

    def sendmsg(self, parts):
        count = sum(map(len, parts))
        self.count += count
        return count

    def recv_into(self, view):
        raise BlockingIOError

    def fileno(self):
        return -1


class Rig:
    """A worker that is ready, and the prepared bytes of `batch` requests."""

    def __init__(self, loop, app, make, batch):
        self.ours, self.theirs = socket.socketpair()
        self.worker = worker.Worker({}, GENERATION, loop, "", self.theirs)
        self.worker.outlet.sock.close()
        self.sink = self.worker.outlet.sock = Sink()
        self.worker.app = app
        if app is wsgi_hello:
            self.worker.wsgi = wsgi.Pool(self.worker, app, WSGI_THREADS)
        self.worker.lifespan = lifespan.Lifespan(app, "off", loop)
        self.link = link.Link(self.worker)
        self.data = b"".join(make(number + 1) for number in range(batch))
        self.batch = batch

    async def turn(self):
        if hasattr(self.link, "get_buffer"):
            data = memoryview(self.data)
            while data:
                room = self.link.get_buffer(-1)
                count = min(len(room), len(data))
                room[:count] = data[:count]
                self.link.buffer_updated(count)
                data = data[count:]
        else:
            self.link.data_received(self.data)
        while self.worker.requests:
            await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def run(self, seconds):
        """Microseconds per request."""
        until = time.perf_counter() + seconds
        count = 0
        start = time.process_time()
        while time.perf_counter() < until:
            for _ in range(10):
                await self.turn()
            count += 10 * self.batch
        spent = time.process_time() - start
        assert self.sink.count > count * 10, "nothing was answered"
        return spent / count * 1e6

    def close(self):
        self.ours.close()
        self.theirs.close()


class Driven(link.Link):
    """Leaves the process alone when its stream ends."""

    def connection_lost(self, error):
        self.worker.outlet.dead = True
        self.ended.set_result(None)


def drive(sock, data, answer_bytes, batches):
    """The other end of the stream, in a process of its own: a batch, its answers, the next."""
    for _ in range(batches):
        sock.sendall(data)
        left = answer_bytes
        while left > 0:
            left -= len(sock.recv(1 << 18))
    sock.close()


async def over_stream(loop, name, batch, seconds):
    """As Rig.run, with the event loop's reading and the kernel's share."""
    rig = Rig(loop, *{**WORKLOADS, **WSGI_WORKLOADS}[name], batch)
    await rig.turn()
    answer_bytes = rig.sink.count
    start = time.perf_counter()
    for _ in range(20):
        await rig.turn()
    batches = max(10, int(seconds / ((time.perf_counter() - start) / 20 * 2)))
    rig.worker.outlet.sock = rig.theirs.dup()
    rig.worker.outlet.sock.setblocking(False)
    rig.theirs.setblocking(False)
    child = os.fork()
    if child == 0:
        try:
            rig.theirs.close()
            drive(rig.ours, rig.data, answer_bytes, batches)
        finally:
            os._exit(0)
    rig.ours.close()
    rig.link = Driven(rig.worker)
    rig.link.ended = loop.create_future()
    spent = time.process_time()
    await loop.create_connection(lambda: rig.link, sock=rig.theirs)
    await rig.link.ended
    spent = time.process_time() - spent
    os.waitpid(child, 0)
    rig.worker.outlet.sock.close()
    return spent / (batches * batch) * 1e6


def loop_of(name):
    try:
        return loops.new_loop(name)[0]
    except ImportError:
        return None


def measure(name, loop_name, batch, seconds, stream=False):
    loop = loop_of(loop_name)
    if loop is None:
        return None
    asyncio.set_event_loop(loop)

    async def go():
        if stream:
            return min([await over_stream(loop, name, batch, seconds / 5) for _ in range(5)])
        rig = Rig(loop, *WORKLOADS[name], batch)
        await rig.run(seconds / ROUNDS)
        best = min([await rig.run(seconds / ROUNDS) for _ in range(ROUNDS)])
        rig.close()
        return best

    gc.collect()
    gc.freeze()
    try:
        return loop.run_until_complete(go())
    finally:
        loop.close()


def measure_scope(seconds):
    """Microseconds to build a scope of nine fields."""
    encoded = scope()
    state = {}
    build = asgi.build_scope
    best = float("inf")
    gc.collect()
    gc.freeze()
    for _ in range(ROUNDS):
        count = 0
        until = time.perf_counter() + seconds / ROUNDS
        start = time.process_time()
        while time.perf_counter() < until:
            for _ in range(1000):
                build(encoded, state)
            count += 1000
        best = min(best, (time.process_time() - start) / count * 1e6)
    return best


def profile(name, loop_name, batch):
    import cProfile
    import pstats

    loop = loop_of(loop_name)
    asyncio.set_event_loop(loop)

    async def go():
        rig = Rig(loop, *WORKLOADS[name], batch)
        profiler = cProfile.Profile()
        profiler.enable()
        for _ in range(20_000 // batch):
            await rig.turn()
        profiler.disable()
        pstats.Stats(profiler).sort_stats("tottime").print_stats(25)
        rig.close()

    loop.run_until_complete(go())
    loop.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1.0, help="for each figure")
    parser.add_argument("--loop", choices=["asyncio", "uvloop"])
    parser.add_argument("--batch", type=int, help="requests that arrive together; 1 and 32 are measured without it")
    parser.add_argument("--stream", action="store_true", help="over a real stream: with the kernel's share")
    parser.add_argument("--profile", choices=list(WORKLOADS))
    options = parser.parse_args()
    if options.profile:
        profile(options.profile, options.loop or "asyncio", options.batch or 32)
        return
    version = ".".join(map(str, sys.version_info[:3]))
    print(f"CPython {version}; microseconds of processor time, the best of {ROUNDS} rounds")
    print(f"  {'scope of nine fields':36} {measure_scope(options.seconds):8.2f}")
    for loop_name in [options.loop] if options.loop else ["asyncio", "uvloop"]:
        for name in [*WORKLOADS, *WSGI_WORKLOADS] if options.stream else WORKLOADS:
            for batch in [options.batch] if options.batch else [1, 32]:
                found = measure(name, loop_name, batch, options.seconds, options.stream)
                shown = "not installed" if found is None else f"{found:8.2f}"
                print(f"  {f'{name}, {loop_name}, {batch} together':36} {shown}")


if __name__ == "__main__":
    main()
