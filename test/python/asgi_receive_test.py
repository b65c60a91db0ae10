"""The ASGI contract of a request, without a process: what it receives, and its task."""

import asyncio
import contextvars
import marshal
import unittest

from support import START, body, turns, wire, with_app

HELD = contextvars.ContextVar("HELD", default=None)


def gathering():
    """(what it receives, an application that takes the whole body a turn after its start)"""
    events = []

    async def app(scope, receive, send):
        await asyncio.sleep(0)
        while not events or events[-1]["more_body"]:
            events.append(await receive())
        await send(START)
        await send(body(b""))

    return events, app


class Receive(unittest.TestCase):
    def test_the_body_then_disconnect_after_the_response(self):
        events = []

        async def app(scope, receive, send):
            events.append(await receive())
            await send(START)
            await send(body(b""))
            events.append(await receive())

        async def use(bench):
            bench.request()
            await turns()
            empty = {"type": "http.request", "body": b"", "more_body": False}
            self.assertEqual(events, [empty, {"type": "http.disconnect"}])

        with_app(app, use)

    def test_pieces_credit_and_disconnect(self):
        events = []

        async def app(scope, receive, send):
            while True:
                events.append(await receive())
                if events[-1]["type"] == "http.disconnect":
                    return

        async def use(bench):
            request = bench.request(0, method="POST")
            await turns()
            piece = b"x" * 60_000
            for _ in range(2):
                request.body(0, piece)
            await turns()
            self.assertEqual([event["body"] for event in events], [piece] * 2)
            ((kind, _, _, payload),) = bench.records()
            self.assertEqual(kind, wire.RESPONSE_CREDIT)
            self.assertEqual(payload, wire.U32.pack(120_000))
            request.disconnect(0)
            await turns()
            self.assertEqual(events[-1], {"type": "http.disconnect"})
            self.assertEqual(bench.records()[-1][:2], (wire.DONE, 0))

        with_app(app, use)

    def test_small_pieces_that_wait_are_given_together(self):
        events, app = gathering()

        async def use(bench):
            request = bench.request(0, method="POST")
            for piece in (b"a", b"b", b"c" * 20_000, b"d"):
                request.body(0, piece)
            request.body(wire.TRAILERS, marshal.dumps([(b"x", b"y")], 2))
            request.body(wire.LAST, b"")
            await turns()
            found = [(event["body"], event["more_body"]) for event in events]
            self.assertEqual(found, [(b"ab" + b"c" * 20_000 + b"d", False)])
            self.assertEqual(events[-1]["trailers"], [(b"x", b"y")])

        with_app(app, use)

    def test_large_pieces_are_given_one_by_one(self):
        events, app = gathering()

        async def use(bench):
            request = bench.request(0, method="POST")
            for flags, piece in ((0, b"a" * 20_000), (0, b"b" * 20_000), (wire.LAST, b"c")):
                request.body(flags, piece)
            await turns()
            found = [(len(event["body"]), event["more_body"]) for event in events]
            self.assertEqual(found, [(20_000, True), (20_000, True), (1, False)])
            self.assertEqual(bench.requests, {})

        with_app(app, use)

    def test_a_body_on_demand_is_asked_for_by_receive_only(self):
        gate = []

        async def app(scope, receive, send):
            await gate[0].wait()
            await receive()

        async def use(bench):
            gate.append(asyncio.Event())
            request = bench.request(wire.ON_DEMAND, method="POST")
            await turns()
            self.assertEqual(bench.records(), [])
            gate[0].set()
            await turns()
            ((kind, _, _, payload),) = bench.records()
            self.assertEqual(kind, wire.RESPONSE_CREDIT)
            self.assertEqual(payload, wire.U32.pack(wire.WINDOW_BYTES))
            request.task.cancel()
            with self.assertLogs("ringcorn.error"):
                await turns()

        with_app(app, use)


class Tasks(unittest.TestCase):
    def test_each_request_has_its_own_task_and_context(self):
        seen = []

        async def app(scope, receive, send):
            before = HELD.get()
            HELD.set(scope["path"])
            task = asyncio.current_task()
            await asyncio.sleep(0)
            seen.append((before, HELD.get(), task is asyncio.current_task(), task))
            await send(START)
            await send(body(b""))

        async def use(bench):
            for number in range(3):
                bench.request(request_id=number + 1, path=f"/{number}")
            await turns()
            self.assertEqual(
                [s[:3] for s in seen],
                [(None, "/0", True), (None, "/1", True), (None, "/2", True)],
            )
            self.assertEqual(len({id(s[3]) for s in seen}), 3)
            self.assertIsNone(HELD.get())

        with_app(app, use)

    def test_timeouts_and_cancellation_work(self):
        caught = []

        async def app(scope, receive, send):
            try:
                await asyncio.wait_for(asyncio.sleep(3600), 0.01)
            except asyncio.TimeoutError as error:
                caught.append(error)
            await send(START)
            await send(body(b""))

        async def use(bench):
            request = bench.request()
            await asyncio.wait_for(request.task, 5)
            self.assertEqual(len(caught), 1)
            self.assertEqual(len(bench.records()), 1)

        with_app(app, use)

    def test_two_tasks_of_one_request_may_receive(self):
        async def app(scope, receive, send):
            await receive()
            one = asyncio.ensure_future(receive())
            two = asyncio.ensure_future(receive())
            await asyncio.sleep(0)
            one.cancel()
            await send(START)
            await send(body(b""))
            self.assertEqual(await two, {"type": "http.disconnect"})

        async def use(bench):
            bench.request()
            await turns(10)
            self.assertEqual(bench.requests, {})

        with_app(app, use)


if __name__ == "__main__":
    unittest.main()
