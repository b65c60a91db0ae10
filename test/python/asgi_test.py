"""The ASGI contract of a request, without a process."""

import asyncio
import contextvars
import marshal
import unittest

from support import Bench, asgi, encoded_scope, response, run, turns, wire

START = {"type": "http.response.start", "status": 200, "headers": []}
HELD = contextvars.ContextVar("HELD", default=None)


def body(data=b"", more=False):
    return {"type": "http.response.body", "body": data, "more_body": more}


def with_app(app, use):
    async def go():
        bench = Bench(asyncio.get_running_loop(), app)
        await use(bench)

    run(go())


class Scope(unittest.TestCase):
    def test_is_complete_and_shared_with_nobody(self):
        encoded = encoded_scope("POST", path="/a", headers=[(b"host", b"x")])
        state = {"pool": object()}
        one = asgi.build_scope(encoded, state)
        two = asgi.build_scope(encoded, state)
        self.assertEqual(one, two)
        self.assertEqual(one["asgi"], {"version": "3.0", "spec_version": "2.5"})
        self.assertEqual(one["headers"], [(b"host", b"x")])
        self.assertIs(one["state"]["pool"], state["pool"])
        for key in ("asgi", "headers", "state", "extensions"):
            self.assertIsNot(one[key], two[key])
        trailers = "http.response.trailers"
        self.assertIsNot(one["extensions"][trailers], two["extensions"][trailers])

    def test_http_1_0_has_neither_trailers_nor_hints(self):
        scope = asgi.build_scope(encoded_scope(version="1.0"), {})
        self.assertEqual(set(scope["extensions"]), {"http.response.pathsend"})


