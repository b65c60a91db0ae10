"""What the tests of WSGI share: a pool of threads without a process."""

import logging
import time

from support import Bench, asgi, encoded_scope, failures, response, threads, wire, wsgi


def hello(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


class NoLoop:
    """WSGI threads never touch the event loop while the stream takes everything."""

    def call_soon(self, *_):
        raise AssertionError("a thread used the loop")

    call_soon_threadsafe = call_soon


class Site:
    """A pool with one application, and the records that it writes."""

    def __init__(self, app, count=2):
        self.bench = Bench(NoLoop(), app)
        self.bench.wsgi = threads.Pool(self.bench, app, count, wsgi.WsgiRequest)

    def start(self, flags=wire.LAST, request_id=1, **parts):
        scope = asgi.build_scope(encoded_scope(**parts), {})
        return self.bench.wsgi.start(request_id, flags, scope)

    def sees(self, condition):
        deadline = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < deadline, "it never came"
            time.sleep(0.001)

    def finish(self):
        deadline = time.monotonic() + 10
        while self.bench.requests or self.bench.outlet.waits:
            assert time.monotonic() < deadline, "the request never ended"
            time.sleep(0.001)
        return self.bench.records()

    def whole(self):
        """(status, fields, body) of the response."""
        records = self.finish()
        kind, _, _, payload = records[0]
        assert kind == wire.RESPONSE, records
        status, fields, body = response(payload)
        body += b"".join(p for k, _, _, p in records if k == wire.RESPONSE_BODY)
        assert records[-1][1] & wire.LAST
        return status, fields, body


class Silence(logging.Handler):
    """Keeps what is logged meanwhile."""

    def __init__(self):
        super().__init__()
        self.lines = []

    def emit(self, record):
        self.lines.append(record.getMessage())

    def __enter__(self):
        failures.logger.addHandler(self)
        return self

    def __exit__(self, *_):
        failures.logger.removeHandler(self)
