"""Heartbeats: a late loop is told of at once, and so is its return."""

import asyncio
import time
import unittest

import support  # noqa: F401
from _ringcorn import beat, wire


class Outlet:
    def __init__(self):
        self.dead = False
        self.records = []

    def put_now(self, record, control=False):
        self.records.append(record)

    put_control = put_now


class Worker:
    def __init__(self, loop):
        self.loop = loop
        self.outlet = Outlet()
        self.requests = {}
        self.generation = 7
        self.lost = 0

    def front_lost_while_stuck(self):
        self.lost += 1


def lags(worker):
    return [wire.BEAT_PAYLOAD.unpack(r[wire.HEADER_BYTES :])[1] for r in list(worker.outlet.records)]


async def until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


class BeatTest(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.worker = Worker(asyncio.get_running_loop())
        beat.start(self.worker)

    async def asyncTearDown(self):
        self.worker.outlet.dead = True
        await until(lambda: self.worker.lost == 1)

    async def test_a_late_loop_and_its_return(self):
        time.sleep(3 * beat.ASK_SECONDS)  # noqa: ASYNC251
        await until(lambda: len(lags(self.worker)) >= 2)
        late, back = lags(self.worker)[:2]
        self.assertGreaterEqual(late, beat.LATE_SECONDS * 1000)
        self.assertEqual(back, 0)

    async def test_a_ping_is_answered_with_its_token(self):
        payload = beat.payload(self.worker, wire.U32.pack(42))
        self.assertEqual(wire.BEAT_PAYLOAD.unpack(payload)[0], 42)


if __name__ == "__main__":
    unittest.main()