class Send(unittest.TestCase):
    def test_start_and_first_body_leave_in_one_record(self):
        async def app(scope, receive, send):
            await send(dict(START, headers=[(b"content-length", b"2")]))
            await send(body(b"ok"))

        async def use(bench):
            bench.request()
            await turns()
            ((kind, flags, rid, payload),) = bench.records()
            self.assertEqual((kind, flags, rid), (wire.RESPONSE, wire.LAST, 1))
            wanted = (200, [(b"content-length", b"2")], b"ok")
            self.assertEqual(response(payload), wanted)
            self.assertEqual(bench.requests, {})

        with_app(app, use)

    def test_nothing_leaves_before_the_first_body(self):
        async def app(scope, receive, send):
            await send(START)
            await asyncio.sleep(3600)

        async def use(bench):
            request = bench.request()
            await turns()
            self.assertEqual(bench.records(), [])
            request.task.cancel()
            with self.assertLogs("ringcorn.error"):
                await turns()

        with_app(app, use)

    def violation(self, *messages, method="GET"):
        """The error of the last message, and the records."""
        caught = []

        async def app(scope, receive, send):
            for message in messages[:-1]:
                await send(message)
            try:
                await send(messages[-1])
            except Exception as error:
                caught.append(error)
                raise

        async def use(bench):
            with self.assertLogs("ringcorn.error"):
                bench.request(method=method)
                await turns()
            self.records = bench.records()

        with_app(app, use)
        (error,) = caught
        return error

    def test_order(self):
        start, more, last = START, body(b"a", True), body(b"b")
        trailers = {"type": "http.response.trailers", "headers": []}
        for messages in (
            (last,),
            (start, start),
            (start, more, start),
            (start, last, last),
            (start, trailers),
            (start, last, trailers),
            ({"type": "websocket.send"},),
            (dict(start, status=99),),
            (dict(start, status="200"),),
        ):
            with self.subTest(messages):
                self.assertIsInstance(self.violation(*messages), RuntimeError)

    def test_content_length_is_kept_to(self):
        start = dict(START, headers=[(b"Content-Length", b"3")])
        self.assertIn("longer", str(self.violation(start, body(b"1234"))))
        self.assertIn("shorter", str(self.violation(start, body(b"12"))))
        error = self.violation(start, body(b"12", True), body(b"34"))
        self.assertIn("longer", str(error))
        self.assertEqual(self.records[-1][0], wire.DONE)

    def test_bad_fields(self):
        for headers in ([("a", "b")], [(b"a", b"b\0c")], [(b"a", None)]):
            with self.subTest(headers):
                error = self.violation(dict(START, headers=headers))
                self.assertIsInstance(error, ValueError)

    def test_a_body_that_is_no_bytes(self):
        for wrong in ("text", None, 5):
            with self.subTest(wrong):
                self.assertIsInstance(self.violation(START, body(wrong)), TypeError)
                ((kind, flags, _, _),) = self.records
                self.assertEqual((kind, flags), (wire.DONE, wire.RAISED))

    def test_a_body_may_be_reused_after_send(self):
        async def app(scope, receive, send):
            buffer = bytearray(b"x" * 5000)
            await send(START)
            await send(body(memoryview(buffer), True))
            buffer[:] = b"y" * 5000
            await send(body(buffer))
            buffer[:] = b"z" * 5000

        async def use(bench):
            bench.request()
            await turns()
            (_, _, _, first), (_, _, _, second) = bench.records()
            self.assertEqual(response(first)[2], b"x" * 5000)
            self.assertEqual(second, b"y" * 5000)

        with_app(app, use)

    def test_returning_without_a_response_is_told(self):
        async def app(scope, receive, send):
            await send(START)

        async def use(bench):
            with self.assertLogs("ringcorn.error"):
                bench.request()
                await turns()
            ((kind, flags, _, _),) = bench.records()
            self.assertEqual((kind, flags), (wire.DONE, wire.RAISED))

        with_app(app, use)

    def test_a_large_body_is_cut_into_records_and_waits_for_credit(self):
        size = wire.WINDOW_BYTES + 100_000
        after = []

        async def app(scope, receive, send):
            await send(START)
            await send(body(b"x" * size))
            after.append(True)

        async def use(bench):
            request = bench.request()
            await turns()
            records = bench.records()
            for *_, payload in records:
                self.assertLessEqual(len(payload), wire.MOST_PAYLOAD_BYTES)
            self.assertEqual(records[0][1], wire.ROOM)
            sent = sum(len(p) for *_, p in records) - 6 - wire.ROOM_BYTES
            self.assertEqual(sent, wire.WINDOW_BYTES)
            self.assertEqual(after, [])
            request.credit(wire.U32.pack(100_000))
            await turns()
            self.assertEqual(after, [True])
            self.assertEqual(bench.records()[-1][1], wire.LAST)

        with_app(app, use)

    def test_oserror_after_the_client_has_gone(self):
        caught = []

        async def app(scope, receive, send):
            await send(START)
            try:
                while True:
                    await send(body(b"x" * 50_000, True))
            except OSError as error:
                caught.append(error)
                raise

        async def use(bench):
            request = bench.request()
            await turns()
            self.assertEqual(caught, [])
            request.disconnect(wire.GONE)
            await turns()
            self.assertEqual(len(caught), 1)
            self.assertEqual(bench.requests, {})
            # The front may hold nothing of it that could fail: it learns the end.
            self.assertEqual(bench.records()[-1], (wire.DONE, 0, 1, b""))

        with_app(app, use)

    def test_what_the_front_refuses_is_raised(self):
        caught = []

        async def app(scope, receive, send):
            await send(START)
            await send(body(b"x", True))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            try:
                await send(body(b"y"))
            except RuntimeError as error:
                caught.append(str(error))

        async def use(bench):
            request = bench.request()
            await turns(1)
            request.refused(b"a header may not be named so")
            await turns()
            self.assertEqual(caught, ["a header may not be named so"])

        with_app(app, use)

    def refuse(self, app):
        """What is logged when the front refuses the whole response while the application still runs."""

        async def use(bench):
            with self.assertLogs("ringcorn.error") as log:
                request = bench.request()
                await turns(1)
                request.refused(b"no such field\0GET /a")
                await turns()
            self.assertEqual(bench.requests, {})
            self.lines = [record.getMessage() for record in log.records]

        with_app(app, use)
        return self.lines

    def test_a_refusal_that_no_send_raises_is_logged_once(self):
        async def app(scope, receive, send):
            await send(START)
            await send(body(b"x"))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            self.assertEqual(await receive(), {"type": "http.disconnect"})

        self.assertEqual(self.refuse(app), ["The response to GET /a could not be sent: no such field"])

    def test_a_refusal_that_send_has_raised_is_not_logged_besides(self):
        async def app(scope, receive, send):
            await send(START)
            await send(body(b"x"))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            await send(body(b"y"))

        self.assertEqual(self.refuse(app), ["Exception in ASGI application"])

    def test_trailers_hints_and_paths(self):
        async def app(scope, receive, send):
            await send({"type": "http.response.early_hint", "links": [b"</a>"]})
            await send(dict(START, trailers=True))
            await send({"type": "http.response.pathsend", "path": "/a/b"})
            trailers = {"type": "http.response.trailers", "headers": [(b"a", b"b")]}
            await send(trailers)

        async def use(bench):
            bench.request()
            await turns()
            kinds = [(kind, flags) for kind, flags, *_ in bench.records()]
            wanted = [
                (wire.EARLY_HINT, 0),
                (wire.RESPONSE, wire.MORE | wire.TRAILERS),
                (wire.PATHSEND, wire.LAST),
                (wire.RESPONSE_TRAILERS, wire.LAST),
            ]
            self.assertEqual(kinds, wanted)

        with_app(app, use)


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
        events = []

        async def app(scope, receive, send):
            await asyncio.sleep(0)
            while not events or events[-1]["more_body"]:
                events.append(await receive())
            await send(START)
            await send(body(b""))

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
        events = []

        async def app(scope, receive, send):
            await asyncio.sleep(0)
            while not events or events[-1]["more_body"]:
                events.append(await receive())
            await send(START)
            await send(body(b""))

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
