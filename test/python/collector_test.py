"""When the garbage collector looks: later than by itself, and then also after large bodies and with the heartbeat."""

import asyncio
import gc
import sysconfig
import types
import unittest
import weakref

import support  # noqa: F401 (the package's path comes first)
from _ringcorn import beat, collector
from support import START, Bench, run, turns, wire


class Cycle:
    """What an application may leave behind."""

    def __init__(self):
        self.me = self


def left_behind():
    return weakref.ref(Cycle())


async def upload(scope, receive, send):
    while (await receive())["more_body"]:
        pass
    await send(START)
    await send({"type": "http.response.body", "body": b""})


async def download(scope, receive, send):
    await send(START)
    await send({"type": "http.response.body", "body": bytes(200_000)})


def on_bench(app, use):
    async def go():
        await use(Bench(asyncio.get_running_loop(), app))

    run(go())


@unittest.skipIf(sysconfig.get_config_var("Py_GIL_DISABLED"), "left alone without the interpreter's lock")
class CollectorTest(unittest.TestCase):
    def setUp(self):
        self.before = gc.get_threshold()
        self.addCleanup(setattr, collector.looks, "_number", collector.looks._number)
        self.addCleanup(gc.set_threshold, *self.before)
        self.addCleanup(gc.enable)
        self.looks = collector.Looks()
        gc.collect()

    def test_the_number_grows_with_the_requests_in_flight(self):
        usual, *others = self.before
        for requests in (0, 100, 512, 3, 0):
            self.looks.tell(requests)
            wanted = max(usual, requests * collector.OBJECTS_OF_A_REQUEST)
            self.assertEqual(gc.get_threshold(), (wanted, *others))

    def test_what_an_application_has_decided_holds(self):
        self.looks.tell(200)
        found = left_behind()
        for own in (0, 50_000):
            gc.set_threshold(own, 10, 10)
            self.looks.look()
            self.looks.tell(300)
            self.assertEqual(gc.get_threshold(), (own, 10, 10))
        gc.set_threshold(200 * collector.OBJECTS_OF_A_REQUEST, 10, 10)
        gc.disable()
        self.looks.look()
        self.assertIsNotNone(found())
        gc.enable()
        self.looks.look()
        self.assertIsNone(found())

    def test_the_heartbeats_answer_looks_if_there_is_much(self):
        asked = beat.Beat(types.SimpleNamespace(requests=range(1000)))
        asked.answer()
        self.assertEqual(gc.get_threshold()[0], 1000 * collector.OBJECTS_OF_A_REQUEST)
        found = left_behind()
        asked.answer()
        self.assertIsNotNone(found())
        kept = [[] for _ in range(self.before[0] + 100)]
        asked.answer()
        self.assertIsNone(found())
        del kept

    def test_large_uploads_look(self):
        async def use(bench):
            gc.collect()
            found = left_behind()
            piece = bytes(wire.MOST_PAYLOAD_BYTES)
            bench.feed(Bench.head(1, 0, method="POST"))
            half = collector.LOOK_AFTER_BYTES // len(piece) // 2
            for _ in range(half):
                bench.feed(Bench.record(wire.BODY, 0, 1, piece))
                await turns()
            self.assertIsNotNone(found())
            for _ in range(half + 2):
                bench.feed(Bench.record(wire.BODY, 0, 1, piece))
                await turns()
            bench.feed(Bench.record(wire.BODY, wire.LAST, 1, b""))
            await turns()
            self.assertIsNone(found())

        on_bench(upload, use)

    def test_large_downloads_look(self):
        async def use(bench):
            gc.collect()
            found = left_behind()
            for number in range(1, collector.LOOK_AFTER_BYTES // 200_000 + 3):
                bench.feed(Bench.head(number))
                await turns()
                bench.records()
            self.assertIsNone(found())

        on_bench(download, use)
