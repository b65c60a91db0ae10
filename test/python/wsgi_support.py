"""What the tests of WSGI share: a pool of threads without a process."""

import logging
import time

from support import Bench, asgi, encoded_scope, response, wire, wsgi


class NoLoop:
    """WSGI threads never touch the event loop while the stream takes everything."""

    def call_soon(self, *_):
        raise AssertionError("a thread used the loop")

    call_soon_threadsafe = call_soon


class Site:
    """A pool with one application, and the records that it writes."""

    def __init__(self, app, threads=2):
        self.bench = Bench(NoLoop(), app)
        self.bench.wsgi = wsgi.Pool(self.bench, app, threads)

    def start(self, flags=wire.LAST, **parts):
        scope = asgi.build_scope(encoded_scope(**parts), {})
        # As the worker does: known before a thread may have finished it.
        request = wsgi.WsgiRequest(self.bench, 1, flags, scope)
        self.bench.requests[1] = request
        self.bench.wsgi.jobs.put(request)
        return request

    def finish(self):
        deadline = time.monotonic() + 10
        while self.bench.requests:
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
        wsgi.logger.addHandler(self)
        return self

    def __exit__(self, *_):
        wsgi.logger.removeHandler(self)
