"""What is said of an application's errors, whatever it has made of logging."""

import asyncio
import contextlib
import io
import json
import logging
import logging.config
import unittest
from unittest import mock

from support import failures, lifespan, run, turns, wire, with_app, worker
from wsgi_support import Site


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
