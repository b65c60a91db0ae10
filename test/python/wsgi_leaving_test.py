"""WSGI applications whose client goes away while a thread serves it."""

import threading
import time
import unittest
from wsgiref.validate import validator

from support import wire
from wsgi_support import Silence, Site, hello


def error_again(stream):
    """What reading raises, again."""
    try:
        stream.read(1)
    except OSError as error:
        return error
    return AssertionError("nothing was raised")


def hello_then_read(environ, start_response):
    start_response("200 OK", [("X", "a\r\nb")])
    yield b"hello"
    yield environ["wsgi.input"].read(5)


class Leaving(unittest.TestCase):
    """The client goes before the end: no thread waits for it, and everything is closed."""

    def leave(self, app, flags, disconnect, ready, before=(), **parts):
        """The records; `ready` says when the application waits for the client, which then leaves."""
        site = Site(validator(app))
        request = site.start(flags, **parts)
        for piece in before:
            request.body(0, piece)
        deadline = time.monotonic() + 10
        while not ready(request):
            assert time.monotonic() < deadline, "the application never waited"
            time.sleep(0.001)
        with Silence() as log:
            request.disconnect(disconnect)
            records = site.finish()
        self.assertEqual(log.lines, [])
        return records

    def test_reading(self):
        for disconnect in (0, wire.GONE):
            for how in ("read", "readline", "iterate"):
                with self.subTest(disconnect=disconnect, how=how):
                    seen = []

                    def app(environ, start_response, how=how, seen=seen):
                        stream = environ["wsgi.input"]
                        seen.append(stream.read(2))
                        for _ in range(2):
                            try:
                                seen.append("waits")
                                if how == "read":
                                    stream.read(100)
                                elif how == "readline":
                                    stream.readline()
                                else:
                                    list(stream)
                            except OSError as error:
                                seen.append(str(error))
                        raise error_again(stream)

                    records = self.leave(app, 0, disconnect, lambda _, s=seen: "waits" in s, [b"some"], method="POST")
                    gone = "the client has disconnected"
                    self.assertEqual(seen, [b"so", "waits", gone, "waits", gone])
                    self.assertEqual([kind for kind, *_ in records], [wire.DONE])

    def test_a_generator_that_waits_for_credit_is_closed(self):
        closed = []

        def app(environ, start_response):
            start_response("200 OK", [("Content-Type", "text/plain")])
            try:
                while True:
                    yield b"x" * 50_000
            finally:
                closed.append(True)

        self.leave(app, wire.LAST, wire.GONE, lambda request: request._granted == request._sent)
        self.assertEqual(closed, [True])

    def test_write_raises_oserror(self):
        caught = []

        def app(environ, start_response):
            write = start_response("200 OK", [("Content-Type", "text/plain")])
            try:
                while True:
                    write(b"x" * 50_000)
            except OSError as error:
                caught.append(error)
            return [b""]

        self.leave(app, wire.LAST, wire.GONE, lambda request: request._granted == request._sent)
        self.assertEqual(len(caught), 1)

    def test_the_next_small_block_after_it_ends_the_iterator(self):
        closed = []
        go = threading.Event()

        def app(environ, start_response):
            start_response("200 OK", [("Content-Type", "text/plain")])
            try:
                yield b"first"
                go.wait(10)
                yield b"second"
                yield b"third"
            finally:
                closed.append(True)

        site = Site(app)
        request = site.start()
        while not request._head_sent:
            time.sleep(0.001)
        with Silence() as log:
            request.disconnect(wire.GONE)
            go.set()
            records = site.finish()
        self.assertEqual((closed, log.lines), ([True], []))
        self.assertNotIn(b"third", [payload for *_, payload in records])

    def test_a_body_whose_answer_the_front_has_refused(self):
        site = Site(hello_then_read)
        request = site.start(0, method="POST")
        deadline = time.monotonic() + 10
        while not request._head_sent:
            assert time.monotonic() < deadline, "the application never answered"
            time.sleep(0.001)
        with Silence() as log:
            request.refused(b"a header value has a control byte\0POST /")
            records = site.finish()
        self.assertEqual(log.lines, ["Exception in WSGI application"])
        self.assertEqual([kind for kind, *_ in records], [wire.RESPONSE, wire.DONE])

    def test_gone_before_a_thread_was_free(self):
        called = []
        go = threading.Event()

        def app(environ, start_response):
            called.append(environ["PATH_INFO"])
            go.wait(10)
            return hello(environ, start_response)

        site = Site(app, 1)
        site.start(path="/first")
        site.start(request_id=2, path="/second").disconnect(wire.GONE)
        go.set()
        self.assertIn((wire.DONE, 0, 2, b""), site.finish())
        self.assertEqual(called, ["/first"])


if __name__ == "__main__":
    unittest.main()
