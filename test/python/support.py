"""What the Python tests share: the worker's modules, and a worker without a process."""

import asyncio
import json
import marshal
import pathlib
import sys
import types

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent.parent / "src" / "python"
VECTORS = json.loads((HERE / "vectors.json").read_text())

if "_ringcorn" not in sys.modules:
    package = types.ModuleType("_ringcorn")
    package.__path__ = [str(SOURCE)]
    sys.modules["_ringcorn"] = package

from _ringcorn import asgi, failures, lifespan, link, loops, target, threads, websocket, wire, worker, wsgi  # noqa: E402 (the path comes first)

__all__ = [
    "Bench",
    "asgi",
    "failures",
    "lifespan",
    "link",
    "loops",
    "target",
    "threads",
    "websocket",
    "wire",
    "worker",
    "wsgi",
]

GENERATION = 5
START = {"type": "http.response.start", "status": 200, "headers": []}


class Speechless(Exception):
    """An error that can't be shown."""

    def __str__(self):
        raise ValueError("no words")


class Catcher:
    """In place of the stream: keeps the records that are written."""

    def __init__(self):
        self.data = b""
        self.writes = 0
        #: What the front writes while the worker reads: one read each.
        self.coming = []

    def recv_into(self, view):
        if not self.coming:
            raise BlockingIOError
        data = self.coming.pop(0)
        view[: len(data)] = data
        return len(data)

    def send(self, data):
        self.data += data
        self.writes += 1
        return len(data)

    def sendmsg(self, parts):
        return self.send(b"".join(parts))

    def fileno(self):
        return -1


class Bench:
    """A worker's requests with everything but the process and the stream."""

    def __init__(self, loop, app):
        self.loop = loop
        self.app = app
        self.generation = GENERATION
        self.settings = {}
        self.leaving = False
        self.requests = {}
        self.sock = Catcher()
        self.outlet = link.Outlet(loop, self.sock)
        self.starter = loops.Starter(loop)
        self.state = {}
        self.lifespan = types.SimpleNamespace(state=self.state)
        self.wsgi = None
        self.link = link.Link(self)

    def finished(self, request):
        self.requests.pop(request.id, None)

    finished_in_thread = finished
    took = worker.Worker.took

    def receive(self, *records):
        """Records arrive together."""
        self.feed(b"".join(records))

    def feed(self, data):
        """Bytes arrive; more than the loop reads at once do so in several reads."""
        data = memoryview(data)
        while data:
            room = self.link.get_buffer(-1)
            count = min(len(room), len(data))
            room[:count] = data[:count]
            self.link.buffer_updated(count)
            data = data[count:]

    @staticmethod
    def head(request_id=1, flags=wire.LAST, **parts):
        return wire.record(wire.HEAD, flags, request_id, GENERATION, encoded_scope(**parts))

    @staticmethod
    def record(kind, flags=0, request_id=1, payload=b""):
        return wire.record(kind, flags, request_id, GENERATION, payload)

    def request(self, flags=wire.LAST, request_id=1, **parts):
        """Starts the application on a request; returns it."""
        scope = asgi.build_scope(encoded_scope(**parts), self.state)
        request = asgi.HttpRequest(self, request_id, flags, scope)
        self.requests[request_id] = request
        self.starter.start(request)
        return request

    def socket(self, request_id=1, subprotocols=()):
        """The application is asked about a WebSocket; returns it."""
        payload = encoded_socket_scope(subprotocols=subprotocols)
        self.receive(self.record(wire.WS_CONNECT, 0, request_id, payload))
        return self.requests.get(request_id)

    def records(self):
        """What has been written: [(type, flags, id, payload)]."""
        data = self.sock.data
        found, used = wire.records(data)
        assert used == len(data)
        return [(kind, flags, rid, payload) for kind, flags, rid, _, payload in found]


def encoded_scope(method="GET", version="1.1", path="/", headers=(), query=b"", root_path="", raw_path=None):
    parts = (
        method,
        version,
        "http",
        path,
        path.encode() if raw_path is None else raw_path,
        query,
        root_path,
        list(headers),
        ("127.0.0.1", 40000),
        ("127.0.0.1", 8000),
    )
    return marshal.dumps(parts, 2)


def encoded_socket_scope(path="/", subprotocols=()):
    parts = marshal.loads(encoded_scope(path=path)) + (list(subprotocols),)
    return marshal.dumps(parts, 2)


def body(data=b"", more=False):
    return {"type": "http.response.body", "body": data, "more_body": more}


def has(module):
    try:
        __import__(module)
    except ImportError:
        return False
    return True


def response(payload):
    """(status, fields, body) of a RESPONSE record's payload."""
    status, count, size = wire.START.unpack_from(payload)
    body = payload[6 + size :]
    return status, wire.decode_fields(count, payload[6 : 6 + size]), body


def run(coroutine, new_loop=None):
    """Runs it on a loop of its own; `new_loop` makes another one than asyncio's."""
    if new_loop is None:
        return asyncio.run(asyncio.wait_for(coroutine, 10))
    loop = new_loop()
    try:
        return loop.run_until_complete(asyncio.wait_for(coroutine, 10))
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def with_app(app, use):
    """Runs `use(bench)` with a bench of that application."""

    async def go():
        await use(Bench(asyncio.get_running_loop(), app))

    run(go())


async def turns(count=5):
    """Lets everything that is ready run."""
    for _ in range(count):
        await asyncio.sleep(0)
