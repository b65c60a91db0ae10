"""The ASGI contract of a WebSocket, without a process: how it begins and ends, and what may come when."""

import asyncio
import contextlib
import unittest

from socket_support import ACCEPT, closed, message, sent
from support import Bench, response, turns, wire, with_app


class Ends(unittest.TestCase):
    def test_the_peers_end_is_told_behind_its_messages_and_again(self):
        got = []

        async def app(scope, receive, send):
            await receive()
            await send(ACCEPT)
            got.extend([await receive() for _ in range(3)])
            try:
                await send({"type": "websocket.send", "text": "late"})
            except OSError as error:
                got.append(type(error).__name__)
            await send({"type": "websocket.close"})

        async def use(bench):
            bench.socket()
            await turns()
            bench.receive(message("a"), closed(4001, "bye"))
            await turns()
            end = {"type": "websocket.disconnect", "code": 4001, "reason": "bye"}
            self.assertEqual(got[1:], [end, end, "ClientDisconnected"])
            self.assertEqual([kind for kind, *_ in bench.records()], [wire.WS_ACCEPT, wire.DONE])

        with_app(app, use)

    def test_a_sender_that_waits_for_credit_is_told(self):
        got = []

        async def app(scope, receive, send):
            await send(ACCEPT)
            try:
                while True:
                    await send({"type": "websocket.send", "bytes": bytes(50_000)})
            except OSError:
                got.append("told")

        async def use(bench):
            bench.socket()
            await turns()
            self.assertEqual(got, [])
            bench.receive(Bench.record(wire.DISCONNECT, wire.GONE))
            await turns()
            self.assertEqual(got, ["told"])

        with_app(app, use)

    def test_a_denial_that_waits_is_told_that_it_was_refused(self):
        got = []

        async def app(scope, receive, send):
            await send({"type": "websocket.http.response.start", "status": 401, "headers": [(b"x-own", b"a\nb")]})
            try:
                await send({"type": "websocket.http.response.body", "body": bytes(500_000), "more_body": True})
            except RuntimeError as error:
                got.append(str(error))

        async def use(bench):
            bench.socket()
            await turns()
            self.assertEqual(got, [])
            bench.receive(Bench.record(wire.REFUSED, 0, 1, b"a header value has a control byte\0WebSocket /"))
            await turns()
            self.assertEqual(got, ["a header value has a control byte"])
            self.assertEqual(bench.records()[-1][0], wire.DONE)

        with_app(app, use)

    def test_tasks_that_outlive_the_application_are_told(self):
        got = []

        async def receives(receive):
            got.append(await receive())
            got.append(await receive())

        async def sends(send):
            try:
                while True:
                    await send({"type": "websocket.send", "bytes": bytes(50_000)})
            except OSError as error:
                got.append(type(error).__name__)

        def application(fails, closes):
            async def app(scope, receive, send):
                await receive()
                await send(ACCEPT)
                tasks.extend([asyncio.create_task(receives(receive)), asyncio.create_task(sends(send))])
                await asyncio.sleep(0)
                if closes:
                    await send({"type": "websocket.close", "code": 4000})
                if fails:
                    raise ValueError("no")

            return app

        async def use(bench):
            bench.socket()
            with self.assertLogs("ringcorn.error") if fails else contextlib.nullcontext():
                await turns()
            end = {"type": "websocket.disconnect", "code": 1006, "reason": ""}
            self.assertEqual(sorted(got, key=str), ["ClientDisconnected", end, end])
            self.assertTrue(all(task.done() for task in tasks))
            self.assertEqual(bench.records()[-1][0], wire.DONE)

        for fails, closes in [(False, False), (True, False), (False, True)]:
            with self.subTest(fails=fails, closes=closes):
                got.clear()
                tasks = []
                with_app(application(fails, closes), use)

    def test_an_application_that_lets_the_end_through_has_not_failed(self):
        class WebSocketDisconnect(Exception):
            pass

        async def app(scope, receive, send):
            await receive()
            await send(ACCEPT)
            if (await receive())["type"] == "websocket.disconnect":
                raise WebSocketDisconnect

        async def use(bench):
            bench.socket()
            bench.receive(closed(1001))
            with self.assertNoLogs("ringcorn.error"):
                await turns()
            self.assertEqual(bench.records()[-1][:2], (wire.DONE, 0))

        if hasattr(self, "assertNoLogs"):
            with_app(app, use)

    def test_of_the_application(self):
        async def returns(scope, receive, send):
            await send(ACCEPT)

        async def raises(scope, receive, send):
            raise ValueError("no")

        async def closes(scope, receive, send):
            await send(ACCEPT)
            await send({"type": "websocket.close", "code": 4002, "reason": "ü" * 100})
            await send({"type": "websocket.close"})
            try:
                await send({"type": "websocket.send", "text": "late"})
            except OSError:
                await send({"type": "websocket.close"})

        async def refuses(scope, receive, send):
            await send({"type": "websocket.close"})

        async def refuses_oddly(scope, receive, send):
            await send({"type": "websocket.close", "code": 1, "reason": [{"msg": "not a number"}]})

        cut = wire.U16.pack(4002) + ("ü" * 61).encode()
        wanted = {
            returns: [(wire.WS_ACCEPT, 0, b"\0\0\0\0"), (wire.DONE, 0, b"")],
            raises: [(wire.DONE, wire.RAISED, b"ValueError: no")],
            closes: [(wire.WS_ACCEPT, 0, b"\0\0\0\0"), (wire.WS_CLOSE, 0, cut), (wire.DONE, 0, b"")],
            refuses: [(wire.WS_CLOSE, 0, wire.U16.pack(1000)), (wire.DONE, 0, b"")],
            refuses_oddly: [(wire.WS_CLOSE, 0, wire.U16.pack(1000)), (wire.DONE, 0, b"")],
        }
        for app, records in wanted.items():

            async def use(bench, records=records):
                bench.socket()
                await turns()
                found = [(kind, flags, payload) for kind, flags, _, payload in bench.records()]
                self.assertEqual(found, records)
                self.assertEqual(bench.requests, {})

            with self.subTest(app.__name__):
                if app is raises:
                    with self.assertLogs("ringcorn.error"):
                        with_app(app, use)
                else:
                    with_app(app, use)

    def test_the_fronts_end_is_1006(self):
        got = []

        async def app(scope, receive, send):
            await receive()
            await send(ACCEPT)
            got.append(await receive())

        async def use(bench):
            socket = bench.socket()
            await turns()
            bench.outlet.dead = True
            socket.disconnect(wire.GONE)
            await turns()
            self.assertEqual(got[0]["code"], 1006)

        with_app(app, use)


