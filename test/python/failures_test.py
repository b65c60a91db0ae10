"""What is said of an application's errors, whatever it has made of logging."""

import asyncio
import contextlib
import io
import json
import logging
import logging.config
import unittest
from unittest import mock

from support import START, failures, lifespan, run, turns, wire, with_app, worker
from wsgi_support import Silence, Site


class Lost(logging.Handler):
    """Fails outside of what logging catches, as a filter does that asks for what the record lacks."""

    def handle(self, record):
        raise AttributeError("no request_id")


@contextlib.contextmanager
def broken_logging():
    """Gives what standard error gets meanwhile."""
    handler = Lost()
    failures.logger.addHandler(handler)
    try:
        with contextlib.redirect_stderr(io.StringIO()) as output:
            yield output
    finally:
        failures.logger.removeHandler(handler)


async def fails(scope, receive, send):
    await receive()
    if scope["type"] == "lifespan":
        await send({"type": "lifespan.startup.complete"})
        await receive()
    raise KeyError("the application's own")


class Logging(unittest.TestCase):
    def test_a_request_is_answered_when_its_error_can_t_be_logged(self):
        async def use(bench):
            with broken_logging() as output:
                bench.request()
                await turns()
            ((kind, flags, _, _),) = bench.records()
            self.assertEqual((kind, flags), (wire.DONE, wire.RAISED))
            self.assertEqual(bench.requests, {})
            self.assertIn("no request_id", output.getvalue())
            self.assertIn("the application's own", output.getvalue())

        with_app(fails, use)

    def test_a_socket_ends_when_its_error_can_t_be_logged(self):
        async def use(bench):
            with broken_logging():
                bench.socket()
                await turns()
            ((kind, flags, _, _),) = bench.records()
            self.assertEqual((kind, flags), (wire.DONE, wire.RAISED))

        with_app(fails, use)

    def test_a_thread_of_wsgi_goes_on_when_an_error_can_t_be_logged(self):
        def app(environ, start_response):
            raise KeyError("x")

        site = Site(app, 1)
        with broken_logging():
            for request_id in range(1, 4):
                site.start(request_id=request_id)
            records = site.finish()
        expected = [(wire.DONE, wire.RAISED, request_id) for request_id in range(1, 4)]
        self.assertEqual([(kind, flags, rid) for kind, flags, rid, _ in records], expected)

    def test_the_lifespan_ends_when_its_error_can_t_be_logged(self):
        async def go():
            served = lifespan.Lifespan(fails, "on", asyncio.get_running_loop())
            await served.startup()
            with broken_logging():
                return await served.shutdown()

        self.assertIn("the application's own", run(go()))

    def test_a_configuration_that_disables_what_was_there(self):
        stream = io.StringIO()
        root = logging.getLogger()
        self.addCleanup(setattr, failures.logger, "disabled", False)
        with mock.patch.object(root, "handlers", []), mock.patch.object(root, "level", root.level):
            logging.config.dictConfig({"version": 1})
            self.assertTrue(failures.logger.disabled)
            root.addHandler(logging.StreamHandler(stream))
            failures.log_error("Exception in %s", "ASGI application")
        self.assertEqual(stream.getvalue(), "Exception in ASGI application\n")


class ClientDisconnect(Exception):
    """What Starlette makes of an OSError, and names no cause."""


class Group(Exception):
    """As Python 3.11's, and anyio's own before."""

    def __init__(self, *exceptions):
        super().__init__("unhandled errors in a TaskGroup")
        self.exceptions = exceptions


def cleans_up():
    raise KeyError("the application's own")


def by_finally(error):
    try:
        raise error
    finally:
        cleans_up()


def translated(error):
    try:
        raise error
    except OSError:
        raise ClientDisconnect()  # noqa: B904 (as Starlette does)


def caused(error):
    raise RuntimeError("the stream broke") from error


