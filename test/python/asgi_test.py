"""The ASGI contract of a request, without a process: its scope, and what it sends."""

import asyncio
import unittest

from support import START, Speechless, asgi, body, encoded_scope, response, turns, wire, with_app

FILE_OPEN = wire.U32.pack(1)


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

    def test_an_error_that_fails_to_say_what_it_is_is_told(self):
        async def app(scope, receive, send):
            raise Speechless()

        async def use(bench):
            with self.assertLogs("ringcorn.error"):
                bench.request()
                await turns()
            ((kind, flags, _, payload),) = bench.records()
            self.assertEqual((kind, flags, payload), (wire.DONE, wire.RAISED, b"Speechless"))

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
            wanted = [
                (wire.EARLY_HINT, 0),
                (wire.RESPONSE, wire.MORE | wire.TRAILERS),
                (wire.PATHSEND, wire.LAST | wire.MORE),
            ]
            self.assertEqual([(kind, flags) for kind, flags, *_ in bench.records()], wanted)
            bench.receive(bench.record(wire.CREDIT, payload=FILE_OPEN))
            await turns()
            wanted.append((wire.RESPONSE_TRAILERS, wire.LAST))
            self.assertEqual([(kind, flags) for kind, flags, *_ in bench.records()], wanted)

        with_app(app, use)

    def test_a_path_is_sent_when_its_file_is_open_or_can_t_be(self):
        seen = []

        async def app(scope, receive, send):
            await send(START)
            seen.append("waits")
            try:
                await send({"type": "http.response.pathsend", "path": "/a/b"})
            except Exception as error:
                seen.append(type(error).__name__)
            else:
                seen.append("open")

        ends = (
            ("open", wire.CREDIT, 0, FILE_OPEN),
            ("Refused", wire.REFUSED, 0, b"no such file\0GET /"),
            ("ClientDisconnected", wire.DISCONNECT, wire.GONE, b""),
        )
        for wanted, kind, flags, payload in ends:
            with self.subTest(wanted):
                seen.clear()

                async def use(bench, answer=(kind, flags, 1, payload), wanted=wanted):
                    bench.request()
                    await turns()
                    self.assertEqual(seen, ["waits"])
                    bench.receive(bench.record(*answer))
                    await turns()
                    self.assertEqual((seen, bench.requests), (["waits", wanted], {}))
                    self.assertEqual(len(bench.records()), 2, "nothing comes behind the path")

                with_app(app, use)


if __name__ == "__main__":
    unittest.main()