class Order(unittest.TestCase):
    def test_events_out_of_order_are_refused(self):
        async def app(scope, receive, send):
            for event in (
                {"type": "websocket.send", "text": "early"},
                {"type": "http.response.start", "status": 200},
                {"type": "websocket.http.response.body"},
                {**ACCEPT, "subprotocol": "other"},
                {**ACCEPT, "headers": [("a", "b")]},
                ACCEPT,
                ACCEPT,
                {"type": "websocket.http.response.start", "status": 200},
                {"type": "websocket.send"},
                {"type": "websocket.send", "text": "a", "bytes": b"b"},
                {"type": "websocket.send", "text": 1},
                {"type": "websocket.close", "code": 1006},
                {"type": "websocket.close", "code": 1000, "reason": 1},
            ):
                try:
                    await send(event)
                    said.append("taken")
                except (RuntimeError, wire.FieldError):
                    said.append("refused")

        said = []

        async def use(bench):
            bench.socket(subprotocols=["one"])
            await turns()
            self.assertEqual(said, ["refused"] * 5 + ["taken"] + ["refused"] * 7)

        with_app(app, use)

    def test_a_subprotocol_and_fields(self):
        for chosen, payload in (
            ("two", b"\3\0\1\0twox-own\0yes"),
            ("", b"\0\0\1\0x-own\0yes"),
            (None, b"\0\0\1\0x-own\0yes"),
        ):

            async def app(scope, receive, send, chosen=chosen):
                await send({**ACCEPT, "subprotocol": chosen, "headers": [(b"x-own", b"yes")]})

            async def use(bench, payload=payload):
                bench.socket(subprotocols=["one", "two"])
                await turns()
                self.assertEqual(sent(bench, wire.WS_ACCEPT), [payload])

            with self.subTest(chosen):
                with_app(app, use)

    def test_a_denial_is_a_response(self):
        async def app(scope, receive, send):
            start = {"type": "websocket.http.response.start", "status": 401, "headers": [(b"a", b"b")]}
            await send(start)
            await send({"type": "websocket.http.response.body", "body": b"who", "more_body": True})
            await send({"type": "websocket.http.response.body", "body": b"?"})

        async def use(bench):
            bench.socket()
            await turns()
            first, second, done = bench.records()
            self.assertEqual(response(first[3]), (401, [(b"a", b"b")], b"who"))
            self.assertEqual((second[0], second[1], second[3]), (wire.RESPONSE_BODY, wire.LAST, b"?"))
            self.assertEqual(done[:2], (wire.DONE, 0))

        with_app(app, use)

    def test_half_a_denial_is_a_failure(self):
        async def app(scope, receive, send):
            await send({"type": "websocket.http.response.start", "status": 401, "headers": []})

        async def use(bench):
            bench.socket()
            await turns()
            self.assertEqual([record[:2] for record in bench.records()], [(wire.DONE, wire.RAISED)])

        with self.assertLogs("ringcorn.error"):
            with_app(app, use)

    def test_what_the_front_refuses_is_raised_by_the_next_send(self):
        got = []

        async def app(scope, receive, send):
            await send({**ACCEPT, "headers": [(b"a", b"\n")]})
            got.append(await receive())
            got.append(await receive())
            try:
                await send({"type": "websocket.send", "text": "a"})
            except RuntimeError as error:
                got.append(str(error))

        async def use(bench):
            bench.socket()
            await turns()
            bench.receive(Bench.record(wire.REFUSED, 0, 1, b"bad value\0WebSocket /"))
            await turns()
            self.assertEqual([got[1]["type"], got[2]], ["websocket.disconnect", "bad value"])

        with_app(app, use)


if __name__ == "__main__":
    unittest.main()