def gathered(error):
    raise Group(error, Group(asyncio.CancelledError(), ClientDisconnect()))


def gathered_with_another(error):
    raise Group(error, KeyError("the application's own"))


def timed_out(_):
    raise asyncio.TimeoutError from asyncio.CancelledError()


def by_itself(error):
    raise error


def in_a_circle(_):
    error = RuntimeError("the application's own")
    raise error from error


class Disconnects(unittest.TestCase):
    """What an application raises when its client has gone: an error of its own is told, that alone is not."""

    CASES = (
        (by_itself, False),
        (translated, False),
        (caused, False),
        (gathered, False),
        (by_finally, True),
        (gathered_with_another, True),
        (timed_out, True),
        (in_a_circle, True),
    )

    def each(self, use):
        """`use(raises)` lets an application raise."""
        for raises, own in self.CASES:
            with self.subTest(raises.__name__), Silence() as log:
                use(raises)
                self.assertEqual([line.split()[0] for line in log.lines], ["Exception"] if own else [])

    def test_of_a_request(self):
        def use(raises):
            async def app(scope, receive, send):
                try:
                    await receive()
                    while (await receive())["type"] != "http.disconnect":
                        pass
                    await send(START)
                except OSError as error:
                    left = error
                raises(left)

            async def go(bench):
                request = bench.request()
                await turns()
                request.disconnect(wire.GONE)
                await turns()
                self.assertEqual([kind for kind, *_ in bench.records()], [wire.DONE])

            with_app(app, go)

        self.each(use)

    def test_of_a_cancelled_request(self):
        async def app(scope, receive, send):
            asyncio.current_task().cancel()
            try:
                await asyncio.sleep(10)
            finally:
                cleans_up()

        async def use(bench):
            bench.request().disconnect(wire.GONE)
            await turns()

        with Silence() as log:
            with_app(app, use)
        self.assertEqual(log.lines, ["Exception in ASGI application"])

    def test_of_a_socket(self):
        def use(raises):
            async def app(scope, receive, send):
                try:
                    await send({"type": "websocket.accept"})
                    while (await receive())["type"] != "websocket.disconnect":
                        pass
                    await send({"type": "websocket.send", "text": "late"})
                except OSError as error:
                    left = error
                raises(left)

            async def go(bench):
                socket = bench.socket()
                await turns()
                socket.closed(wire.U16.pack(1001))
                await turns()
                self.assertEqual(bench.records()[-1][0], wire.DONE)

            with_app(app, go)

        self.each(use)

    def test_of_a_request_in_a_thread(self):
        def use(raises):
            def app(environ, start_response):
                try:
                    environ["wsgi.input"].read(10)
                except OSError as error:
                    left = error
                raises(left)

            site = Site(app)
            site.start(0, method="POST").disconnect(0)
            self.assertEqual([kind for kind, *_ in site.finish()], [wire.DONE])

        self.each(use)


class Records(unittest.TestCase):
    def test_texts_are_cut_until_they_fit(self):
        trace = "Traceback\n" + "配" * 30_000 + "\nValueError: the end"
        text = worker.in_a_record({"message": "It failed.\udc80", "traceback": trace, "other": None})
        self.assertLessEqual(len(text), wire.MOST_PAYLOAD_BYTES)
        value = json.loads(text)
        self.assertEqual((value["message"], value["other"]), ("It failed.?", None))
        self.assertTrue(value["traceback"].endswith("配\nValueError: the end"))
        self.assertGreater(len(text), wire.MOST_PAYLOAD_BYTES // 3)

    def test_of_a_long_message_the_beginning_stays(self):
        text = worker.in_a_record({"message": "It failed: " + "\x00" * 70_000})
        self.assertLessEqual(len(text), wire.MOST_PAYLOAD_BYTES)
        self.assertTrue(json.loads(text)["message"].startswith("It failed: \x00"))


if __name__ == "__main__":
    unittest.main()
